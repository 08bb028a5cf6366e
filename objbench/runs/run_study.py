"""Running a study: prepare, plan, run the cells.

Everything can be killed at any instant: what has been finished is in the run folder, and the same
command continues from there. A second run in the same folder is refused while the first lasts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from objbench.engine.training.allocator import keep_freed_memory
from objbench.errors import ConfigError
from objbench.plugins.registry import Registry
from objbench.results.atomic_files import sweep
from objbench.results.plan import Plan, PlannedCell
from objbench.results.published_study import refuse_published
from objbench.results.run_folder import RunFolder
from objbench.results.storage_faults import storage_faults
from objbench.runs.cells.cell_runner import CellRunner, Outcome
from objbench.runs.cells.forecast import say_what_is_left
from objbench.runs.cells.prepared_study import PreparedStudy, prepare
from objbench.runs.cells.run_context import RunContext
from objbench.runs.cells.step_comparison import keep_step_comparison
from objbench.runs.cells.step_costs import step_costs
from objbench.runs.executors.choose import choose_executor
from objbench.runs.executors.executor import Executor
from objbench.runs.planning.cell_count import require_countable
from objbench.runs.planning.declared_seeds import declared_seeds
from objbench.runs.planning.folder_owner import require_same_study, require_same_text
from objbench.runs.planning.planner import make_plan
from objbench.runs.planning.trials import Tuner
from objbench.runs.processes import is_main, join_processes, processes, wait_for_all
from objbench.runs.progress import display
from objbench.runs.rehearsal import rehearse
from objbench.runs.watch import Watch
from objbench.study.study import Study


@dataclass(frozen=True, slots=True)
class StudyEnd:
    """How a run of a study ended.

    Attributes:
        failures: the cells of this run that failed or diverged.
        complete: every cell of the plan has succeeded, now or before.
    """

    failures: tuple[Outcome, ...]
    complete: bool

    @property
    def exit_code(self) -> int:
        """0 if complete; 2 if the user can fix all failures; 1 otherwise."""
        if self.complete:
            return 0
        return 2 if self.failures and all(failure.fixable for failure in self.failures) else 1


def run_study(
    study: Study,
    *,
    run: Path,
    cache: Path,
    jobs: int | None,
    device: str | None,
    command: str,
    registry: Registry,
    cell_timeout: float | None = None,
) -> StudyEnd:
    """Run what is not finished yet of ``study`` in the folder ``run``.

    Args:
        study: the study as given; tuning is part of the run.
        run: the run folder, made if it does not exist.
        cache: folder for what can be made again: tokenised text, task data.
        jobs: cells to run at a time; see ``choose_executor``.
        device: torch device string; when None, the first GPU if there is one, else the CPU.
        command: the command line, for the records.
        registry: the loaded plugins.
        cell_timeout: seconds after which a cell is ended; None for no limit.

    Raises:
        ObjbenchError: the study cannot be started.
    """
    refuse_published(run)
    device = device or default_device()
    join_processes(device)
    executor = choose_executor(jobs, device, len(study.objectives) * len(study.seeds))
    if device == "cpu":
        keep_freed_memory()
    shown, folder = Watch(display(quiet=not is_main())), RunFolder(run)
    prepared = prepare(
        study,
        registry,
        folder,
        cache=cache,
        device=device,
        command=command,
        display=shown,
        cell_timeout=cell_timeout,
    )
    # What does not fit is reported before any work.
    require_countable(study, prepared.plugins)
    rehearse(study, prepared.plugins, folder)
    with _locked(folder), storage_faults(folder), shown:
        require_same_study(study, folder)
        if is_main():
            sweep(folder.path)
            for part in ("tokens", "tokenizers", "tasks"):
                # Other runs use the cache too, and none of them writes to one file for a day.
                sweep(cache / part, older_than=24 * 60 * 60)
        started = _Run(executor, declared_seeds(study, folder))
        _open_text(prepared)
        require_same_text(study, prepared.text.description(), folder)
        prepared, trials = started.tune(prepared)
        plan = started.plan(prepared, trials)
        started.compare_steps(prepared)
        say_what_is_left(prepared, plan, executor.jobs)
        started.carry_out(prepared, plan)
    finished = folder.finished_cells(plan.cells)
    complete = all(finished.get(cell.id) == "ok" for cell in plan.cells)
    return StudyEnd(tuple(started.failures), complete)


def default_device() -> str:
    """The device that is used where none is named: "cuda" if torch sees a GPU, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a study.

    Attributes:
        executor: runs its cells.
        declared: its seeds, as ``declared_seeds`` finds them.
        failures: what has failed or diverged so far.
        faults: by objective, why a step of it cannot be taken.
    """

    executor: Executor
    declared: tuple[tuple[int, ...], ...]
    failures: list[Outcome] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)

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
            trials += tuner.cells(names, tuner.best(trials), data, costs, processes())
            if len(folder.finished_cells(trials)) < len(trials):
                self.carry_out(prepared, self.plan(prepared, trials).only_trials())
        tuned = tuner.tuned(trials)
        prepared.display.say(_choice(tuned))
        return prepared.with_study(tuned), trials

    def plan(self, prepared: PreparedStudy, trials: Sequence[PlannedCell]) -> Plan:
        """The plan of the study with the settings that it has now."""
        with self._threads_of_a_cell():
            costs = step_costs(prepared, self.faults)
        return make_plan(
            prepared.study,
            prepared.plugins,
            name=prepared.folder.path.name,
            command=prepared.command,
            data=prepared.text.description(),
            costs=costs,
            devices=processes(),
            trials=trials,
            declared=self.declared,
        )

    def compare_steps(self, prepared: PreparedStudy) -> None:
        """Measure the steps of the objectives side by side, for the leaderboard."""
        if self.faults:
            return
        with self._threads_of_a_cell():
            keep_step_comparison(prepared)

    def carry_out(self, prepared: PreparedStudy, plan: Plan) -> None:
        """Store the plan and run the cells that are not finished."""
        if is_main():
            prepared.folder.write_plan(plan)
        wait_for_all()
        finished = prepared.folder.finished_cells(plan.cells)
        prepared.display.say(_opening(plan, finished, prepared.folder))

        def ended(outcome: Outcome) -> None:
            mark = "" if outcome.status == "ok" else f"{outcome.status}: "
            prepared.display.end(outcome.id, mark + outcome.text)
            if outcome.status != "ok":
                self.failures.append(outcome)

        for outcome in self._refused(prepared, plan, finished):
            finished[outcome.id] = outcome.status
            ended(outcome)
        self.executor.run(prepared, plan, finished, ended)
        wait_for_all()

    def _refused(
        self, prepared: PreparedStudy, plan: Plan, finished: Collection[str]
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


def _open_text(prepared: PreparedStudy) -> None:
    """Open the study's text; the main process fills the cache, the others read it afterwards."""
    if is_main():
        prepared.open_text()
    wait_for_all()
    prepared.open_text()


@contextmanager
def _locked(folder: RunFolder) -> Iterator[None]:
    """Hold the run folder, which is made if it does not exist."""
    try:
        folder.make()
    except OSError as error:
        raise ConfigError(
            f"the run folder {folder} cannot be written: {error.strerror}; name another with --out"
        ) from error
    if not is_main():
        yield
        return
    lock = FileLock(folder.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConfigError(
            f"another objbench is running in {folder}; wait for it or name another folder with "
            "--out"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _choice(study: Study) -> str:
    parts = [
        f"{name} " + ", ".join(f"{place} = {value}" for place, value in own.items())
        for name, own in study.overrides.items()
    ]
    return "tuned: " + "; ".join(parts)


def _opening(plan: Plan, finished: Collection[str], folder: RunFolder) -> str:
    steps = ", ".join(f"{o.name} {o.steps:,} steps" for o in plan.objectives)
    left = len(plan.cells) - len(finished)
    done = f" ({len(finished)} done before)" if finished else ""
    text = (
        f"{folder}: {left} cells to run{done}; budget {plan.budget}, equal {plan.equalize}: {steps}"
    )
    return f"{text}\n{plan.parts_sentence}" if plan.parts_sentence else text
