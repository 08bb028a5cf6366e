"""Running a study: prepare, plan, run the cells.

Everything can be killed at any instant: what has been finished is in the run folder, and the same
command continues from there. A second run in the same folder is refused while the first lasts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from objbench.engine.training.allocator import keep_freed_memory
from objbench.engine.training.devices import default_device, require_device
from objbench.errors import ConfigError, one_line
from objbench.plugins.registry import Registry
from objbench.results.atomic_files import sweep
from objbench.results.published_study import refuse_published
from objbench.results.run_folder import RunFolder
from objbench.results.storage_faults import storage_faults
from objbench.results.store import Store
from objbench.results.study_results import join
from objbench.runs.cells.initial_weights import say_initial_weights
from objbench.runs.cells.outcome import Outcome
from objbench.runs.cells.prepared_study import prepare
from objbench.runs.cells.reference_lines import keep_reference_lines
from objbench.runs.executors.choose import choose_executor
from objbench.runs.executors.executor import Executor
from objbench.runs.executors.leases import STALE, Leases
from objbench.runs.executors.place import HERE, Place
from objbench.runs.planning.cell_count import require_countable
from objbench.runs.planning.declared_seeds import declared_looks, declared_seeds
from objbench.runs.planning.folder_owner import require_same_study
from objbench.runs.processes import is_main, join_processes, wait_for_all
from objbench.runs.progress import display
from objbench.runs.rehearsal import rehearse
from objbench.runs.study_rounds import StudyRounds
from objbench.runs.text_round import make_text
from objbench.runs.tracking.trackers import TRACKERS
from objbench.runs.watch import Watch
from objbench.study.study import Study

_DAY = 24 * 60 * 60.0


@dataclass(frozen=True, slots=True)
class StudyEnd:
    """How a run of a study ended.

    Attributes:
        failures: the cells of this run that failed or diverged.
        complete: the page sees that every cell of the plan has succeeded, now or before.
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
    store: Store | None = None,
    cache: Path,
    jobs: int | None,
    device: str | None,
    command: str,
    registry: Registry,
    cell_timeout: float | None = None,
    place: Place = HERE,
    trackers: Sequence[str] = (),
    shares: int | None = None,
) -> StudyEnd:
    """Run what is not finished yet of ``study`` in the folder ``run``.

    Args:
        study: the study as given; tuning is part of the run.
        run: the run folder, made if it does not exist.
        store: where plan, records and encoders are kept instead.
        cache: folder for what can be made again: tokenised text, task data.
        jobs: cells to run at a time; see ``choose_executor``.
        device: torch device string; when None, the first GPU if there is one, else the CPU.
        command: the command line, for the records.
        registry: the loaded plugins.
        cell_timeout: seconds after which a cell is ended; None for no limit.
        place: where the cells run.
        trackers: names of the trackers that pretrainings are logged to; see ``tracking``.
        shares: cells to tokenise the text with; see ``make_text``.

    Raises:
        ObjbenchError: the study cannot be started.
    """
    refuse_published(run)
    device = device or default_device()
    require_device(device, study.training.precision)
    join_processes(device)
    if trackers and place != HERE:
        raise ConfigError(
            f"--track is for cells that run here, and --executor {place.name} runs them elsewhere: "
            "leave one of the two out"
        )
    if is_main():
        for name in trackers:
            TRACKERS[name].require()
    executor = choose_executor(jobs, device, len(study.objectives) * len(study.seeds), place)
    if device == "cpu":
        keep_freed_memory()
    shown, folder = Watch(display(quiet=not is_main())), RunFolder(run, store)
    prepared = prepare(
        study,
        registry,
        folder,
        cache=cache,
        device=device,
        command=command,
        display=shown,
        cell_timeout=cell_timeout,
        trackers=tuple(dict.fromkeys(trackers)),
    )
    # What does not fit is reported before any work.
    require_countable(study, prepared.plugins)
    rehearse(study, prepared.plugins, folder)
    with _locked(folder), storage_faults(folder), shown, place.crew or nullcontext():
        require_same_study(study, folder)
        # A name says that a cell is done; the page, which comes after all others, reads what is in it.
        folder.read_records()
        if is_main():
            _require_no_workers(folder, executor)
            # Workers write there too, and none of them writes to one file for a day.
            sweep(folder.path, older_than=0.0 if executor.is_here else _DAY)
            for part in ("tokens", "tokenizers", "lines", "tasks"):
                # Other runs use the cache too, and none of them writes to one file for a day.
                sweep(cache / part, older_than=_DAY)
        started = StudyRounds(
            executor, declared_seeds(study, folder), declared_looks(study, folder)
        )
        prepared = make_text(prepared, executor, shares)
        if is_main():
            say_initial_weights(prepared)
        for name in prepared.trackers:
            where = TRACKERS[name].where(folder.name, folder.tracking(name))
            shown.say(f"tracked by {name}: {where}")
        keep_reference_lines(prepared)
        wait_for_all()
        prepared, trials = started.tune(prepared)
        plan = started.plan(prepared, trials)
        started.compare_steps(prepared)
        started.carry_out(prepared, plan)
    # As the page reads them, so that no cell is done here and missing there.
    results = join(plan, folder.read_records())
    complete = all(results.state(cell) == "ok" for cell in plan.cells)
    return StudyEnd(tuple(started.failures), complete)


def _require_no_workers(folder: RunFolder, executor: Executor) -> None:
    """Refuse to run cells here that workers have at the same time."""
    lease = next(Leases(folder.store).held(), None) if executor.is_here else None
    if lease is not None:
        raise ConfigError(
            f"worker {one_line(lease.owner)} has cells of {folder}: add --executor workers, or stop the "
            f"workers (one that was killed is given up after {STALE / 60:.0f} minutes)"
        )


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
