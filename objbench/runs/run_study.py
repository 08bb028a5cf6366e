"""Running a study: prepare, plan, run the cells.

Everything can be killed at any instant: what has been finished lies in the run folder, and the
same command goes on from there. A second run in the same folder is refused while the first lasts.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from objbench.engine.training.allocator import keep_freed_memory
from objbench.errors import ConfigError
from objbench.plugins.registry import Registry
from objbench.results.atomic_files import write_text
from objbench.results.json_files import dump
from objbench.results.plan import Plan, PlannedCell
from objbench.results.run_folder import finished_cells
from objbench.runs.cells.cell_runner import Outcome
from objbench.runs.cells.prepared_study import StudyText, data_description, open_text
from objbench.runs.cells.step_comparison import keep_step_comparison
from objbench.runs.cells.step_costs import step_costs
from objbench.runs.executors.executor import WorkerSettings, run_cells, threads_of
from objbench.runs.planning.configured_plugins import configure_plugins
from objbench.runs.planning.declared_seeds import declared_seeds
from objbench.runs.planning.planner import make_plan
from objbench.runs.planning.teachers import training_order
from objbench.runs.planning.trials import best_trials, trial_cells, trial_rounds, tuned
from objbench.runs.processes import is_main, join_processes, processes, wait_for_all
from objbench.runs.progress import Display, display
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
        """0 if complete; 2 if all failures are the user's to mend; 1 otherwise."""
        if self.complete:
            return 0
        return 2 if self.failures and all(failure.mendable for failure in self.failures) else 1


def run_study(
    study: Study,
    *,
    run: Path,
    cache: Path,
    jobs: int | None,
    device: str | None,
    command: str,
    registry: Registry,
) -> StudyEnd:
    """Run ``study`` in the folder ``run`` as far as it is not done.

    Args:
        cache: folder for what can be made again: tokenised text, task data.
        jobs: cells run at a time, on one machine's CPU; as many as it has cores and the study
            pretrainings, when None: a small encoder keeps no more than one core busy.
        device: torch device string; the first GPU if there is one, else the CPU, when None.
        command: the command line, for the records.

    Raises:
        ObjbenchError: the study cannot be started.
    """
    where = device or default_device()
    join_processes(where)
    alone_on_cpu = processes() == 1 and where == "cpu"
    if jobs is None:
        pretrainings = len(study.objectives) * len(study.seeds)
        jobs = min(os.cpu_count() or 1, pretrainings) if alone_on_cpu else 1
    if jobs > 1 and not alone_on_cpu:
        raise ConfigError("--jobs above 1 is for one process on a CPU; leave it out")
    if where == "cpu":
        keep_freed_memory()
    training_order(configure_plugins(study, registry))  # What does not fit is told before any work.
    outcomes: list[Outcome] = []
    with _locked(run), display(quiet=not is_main()) as shown:
        declared = declared_seeds(study, run)
        text = _prepare(study, cache, shown)
        plugins = (*study.objectives, *study.evaluation.suites)
        setting = WorkerSettings(run, cache, where, command, plugins)

        def planned(study: Study, trials: Sequence[PlannedCell]) -> Plan:
            chosen = configure_plugins(study, registry)
            with _threads_as_for(jobs):
                costs = step_costs(study, chosen, text, run, where, shown)
            return make_plan(
                study,
                chosen,
                name=run.name,
                command=command,
                data=data_description(text),
                costs=costs,
                devices=processes(),
                trials=trials,
                declared=declared,
            )

        def carry_out(plan: Plan) -> None:
            if is_main():
                write_text(run / "plan.json", dump(plan))
            wait_for_all()
            finished = finished_cells(run, plan.cells)
            shown.say(_opening(plan, finished, run))
            outcomes.extend(run_cells(plan.cells, finished, setting, registry, jobs, shown))
            wait_for_all()

        trials: list[PlannedCell] = []
        if study.tuning is not None:
            chosen = configure_plugins(study, registry)
            with _threads_as_for(jobs):
                costs = step_costs(study, chosen, text, run, where, shown)
            data = data_description(text)
            for names in trial_rounds(study, chosen):
                best = best_trials(study, chosen, trials, run)
                trials += trial_cells(study, chosen, names, best, data, costs, processes())
                finished = finished_cells(run, trials)
                if any(cell.id not in finished for cell in trials):
                    carry_out(planned(study, trials).only_trials())
            study = tuned(study, chosen, trials, run)
            shown.say(_choice(study))
        plan = planned(study, trials)
        with _threads_as_for(jobs):
            keep_step_comparison(
                study, configure_plugins(study, registry), text, run, where, command, shown
            )
        carry_out(plan)
    failures = tuple(outcome for outcome in outcomes if outcome.status != "ok")
    return StudyEnd(failures, complete=_is_complete(plan, run))


def default_device() -> str:
    """The device that is used where none is named: "cuda" if torch sees a GPU, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def _threads_as_for(jobs: int) -> Iterator[None]:
    """Measure steps with the threads that the cells will have, where several run at a time.

    More threads than a small encoder keeps busy wait for each other, many times longer than they
    work where the cores are shared.
    """
    import torch

    before = torch.get_num_threads()
    if jobs > 1:
        torch.set_num_threads(threads_of(jobs))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    """Hold the run folder, which is made if need be."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        probe = run / ".writable"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the run folder {run} cannot be written: {error.strerror}; name another with --out"
        ) from error
    if not is_main():
        yield
        return
    lock = FileLock(run / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConfigError(
            f"another objbench is running in {run}; wait for it or name another folder with --out"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _prepare(study: Study, cache: Path, shown: Display) -> StudyText:
    """The study's text, tokenised and packed; the main process makes the cache, the rest read."""
    if is_main():
        text = open_text(study, cache, say=shown.say)
    wait_for_all()
    if not is_main():
        text = open_text(study, cache)
    return text


def _choice(study: Study) -> str:
    parts = [
        f"{name} " + ", ".join(f"{place} = {value}" for place, value in own.items())
        for name, own in study.overrides.items()
    ]
    return "tuned: " + "; ".join(parts)


def _opening(plan: Plan, finished: Collection[str], run: Path) -> str:
    steps = ", ".join(f"{o.name} {o.steps:,} steps" for o in plan.objectives)
    left = len(plan.cells) - len(finished)
    done = f" ({len(finished)} done before)" if finished else ""
    return f"{run}: {left} cells to run{done}; budget {plan.budget}, equal {plan.equalize}: {steps}"


def _is_complete(plan: Plan, run: Path) -> bool:
    finished = finished_cells(run, plan.cells)
    return all(finished.get(cell.id) == "ok" for cell in plan.cells)
