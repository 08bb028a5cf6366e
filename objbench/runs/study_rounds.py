"""The rounds of a study that has been prepared: its trials, its plan, its cells."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from objbench.judge.formatting import named
from objbench.results.plan import Plan, PlannedCell
from objbench.results.record_segments import SIZE
from objbench.results.records import Status
from objbench.results.run_folder import RunFolder
from objbench.runs.cells.cell_runner import CellRunner
from objbench.runs.cells.forecast import say_what_is_left
from objbench.runs.cells.outcome import Outcome
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.runs.cells.run_context import RunContext
from objbench.runs.cells.step_comparison import keep_step_comparison
from objbench.runs.cells.step_costs import step_costs
from objbench.runs.executors.executor import Executor
from objbench.runs.forecast.expected_seconds import TimedHere
from objbench.runs.planning.planner import make_plan
from objbench.runs.planning.trials import Tuner
from objbench.runs.processes import is_main, processes, wait_for_all
from objbench.study.study import Study


@dataclass(frozen=True, slots=True)
class StudyRounds:
    """One run of a study.

    Attributes:
        executor: runs its cells.
        declared: its seeds, as ``declared_seeds`` finds them.
        looks: the numbers of seeds at which it is judged, as ``declared_looks`` finds them.
        failures: what has failed or diverged so far.
        faults: by objective, why a step of it cannot be taken.
        tried: ids of the cells of earlier rounds; one that failed would fail again.
        timed: what the forecasts of earlier rounds have measured.
    """

    executor: Executor
    declared: tuple[tuple[int, ...], ...]
    looks: tuple[int, ...] = ()
    failures: list[Outcome] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    timed: TimedHere = field(default_factory=TimedHere)

    def tune(self, prepared: PreparedStudy) -> tuple[PreparedStudy, list[PlannedCell]]:
        """The study with the settings that its trials choose, and the trials; they are run first.

        They come in rounds, since a trial may learn from the best one of an earlier round.
        """
        study, folder = prepared.study, prepared.folder
        trials: list[PlannedCell] = []
        if study.tuning is None:
            return prepared, trials
        tuner = Tuner(study, study.tuning, prepared.plugins, folder)
        with self._threads_of_a_cell():
            costs = step_costs(prepared, self.faults)
        data = prepared.text.description()
        for names in tuner.rounds():
            best = tuner.best(trials, self.faults)
            trials += tuner.cells(names, best, data, costs, processes())
            if len(folder.finished_cells(trials)) < len(trials):
                self.carry_out(prepared, self.plan(prepared, trials).only_trials())
        tuned = tuner.tuned(trials, self.faults)
        prepared.display.say(_choice(tuned, tuner.without_reliable_setting(trials)))
        return prepared.with_study(tuned), trials

    def plan(self, prepared: PreparedStudy, trials: Sequence[PlannedCell]) -> Plan:
        """The plan of the study with the settings that it has now."""
        with self._threads_of_a_cell():
            costs = step_costs(prepared, self.faults)
        return make_plan(
            prepared.study,
            prepared.plugins,
            name=prepared.folder.name,
            command=prepared.command,
            data=prepared.text.description(),
            costs=costs,
            devices=processes(),
            trials=trials,
            declared=self.declared,
            looks=self.looks,
        )

    def compare_steps(self, prepared: PreparedStudy) -> None:
        """Measure the steps of the objectives side by side, for the leaderboard.

        Only where they are also trained: another machine's steps take another time.
        """
        if self.faults or not self.executor.is_here:
            return
        with self._threads_of_a_cell():
            keep_step_comparison(prepared)

    def carry_out(self, prepared: PreparedStudy, plan: Plan) -> None:
        """Store the plan and run the cells that are not finished."""
        if is_main():
            prepared.folder.write_plan(plan)
            prepared.folder.pack_records()
        wait_for_all()
        finished = prepared.folder.finished_cells(plan.cells)
        # Every process must skip the same cells, whichever process ran those that failed.
        finished |= {
            cell.id: "failed"
            for cell in plan.cells
            if cell.id in self.tried and cell.id not in finished
        }
        forecast = say_what_is_left(
            prepared, plan, finished, self.executor.jobs, self.executor.threads, self.timed
        )
        prepared.display.say(_opening(plan, finished, prepared.folder))
        if processes() == 1:
            # One of several processes does not hear how the cells of the others ended.
            cells = [cell for cell in plan.cells if cell.id not in finished]
            left = {cell.id: _alike(cell) for cell in cells}
            one_of_each = {_alike(cell): cell for cell in cells}
            expected: dict[Hashable, float] = {
                kind: seconds
                for kind, cell in one_of_each.items()
                if forecast and (seconds := forecast.seconds_of(cell)) is not None
            }
            prepared.display.plan(left, len(plan.cells), self.executor.jobs, expected)

        number = count(1)

        def ended(outcome: Outcome) -> None:
            if next(number) % SIZE == 0 and is_main():
                prepared.folder.pack_records()
            mark = "" if outcome.status == "ok" else f"{outcome.status}: "
            prepared.display.end(outcome.id, mark + outcome.text)
            if outcome.status != "ok":
                self.failures.append(outcome)

        for outcome in self._refused(prepared, plan, finished):
            finished[outcome.id] = outcome.status
            ended(outcome)
        self.executor.run(prepared, plan, finished, ended)
        self.tried.update(cell.id for cell in plan.cells)
        wait_for_all()

    def _refused(
        self, prepared: PreparedStudy, plan: Plan, finished: Mapping[str, Status]
    ) -> list[Outcome]:
        """The pretrainings of objectives that cannot take a step; their records say why."""
        if not self.faults:
            return []
        runner = CellRunner(RunContext(prepared, plan, prepared.display.update))
        return [
            runner.refuse(cell, self.faults[cell.objective])
            for cell in plan.cells
            if cell.kind in ("pretrain", "trial")
            and cell.objective in self.faults
            and cell.id not in finished
        ]

    @contextmanager
    def _threads_of_a_cell(self) -> Iterator[None]:
        """Measure steps with the threads that the cells will have, where several run at a time.

        More threads than a small encoder keeps busy wait for each other, many times longer than
        they work where the cores are shared.
        """
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(self.executor.threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _choice(study: Study, unreliable: Sequence[str]) -> str:
    """The settings chosen; ``unreliable`` are the objectives of which none learnt on all seeds."""
    parts = [
        f"{name} " + ", ".join(f"{place} = {value}" for place, value in own.items())
        for name, own in study.overrides.items()
    ]
    chosen = "tuned: " + "; ".join(parts)
    if not unreliable:
        return chosen
    return f"{chosen} (no setting of {named(unreliable)} learnt on all of its tuning seeds)"


def _opening(plan: Plan, finished: Mapping[str, Status], folder: RunFolder) -> str:
    steps = ", ".join(f"{o.name} {o.steps:,} steps" for o in plan.objectives)
    left = len(plan.cells) - len(finished)
    done = f" ({len(finished)} done before)" if finished else ""
    text = (
        f"{folder}: {left} cells to run{done}; budget {plan.budget}, equal {plan.equalize}: {steps}"
    )
    return f"{text}\n{plan.parts_sentence}" if plan.parts_sentence else text


def _alike(cell: PlannedCell) -> tuple[str, ...]:
    """What cells that take about as long have in common."""
    if cell.suite:
        return cell.kind, cell.suite, cell.task, cell.floor
    return cell.kind, cell.objective
