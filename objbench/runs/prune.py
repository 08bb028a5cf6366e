"""What of a run's encoders and checkpoints no unfinished cell needs, and its removal.

Records hold every number, so a finished study can be judged and shown without its encoders. A file
is left in the place of an encoder that is removed, so that a later cell that wants it says that it
was pruned and not that it is damaged.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from objbench.errors import ConfigError, StorageError
from objbench.results.atomic_files import is_unfinished, remove_folder
from objbench.results.own_files import require_own
from objbench.results.plan import PlannedCell
from objbench.results.run_folder import RunFolder
from objbench.runs.executors.leases import Leases

_ENCODERS, _CHECKPOINTS = "encoders", "checkpoints"
_EVALUATIONS = ("evaluation", "trial_evaluation")


@dataclass(frozen=True, slots=True)
class Removable:
    """A folder that no unfinished cell needs.

    Attributes:
        name: relative to the run folder.
        bytes: of its files.
    """

    name: str
    bytes: int

    @property
    def is_encoder(self) -> bool:
        """Whether it is an exported encoder; else it is the checkpoints of a cell."""
        return self.name.startswith(f"{_ENCODERS}/")


@dataclass(frozen=True, slots=True)
class Pruning:
    """What can be removed of a run, and what cannot.

    Attributes:
        removable: by name.
        kept: the folders that unfinished cells need or that workers have, by name.
        unfinished: how many cells of the plan are not finished.
        is_worked_on: whether workers have any cells.
    """

    removable: tuple[Removable, ...]
    kept: tuple[str, ...]
    unfinished: int
    is_worked_on: bool

    @property
    def bytes(self) -> int:
        """Of everything that can be removed."""
        return sum(own.bytes for own in self.removable)


def pruning(run: Path) -> Pruning:
    """What can be removed of the run in ``run``; nothing is.

    An unfinished pretraining needs its checkpoints, the encoders it has exported, and the last one of
    each teacher; an unfinished evaluation needs the encoder that it evaluates. What a worker has a
    lease on is left to it, whether or not the plan still has that cell.

    Raises:
        RecordError: there is no plan, or it or a record cannot be read.
        ConfigError: a link leads out of the folder.
    """
    folder = RunFolder(run)
    cells = {cell.id: cell for cell in folder.read_plan().cells}
    folder.read_records()  # The cell of a damaged one has to be run again, maybe with what is here.
    finished = folder.finished_cells(cells.values())
    unfinished = [cell for cell in cells.values() if cell.id not in finished]
    needed = {name for cell in unfinished for name in _needed(folder, cell, cells)}
    leased = {PurePosixPath(lease.name).name for lease in Leases(folder.store).held()}
    needed |= {f"{part}/{cell}" for part in (_ENCODERS, _CHECKPOINTS) for cell in leased}
    removable, kept = [], []
    for path in (*_folders(run, _ENCODERS, 2), *_folders(run, _CHECKPOINTS, 1)):
        name = path.relative_to(run).as_posix()
        if name in needed or path.parent.relative_to(run).as_posix() in needed:
            kept.append(name)
        else:
            removable.append(Removable(name, _bytes(path)))
    return Pruning(tuple(removable), tuple(kept), len(unfinished), bool(leased))


def prune(run: Path) -> Pruning:
    """Remove it; returns what was removed. No record is touched.

    Raises:
        StorageError: something cannot be removed.
        Others: as ``pruning``, and a ConfigError where objbench is running in the folder.
    """
    with _held(RunFolder(run)) as folder:
        found = pruning(run)
        for own in found.removable:
            try:
                _remove(folder, own)
            except OSError as error:
                raise StorageError(
                    f"{run / own.name} cannot be removed: {error.strerror}; what comes before it "
                    "has been"
                ) from error
    return found


def _needed(folder: RunFolder, cell: PlannedCell, cells: dict[str, PlannedCell]) -> Iterator[str]:
    """The folders that an unfinished cell needs, relative to the run folder."""
    if cell.kind in ("pretrain", "trial"):
        yield folder.encoders(cell)
        yield folder.checkpoints(cell).relative_to(folder.path).as_posix()
    for name in cell.needs:
        needed = cells.get(name)
        if needed is not None and needed.kind in ("pretrain", "trial"):
            step = cell.step if cell.kind in _EVALUATIONS else needed.step
            yield f"{folder.encoders(needed)}/step-{step}"


def _folders(run: Path, part: str, depth: int) -> Iterator[Path]:
    """The folders ``depth`` levels below a part of the run, sorted; no links, and nothing half written."""
    found = [require_own(run, part)]
    for _ in range(depth):
        found = [
            path
            for parent in found
            if parent.is_dir()
            for path in sorted(parent.iterdir())
            if path.is_dir() and not path.is_symlink() and not is_unfinished(path.name)
        ]
    yield from found


def _bytes(folder: Path) -> int:
    files = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in files)


def _remove(folder: RunFolder, own: Removable) -> None:
    path = folder.path / own.name
    if own.is_encoder:
        folder.pruned_mark(own.name).touch()
    remove_folder(path)


@contextmanager
def _held(folder: RunFolder) -> Iterator[RunFolder]:
    """The run folder while no run can use it."""
    folder.read_plan()  # No lock is left in a folder that holds no run.
    lock = FileLock(folder.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConfigError(f"objbench is running in {folder}: prune it when it has ended") from error
    except OSError as error:
        raise StorageError(f"{folder} cannot be changed: {error.strerror}") from error
    try:
        yield folder
    finally:
        lock.release()
