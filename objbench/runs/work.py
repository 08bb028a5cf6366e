"""A worker: runs cells of a study that was planned elsewhere, as many as it gets leases on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from objbench.engine.training.allocator import keep_freed_memory
from objbench.engine.training.devices import default_device, require_device
from objbench.errors import ConfigError, ObjbenchError
from objbench.judge.formatting import listed
from objbench.plugins.loading import load_plugins
from objbench.results.plan import Plan
from objbench.results.run_folder import RunFolder
from objbench.results.storage_faults import storage_faults
from objbench.results.store import Store
from objbench.results.text_plan import TextPlan
from objbench.runs.cells.cell_runner import CellRunner
from objbench.runs.cells.outcome import Outcome
from objbench.runs.cells.prepared_study import PreparedStudy, prepare
from objbench.runs.cells.run_context import RunContext
from objbench.runs.executors.choose import local_pool
from objbench.runs.executors.leased_cells import LOOK, LeasedCells
from objbench.runs.executors.leases import STALE, Leases, this_worker
from objbench.runs.executors.process_pool import ProcessPool
from objbench.runs.executors.pull_workers import worker_terms
from objbench.runs.progress import Display, display
from objbench.runs.watch import Watch
from objbench.study.study import Study


@dataclass
class WorkEnd:
    """What a worker did.

    Attributes:
        ran: how the cells ended that it ran.
    """

    ran: list[Outcome] = field(default_factory=list)

    @property
    def failures(self) -> list[Outcome]:
        """Those that failed or diverged."""
        return [outcome for outcome in self.ran if outcome.status != "ok"]


def work(
    run: Path,
    *,
    store: Store | None = None,
    cache: Path,
    jobs: int | None,
    device: str | None,
    cell_timeout: float | None = None,
    threads: int | None = None,
    stale: float = STALE,
    name: str = "",
) -> WorkEnd:
    """Run cells of the study in the folder ``run`` until none is left to be run.

    A study that tunes, or whose text is large, is planned in rounds; between them the worker waits for
    the next one, for no longer than a lease lasts.

    Args:
        run: the run folder, planned by ``objbench run --executor workers``.
        store: where the run is kept instead; ``run`` is then this machine's folder for it.
        cache, jobs, device, cell_timeout: as for ``run_study``.
        threads: of each cell; an equal share of this machine's cores when None.
        stale: seconds after which the cell of a worker that is not heard of is taken over.
        name: of the worker, beside its host and process; see ``leases.this_worker``.

    Raises:
        ObjbenchError: the study cannot be worked on here.
        KeyboardInterrupt: there was an interrupt, whose signal it has; the cells that ran can be
            continued by others.
    """
    device = device or default_device()
    folder, end, shown = RunFolder(run, store), WorkEnd(), Watch(display())
    # Where there is none, no disk is at fault.
    plan: Plan | None = folder.read_current_plan()
    if store is not None:
        folder.make()
    if device == "cpu":
        keep_freed_memory()
    with storage_faults(folder), shown:
        text = ""
        while plan is not None:
            prepared = _agreed(folder, plan, cache, device, cell_timeout, shown)
            pool = local_pool(jobs, device, len(plan.cells), threads)
            _run_round(prepared, plan, pool, stale, this_worker(name), end)
            if not plan.is_to_be_continued:
                break
            if isinstance(plan, TextPlan):
                if "failed" in folder.ended_cells(plan.cells).values():
                    break
                text = prepared.text.key
            plan = _next_plan(folder, plan, text, stale)
    return end


def _run_round(
    prepared: PreparedStudy,
    plan: Plan,
    pool: ProcessPool,
    stale: float,
    owner: str,
    end: WorkEnd,
) -> None:
    """Run the cells of one plan."""
    folder, shown = prepared.folder, prepared.display
    context = RunContext(prepared, plan, shown.update)
    leases = Leases(folder.store, stale)

    def ended(outcome: Outcome) -> None:
        mark = "" if outcome.status == "ok" else f"{outcome.status}: "
        shown.end(outcome.id, mark + outcome.text)
        end.ran.append(outcome)

    cells = LeasedCells(
        plan.cells,
        # One that failed is left to the next `objbench run`.
        folder.ended_cells(plan.cells),
        folder,
        leases,
        refuse=lambda *refused: CellRunner(context).refuse(*refused),
        leave=shown.leave,
        say=shown.say,
        ended=ended,
        shares_memory=not pool.gpus,
        owner=owner,
        beat=stale / 10,
        look=min(LOOK, stale / 10),
    )
    try:
        pool.supervise(context, cells)
    finally:
        cells.give_back()


def _agreed(
    folder: RunFolder,
    plan: Plan,
    cache: Path,
    device: str,
    cell_timeout: float | None,
    shown: Display,
) -> PreparedStudy:
    """The study of ``plan``, prepared as the process that planned it did.

    Raises:
        ConfigError: the folder was not planned for workers, or they are not like this one.
    """
    terms = folder.read_worker_terms()
    if terms is None:
        raise ConfigError(
            f"{folder} was not planned for workers: run the study with --executor workers first"
        )
    study = Study.model_validate(plan.study)
    require_device(device, study.training.precision)
    prepared = prepare(
        study,
        load_plugins(only=(*study.objectives, *study.evaluation.suites)),
        folder,
        cache=cache,
        device=device,
        command=plan.command,
        display=shown,
        cell_timeout=cell_timeout,
        is_planned=True,
    )
    if differences := list(terms.differences(worker_terms(prepared))):
        raise ConfigError(
            f"{folder} was planned with other code or machines ({listed(differences)}): install the "
            "same here, or plan the study again"
        )
    if isinstance(plan, TextPlan):
        _require_corpus(prepared, plan)
        return prepared
    if prepared.text.key != plan.data.get("key"):
        raise ConfigError(
            f"{folder} was planned on other text than {study.data.corpus} here: start the worker "
            "where the same files are, under the same path"
        )
    return prepared


def _require_corpus(prepared: PreparedStudy, plan: TextPlan) -> None:
    """Refuse to make a text without the corpus that was planned; it would be no cell's fault."""
    try:
        if prepared.read_corpus().fingerprint == plan.corpus_fingerprint:
            return
        why = f"{prepared.study.data.corpus} is another one here"
    except ObjbenchError as error:
        why = str(error)
    raise ConfigError(
        f"the text of {prepared.folder} is still to be made, which needs its corpus ({why}): start the "
        "worker where that is, or once the text is made"
    )


def _next_plan(folder: RunFolder, seen: Plan, text: str, patience: float) -> Plan | None:
    """The folder's plan once it is not the one that was ``seen``; None where it stays that.

    Args:
        text: the key of the text that was made, which the plan has to be of; "" for any.
    """

    def is_next(plan: Plan) -> bool:
        is_old = text and not isinstance(plan, TextPlan) and plan.data.get("key") != text
        return plan != seen and not is_old

    until = time.monotonic() + patience
    while not is_next(plan := folder.read_current_plan()):
        if time.monotonic() > until:
            return None
        time.sleep(min(LOOK, patience))
    return plan
