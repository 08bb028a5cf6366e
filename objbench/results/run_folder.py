"""The run folder: the one module that knows where the files of a run are.

Layout of a run folder::

    plan.json                              the study, its cells and their keys
    records/<kind>/<cell id>.<key>.<status>.json    one per finished cell, see ``record_names``
    attempts/<kind>/<cell id>.<key>.<n>.json    how cells failed
    segments/<n>.jsonl                     a thousand of the records, see ``record_segments``
    costs/<objective>.<key>.json           what a step of an objective costs, measured once
    overhead.json                          the steps of the study's objectives side by side
    text.json                              what the text is, and the cells that tokenise it
    text/records/, text/attempts/          their records
    text/tokenizers/, text/tokens/         their results, for machines without the corpus
    lines.json                             losses that counts alone reach on the held-out text
    workers.json                           what a worker must agree with to run cells of the plan
    slurm/                                 jobs that submit workers, and their logs
    leases/<cell id>.<key>                 which worker has a cell, see ``executors/leases``
    encoders/<cell id>.<key>/step-<n>/     exported encoders
    encoders/<cell id>.<key>/step-<n>.pruned   in place of one that was removed by `objbench prune`
    checkpoints/<cell id>.<key>/           while a pretraining cell is under way; in an object store
                                           see ``checkpoint_copies``
    logs/<cell id>.<key>.jsonl             a line per log and evaluation point of a pretraining cell
    tracking/<tracker>/                    files of a tracker, and which of its runs a cell is
    leaderboard/                           the page that ``objbench run`` writes
    .lock                                  held while a run lasts
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from pydantic import TypeAdapter

from objbench.errors import RecordError
from objbench.results.checkpoint_copies import CheckpointCopies
from objbench.results.json_files import Stored, dump_sealed, read_from
from objbench.results.local_store import LocalStore
from objbench.results.object_store import ObjectStore
from objbench.results.object_trees import fetch_tree, put_tree
from objbench.results.own_files import require_own
from objbench.results.plan import TEXT_KINDS, CellKind, Plan, PlannedCell
from objbench.results.record_files import RecordFiles
from objbench.results.record_names import ATTEMPTS, FINAL, RECORDS, cell_name
from objbench.results.record_segments import SEGMENTS
from objbench.results.records import AnyRecord, ExportedPoint, PretrainRecord, Status
from objbench.results.reference_lines import ReferenceLines
from objbench.results.step_comparison import StepComparison
from objbench.results.step_cost import COST, StepCost
from objbench.results.store import Store
from objbench.results.store_part import StorePart
from objbench.results.text_plan import TextPlan
from objbench.results.worker_terms import WorkerTerms

_PLAN = "plan.json"
_TEXT = "text.json"
_COMPARISON = "overhead.json"
_LINES = "lines.json"
_TERMS = "workers.json"
_FOLDERS = ("text", "costs", "encoders", "checkpoints", "logs", "tracking")
_PLANS = TypeAdapter(Plan)
_TEXTS = TypeAdapter(TextPlan)
_COMPARISONS = TypeAdapter(StepComparison)
_REFERENCE_LINES = TypeAdapter(ReferenceLines)
_WORKER_TERMS = TypeAdapter(WorkerTerms)


class RunFolder:
    """The files of one run.

    Attributes:
        path: a local folder, for what the engine writes by itself (encoders and checkpoints), the
            page and the lock.
        store: where the plan, the records and the measured costs are kept; ``path`` by default.
            An object store keeps encoders and checkpoints too: ``path`` is then one machine's copy
            of some.
    """

    def __init__(self, path: Path, store: Store | None = None) -> None:
        self.path = path
        self.store = store or LocalStore(path)
        self._records = RecordFiles(self.store)
        # No page is made from these.
        self._text_records = RecordFiles(StorePart(self.store, "text"))

    def __str__(self) -> str:
        return self.store.where("")

    @property
    def name(self) -> str:
        """Name of a study begun here: the resolved folder's, its printable characters, at most 200."""
        shown = (letter for letter in self.path.resolve().name if letter.isprintable())
        return "".join(shown)[:200]

    def make(self) -> None:
        """Make the folder where it does not exist, and try to write there.

        Raises:
            OSError: it cannot be made or written.
            ConfigError: a link in it leads out of it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        for name in (RECORDS, ATTEMPTS, SEGMENTS, *_FOLDERS):
            require_own(self.path, name)
        with TemporaryFile(dir=self.path):
            pass

    def fault(self) -> str:
        """Why nothing can be stored here now, in a few words; "" where something can."""
        try:
            with TemporaryFile(dir=self.path) as probe:
                probe.write(bytes(4096))
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def has_plan(self) -> bool:
        """Whether a study was planned here before."""
        return self.store.exists(_PLAN)

    def read_plan(self) -> Plan:
        """The plan.

        Raises:
            RecordError: there is none, or it cannot be read.
        """
        if not self.has_plan():
            raise RecordError(
                f"{self} holds no {_PLAN}: name a folder made by `objbench run`, which writes it once "
                "a step of each objective has been measured"
            )
        return read_from(self.store, _PLAN, _PLANS)

    def write_plan(self, plan: Plan) -> None:
        """Store the plan, in place of an older one."""
        self._write(_PLAN, plan)

    def read_text_plan(self) -> TextPlan | None:
        """What the study's text is; None in a folder from before that was stored.

        Raises:
            RecordError: it cannot be read.
        """
        return read_from(self.store, _TEXT, _TEXTS) if self.store.exists(_TEXT) else None

    def write_text_plan(self, plan: TextPlan) -> None:
        """Store what the study's text is, in place of an older one."""
        self._write(_TEXT, plan)

    def read_current_plan(self) -> Plan:
        """The plan whose cells can be run now: that of the text as long as one of its cells is left.

        Raises:
            RecordError: as ``read_plan``.
        """
        text = self.read_text_plan()
        if text is not None and len(self.ended_cells(text.cells)) < len(text.cells):
            return text
        return text if text is not None and text.cells and not self.has_plan() else self.read_plan()

    def read_record(self, cell: PlannedCell) -> AnyRecord | None:
        """The record of a cell, or its last failed attempt; None where it is still to be run.

        Raises:
            RecordError: it cannot be read, or is that of another cell.
        """
        return self._files_of(cell).read(cell)

    def write_record(self, record: AnyRecord) -> AnyRecord:
        """Store a record unless its cell has one, or a failed attempt beside earlier ones.

        An object store gets the encoders first, so that whoever finds the record finds them too.

        Returns:
            The record of the cell: this one, or that of whoever was first.
        """
        if isinstance(self.store, ObjectStore) and isinstance(record, PretrainRecord):
            for point in record.points:
                put_tree(self.store, point.encoder, self.encoder(point), point.digest)
        return self._files_of(record).write(record)

    def read_records(self) -> list[AnyRecord]:
        """What ``read_record`` returns for every cell, current or stale; sorted by kind and name.

        Raises:
            RecordError: one of the files cannot be read, or is that of another cell.
        """
        return self._records.read_all()

    def has_records(self) -> bool:
        """Whether there is any record or failed attempt, current or stale."""
        return self._records.has_any()

    def remove_records(self) -> None:
        """Remove every record and failed attempt."""
        self._records.remove_all()

    def finished_cells(self, cells: Iterable[PlannedCell]) -> dict[str, Status]:
        """Which of ``cells`` need not be run: id -> status of those with a record.

        A diverged cell is finished too, since it would diverge again, but nothing can build on it.

        Raises:
            RecordError: the names of the records, or those of an earlier version, cannot be read.
        """
        found = self.ended_cells(cells)
        return {cell: status for cell, status in found.items() if status in FINAL}

    def ended_cells(self, cells: Iterable[PlannedCell]) -> dict[str, Status]:
        """How those of ``cells`` ended that are finished or failed, by one look at the names.

        Raises:
            RecordError: as ``finished_cells``.
        """
        cells = list(cells)
        of_text = [cell for cell in cells if cell.kind in TEXT_KINDS]
        others = [cell for cell in cells if cell.kind not in TEXT_KINDS]
        found = self._text_records.statuses(of_text) if of_text else {}
        return found | self._records.statuses(others) if others else found

    def set_failures_aside(self, cells: Iterable[PlannedCell]) -> None:
        """Have those of ``cells`` that failed count as not run, from now on and for every worker."""
        cells = list(cells)
        self._records.set_failures_aside(cell for cell in cells if cell.kind not in TEXT_KINDS)
        self._text_records.set_failures_aside(cell for cell in cells if cell.kind in TEXT_KINDS)

    def pack_records(self) -> int:
        """Pack records by the thousand, where there are as many; returns how many were packed."""
        return self._records.pack()

    def where(self, cell: PlannedCell) -> str:
        """How to tell a user where the record of a cell is."""
        return self._files_of(cell).where(cell)

    def where_records(self, kind: CellKind) -> str:
        """How to tell a user where the records of one kind are."""
        return self.store.where(f"{RECORDS}/{kind}")

    def has_costs(self) -> bool:
        """Whether the cost of a step was measured here: every run does, no published study has."""
        return bool(self.store.list("costs"))

    def has_cost(self, objective: str, key: str) -> bool:
        """Whether the cost of a step of an objective was measured; ``key`` is of all it depends on."""
        return self.store.exists(_cost_name(objective, key))

    def read_cost(self, objective: str, key: str) -> StepCost:
        """What a step of an objective costs.

        Raises:
            RecordError: it has not been measured, or cannot be read.
        """
        return read_from(self.store, _cost_name(objective, key), COST)

    def write_cost(self, objective: str, key: str, cost: StepCost) -> None:
        """Store what a step of an objective costs."""
        self._write(_cost_name(objective, key), cost)

    def read_step_comparison(self) -> StepComparison | None:
        """The comparison of the objectives' steps; None where nothing was measured.

        Raises:
            RecordError: it cannot be read.
        """
        if not self.store.exists(_COMPARISON):
            return None
        return read_from(self.store, _COMPARISON, _COMPARISONS)

    def write_step_comparison(self, comparison: StepComparison | None) -> None:
        """Store the comparison of the objectives' steps; remove it where it is None."""
        if comparison is None:
            self.store.delete(_COMPARISON)
        else:
            self._write(_COMPARISON, comparison)

    def read_reference_lines(self) -> ReferenceLines | None:
        """The losses that counts alone reach; None where they were not measured.

        Raises:
            RecordError: the file cannot be read.
        """
        if not self.store.exists(_LINES):
            return None
        return read_from(self.store, _LINES, _REFERENCE_LINES)

    def write_reference_lines(self, lines: ReferenceLines | None) -> None:
        """Store the losses that counts alone reach; remove the file where they are None."""
        if lines is None:
            self.store.delete(_LINES)
        else:
            self._write(_LINES, lines)

    def read_worker_terms(self) -> WorkerTerms | None:
        """What a worker must agree with; None where no cells are left to workers.

        Raises:
            RecordError: the file cannot be read.
        """
        if not self.store.exists(_TERMS):
            return None
        return read_from(self.store, _TERMS, _WORKER_TERMS)

    def write_worker_terms(self, terms: WorkerTerms) -> None:
        """Leave the cells of the plan to workers that agree with ``terms``."""
        self._write(_TERMS, terms)

    def encoders(self, cell: PlannedCell) -> str:
        """The folder of the encoders that a cell exports, relative to ``path``.

        Here and below, a ConfigError where a link leads out of ``path``.
        """
        name = f"encoders/{cell_name(cell)}"
        require_own(self.path, name)
        return name

    def encoder(self, point: ExportedPoint) -> Path:
        """The folder of an exported encoder."""
        return require_own(self.path, point.encoder)

    def is_pruned(self, point: ExportedPoint) -> bool:
        """Whether an exported encoder was removed by ``objbench prune``."""
        return not self.encoder(point).exists() and self.pruned_mark(point.encoder).is_file()

    def pruned_mark(self, encoder: str) -> Path:
        """The file that is left where an encoder, relative to ``path``, is pruned."""
        return require_own(self.path, f"{encoder}.pruned")

    def fetch_encoder(self, point: ExportedPoint) -> Path:
        """The same, fetched from an object store where this machine has not got it.

        Raises:
            RecordError: it is not there, or not what was stored.
        """
        folder = self.encoder(point)
        if isinstance(self.store, ObjectStore):
            fetch_tree(self.store, point.encoder, folder, point.digest)
        return folder

    def checkpoints(self, cell: PlannedCell) -> Path:
        """The folder of a cell's checkpoints."""
        return require_own(self.path, f"checkpoints/{cell_name(cell)}")

    def checkpoint_copies(self, cell: PlannedCell) -> CheckpointCopies | None:
        """Those that an object store has of a cell's checkpoints; None for a run in a folder."""
        if not isinstance(self.store, ObjectStore):
            return None
        name = f"checkpoints/{cell_name(cell)}"
        return CheckpointCopies(self.store, name, self.checkpoints(cell), self.encoder)

    def remove_checkpoints(self, cell: PlannedCell) -> None:
        """Remove a cell's checkpoints, here and in an object store; what cannot be is left."""
        if (copies := self.checkpoint_copies(cell)) is not None:
            with suppress(OSError):
                copies.remove()
        shutil.rmtree(self.checkpoints(cell), ignore_errors=True)

    def log(self, cell: PlannedCell) -> Path:
        """The file of a pretraining cell's log, which grows while the cell runs."""
        return require_own(self.path, f"logs/{cell_name(cell)}.jsonl")

    def tracking(self, tracker: str) -> Path:
        """The folder for what a tracker keeps of this run folder's cells."""
        return require_own(self.path, f"tracking/{tracker}")

    @property
    def leaderboard(self) -> Path:
        """The folder of the run's page."""
        return require_own(self.path, "leaderboard")

    @property
    def lock(self) -> Path:
        """The file that is locked while a run lasts."""
        return require_own(self.path, ".lock")

    def _files_of(self, cell: PlannedCell | AnyRecord) -> RecordFiles:
        return self._text_records if cell.kind in TEXT_KINDS else self._records

    def _write(self, name: str, model: Stored) -> None:
        self.store.write(name, dump_sealed(model).encode())


def read_plan(folder: Path) -> Plan:
    """The plan in ``folder``, of a run or of a published study.

    Raises:
        RecordError: there is none, or it cannot be read.
    """
    return RunFolder(folder).read_plan()


def read_step_comparison(folder: Path) -> StepComparison | None:
    """The comparison of steps in ``folder``; raises as ``RunFolder.read_step_comparison``."""
    return RunFolder(folder).read_step_comparison()


def read_reference_lines(folder: Path) -> ReferenceLines | None:
    """The reference lines in ``folder``; raises as ``RunFolder.read_reference_lines``."""
    return RunFolder(folder).read_reference_lines()


def read_records(folder: Path) -> list[AnyRecord]:
    """Every record of the run in ``folder``; raises as ``RunFolder.read_records``."""
    return RunFolder(folder).read_records()


def studies_in(folder: Path) -> list[Path]:
    """The folders in ``folder`` that have a plan, of runs or of published studies; sorted."""
    return sorted(path.parent for path in folder.glob(f"*/{_PLAN}"))


def _cost_name(objective: str, key: str) -> str:
    return f"costs/{objective}.{key[:12]}.json"
