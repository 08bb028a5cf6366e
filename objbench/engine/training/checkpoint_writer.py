"""Writes a run's checkpoints in a thread of its own, while the training goes on.

At the edge of a step the state is copied, which is all that training waits for. Two checkpoints are
kept: should the newest be damaged, the one before is still there.

A checkpoint is stored in its folder first and taken elsewhere afterwards. What an interrupt leaves
does not even wait for what is still being taken elsewhere: whoever interrupts may kill soon.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from objbench.engine.training.checkpoint_cadence import WriteCost, seconds_between
from objbench.engine.training.checkpoint_files import (
    Checkpoint,
    checkpoint_folder,
    checkpoint_folders,
    write_checkpoint,
)
from objbench.results.atomic_files import remove_folder
from objbench.results.checkpoint_copies import KEPT
from objbench.results.fence import require_lease


class CheckpointWriter:
    """The checkpoints of one run; used by its main process as a context.

    Args:
        folder: of the cell.
        key: the cell's key.
        every: seconds between two checkpoints that are wanted, as ``seconds_between`` takes them.
        found: the step of the checkpoint from which the run continues; None where it begins.
        sync: called before a checkpoint is stored; what it makes safe must not have less than it.
    """

    def __init__(
        self, folder: Path, key: str, every: float, found: int | None, sync: Callable[[], None]
    ) -> None:
        self._folder, self._key, self._every, self._sync = folder, key, every, sync
        self._kept = [] if found is None else [checkpoint_folder(folder, found)]
        # Only what was there at the beginning or was written here is ever removed: a worker that
        # has lost its cell, and does not know it yet, leaves alone what the next one has written.
        self._others = {*checkpoint_folders(folder)}.difference(self._kept)
        self._thread: threading.Thread | None = None
        self._storing = threading.Lock()
        self._error: BaseException | None = None
        self._cost: WriteCost | None = None
        self._begun = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether another checkpoint is to be written now."""
        if self._every and self._is_writing:
            return False
        return time.monotonic() - self._begun >= seconds_between(self._every, self._cost)

    def write(self, checkpoint: Callable[[], Checkpoint], kept: Callable[[Path], None]) -> None:
        """Take a state and begin to write it, once the one before has been written.

        Args:
            checkpoint: takes the state, in tensors that training does not change.
            kept: called in the other thread with the folder once the checkpoint is stored; it counts
                as stored when this has returned.

        Raises:
            LeaseLost, OSError: the one before could not be written, as ``write_checkpoint`` says.
        """
        self.wait()
        self._begun = time.monotonic()
        taken = checkpoint()
        stalled = time.monotonic() - self._begun
        self._thread = threading.Thread(target=self._run, args=(taken, stalled, kept), daemon=True)
        self._thread.start()

    def write_last(
        self, checkpoint: Callable[[], Checkpoint], kept: Callable[[Path], None]
    ) -> None:
        """Take a state and store it in its folder at once; then see to it that it is kept too.

        Args:
            checkpoint, kept: as for ``write``; both are called in this thread.

        Raises:
            LeaseLost, OSError: it, or the one before, could not be written.
        """
        target = self._store(checkpoint())
        self.wait()
        kept(target)

    def check(self) -> None:
        """Raise what has kept a checkpoint from being written, if anything has."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def wait(self) -> None:
        """Wait until what has been begun is written; raises as ``check``."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.check()

    @property
    def _is_writing(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self, checkpoint: Checkpoint, stalled: float, kept: Callable[[Path], None]) -> None:
        try:
            kept(self._store(checkpoint))
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that trains
            self._error = error
        written = time.monotonic() - self._begun
        self._cost = WriteCost(stalled, time.thread_time(), written)

    def _store(self, checkpoint: Checkpoint) -> Path:
        """Store a checkpoint in its folder, and remove those that it makes superfluous there."""
        with self._storing:
            self._sync()
            write_checkpoint(self._folder, self._key, checkpoint)
            target = checkpoint_folder(self._folder, checkpoint.step)
            self._kept = [*(path for path in self._kept if path != target), target]
            for path in {*self._others, *self._kept[:-KEPT]} - {target}:
                require_lease()
                remove_folder(path)
            self._others, self._kept = set(), self._kept[-KEPT:]
        return target

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if error is None:
            self.wait()
        elif self._thread is not None:
            # What was begun is still worth keeping, and what ends the run is known already.
            self._thread.join()
