"""The list of a study's cells and how each stands, for a dry run: no pandas, so no waiting."""

from __future__ import annotations

from collections.abc import Iterable

from objbench.board.notation import count, listed
from objbench.board.standing import Standing, join
from objbench.plan import Plan, PlannedCell
from objbench.records import AnyRecord

_STATES = {"ok": "done", "failed": "failed", "diverged": "diverged", "missing": "to do"}


def cells_listing(plan: Plan, records: Iterable[AnyRecord] = ()) -> str:
    """The plan's cells, one a line with its state, and how many there are of each state.

    The states: done, failed, diverged, to do, and stale where only an outdated record is there,
    which also has to be done.
    """
    standing = join(plan, records)
    outdated: set[tuple[str, str]] = {(record.kind, record.id) for record in standing.stale}
    states = [_state(standing, cell, outdated) for cell in plan.cells]
    lines = [f"{state:<9} {cell.id}" for state, cell in zip(states, plan.cells, strict=True)]
    tally = [
        f"{states.count(state)} {state}"
        for state in (*_STATES.values(), "stale")
        if state in states
    ]
    lines.append(f"{count(len(plan.cells), 'cell')}: {listed(tally) or 'none'}")
    return "\n".join(lines) + "\n"


def _state(standing: Standing, cell: PlannedCell, outdated: set[tuple[str, str]]) -> str:
    state = standing.state(cell)
    if state == "missing" and (cell.kind, cell.id) in outdated:
        return "stale"
    return _STATES[state]
