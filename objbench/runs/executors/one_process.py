"""Cells one after the other in this process.

Under ``accelerate launch`` every process does this: all of them pretrain each cell together, and
the other cells are dealt out by rank.
"""

from __future__ import annotations

from collections.abc import Mapping

from objbench.results.plan import Plan
from objbench.results.records import Status
from objbench.runs.cells.cell_kinds import KINDS
from objbench.runs.cells.cell_runner import CellRunner
from objbench.runs.cells.outcome import Ended
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.runs.cells.run_context import RunContext
from objbench.runs.executors.ready_cells import succeeded
from objbench.runs.processes import processes, rank, wait_for_all


class OneProcess:
    """Runs this process's share of the cells, one kind after the other."""

    threads = None
    jobs = 1
    is_here = True

    def run(
        self,
        prepared: PreparedStudy,
        plan: Plan,
        finished: Mapping[str, Status],
        ended: Ended,
    ) -> None:
        """Run the share; what other processes finish is read from its records between the kinds."""
        runner = CellRunner(RunContext(prepared, plan, prepared.display.update))
        done = succeeded(finished)
        by_id = {cell.id: cell for cell in plan.cells}
        for name, kind in KINDS.items():
            of_kind = [cell for cell in plan.cells if cell.kind == name]
            own = [cell for cell in of_kind if cell.id not in finished]
            if not kind.together:
                own = own[rank() :: processes()]
            for cell in own:
                if kind.together and cell.needs:
                    # A teacher is of the same kind; its encoder and record are written by the
                    # main process.
                    wait_for_all()
                    teachers = (by_id[needed] for needed in cell.needs)
                    done |= succeeded(prepared.folder.finished_cells(teachers))
                if done.issuperset(cell.needs):
                    outcome = runner(cell)
                    if outcome.out_of_memory:
                        # Nothing else runs here that could leave it more another time.
                        outcome = runner.refuse(cell, outcome.text, fixable=True)
                    ended(outcome)
            wait_for_all()
            done |= succeeded(prepared.folder.finished_cells(of_kind))
