"""The run folder: where the files of a run are.

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
    losses/<cell id>.<key>.<digest>.json   what is kept of a log when the cell has ended, see
                                           ``kept_logs``
    tracking/<tracker>/                    files of a tracker, and which of its runs a cell is
    leaderboard/                           the page that ``objbench run`` writes
    .lock                                  held while a run lasts
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from objbench.results.checkpoint_copies import CheckpointCopies
from objbench.results.kept_logs import LOSSES
from objbench.results.local_store import LocalStore
from objbench.results.object_store import ObjectStore
from objbench.results.object_trees import fetch_tree, put_tree
from objbench.results.own_files import require_own
from objbench.results.plan import Plan, PlannedCell
from objbench.results.record_names import ATTEMPTS, RECORDS, cell_name
from objbench.results.record_segments import SEGMENTS
from objbench.results.records import AnyRecord, PretrainRecord
from objbench.results.reference_lines import ReferenceLines
from objbench.results.run_measurements import RunMeasurements
from objbench.results.run_plans import PLAN, RunPlans
from objbench.results.run_records import RunRecords
from objbench.results.store import Store
from objbench.results.training_points import ExportedPoint

_FOLDERS = ("text", "costs", "encoders", "checkpoints", "logs", "tracking")


class RunFolder(RunPlans, RunMeasurements, RunRecords):
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
        super().__init__(store or LocalStore(path))

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
        for name in (RECORDS, ATTEMPTS, SEGMENTS, LOSSES, *_FOLDERS):
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

    def read_current_plan(self) -> Plan:
        """The plan whose cells can be run now: that of the text as long as one of its cells is left.

        Raises:
            RecordError: as ``read_plan``.
        """
        text = self.read_text_plan()
        if text is not None and len(self.ended_cells(text.cells)) < len(text.cells):
            return text
        return text if text is not None and text.cells and not self.has_plan() else self.read_plan()

    def write_record(self, record: AnyRecord) -> AnyRecord:
        """Store a record as ``RunRecords`` does.

        An object store gets the encoders first, so that whoever finds the record finds them too.
        """
        if isinstance(self.store, ObjectStore) and isinstance(record, PretrainRecord):
            for point in record.points:
                put_tree(self.store, point.encoder, self.encoder(point), point.digest)
        return super().write_record(record)

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


def read_plan(folder: Path) -> Plan:
    """The plan in ``folder``, of a run or of a published study.

    Raises:
        RecordError: there is none, or it cannot be read.
    """
    return RunFolder(folder).read_plan()


def read_reference_lines(folder: Path) -> ReferenceLines | None:
    """The reference lines in ``folder``; raises as ``RunFolder.read_reference_lines``."""
    return RunFolder(folder).read_reference_lines()


def read_records(folder: Path) -> list[AnyRecord]:
    """Every record of the run in ``folder``; raises as ``RunFolder.read_records``."""
    return RunFolder(folder).read_records()


def studies_in(folder: Path) -> list[Path]:
    """The folders in ``folder`` that have a plan, of runs or of published studies; sorted."""
    return sorted(path.parent for path in folder.glob(f"*/{PLAN}"))
