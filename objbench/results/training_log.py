"""The log of a pretraining while it runs: a file of JSON lines, one per log or evaluation point.

A run that is interrupted adds that it stopped, which is cut off again when it continues.

A record is there when its cell has ended; this file grows while the cell runs, for whoever watches
it. A line is written whole and at once, so that a kill leaves at most the last one torn, and readers
skip what is no line. A run that continues from a checkpoint first cuts the file back to it, so
that no step is there twice and none is missing. Nothing is judged by these lines.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from pydantic import Field, TypeAdapter

from objbench.errors import RecordError
from objbench.results.atomic_files import whole_file
from objbench.results.foreign_values import Count, Name, Number, Share, Spend, Steps, Time
from objbench.results.json_files import Stored, parsed

_LONGEST = 1_000_000
"""Bytes of a line; one with a thousand terms has some 50,000."""


class _Point(Stored):
    """What all lines say.

    Attributes:
        time: of the day, UTC.
        done: steps taken, with those of the cooldown branches of earlier points.
        total: what ``done`` will be at the end.
        step: optimizer steps of the model that is logged; as are ``tokens``, ``flops`` and
            ``seconds``, which are the compute axes of ``training_points.Meters``.
    """

    time: Time
    done: Steps
    total: Steps
    step: Steps
    tokens: Count
    flops: Spend
    seconds: Spend


class TrainingLine(_Point):
    """A log point: means since the one before.

    Attributes:
        branch: whether the steps will be undone: they belong to the cooldown of an earlier
            evaluation point, and are in no record's log.
        loss: the weighted sum of the terms.
        terms: each term, where it had items.
        gradient_norm: before clipping; None where no norm was finite, as may be in fp16.
        learning_rate: of the last step.
        tokens_per_second: all processes.
    """

    kind: Literal["training"] = "training"
    branch: bool = False
    loss: Number
    terms: dict[Name, Number]
    gradient_norm: Spend | None
    learning_rate: Number
    tokens_per_second: Spend


class EvaluationLine(_Point):
    """An exported encoder.

    Attributes:
        share: of the cell's budget.
        heldout: as in ``training_points.ExportedPoint``.
        common_loss, order_gain: as in ``training_points.CommonLoss``.
    """

    kind: Literal["evaluation"] = "evaluation"
    share: Share
    heldout: dict[Name, Number]
    common_loss: Number | None
    order_gain: Number | None


class StopLine(Stored):
    """The run ended before the cell did, and knew it; one that is killed outright says nothing.

    Attributes:
        time: of the day, UTC.
    """

    kind: Literal["stop"] = "stop"
    time: Time


LogLine = TrainingLine | EvaluationLine
_LINE: TypeAdapter[LogLine | StopLine] = TypeAdapter(
    Annotated[LogLine | StopLine, Field(discriminator="kind")]
)


class TrainingLog:
    """The file of one pretraining; one process at a time writes it.

    Args:
        path: the file; its folder is made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def begin(self, done: int, total: int) -> None:
        """Cut the file back to its first ``done`` steps; 0 begins it again."""
        self.close()
        kept = [text for text, line in _lines(self._path) if line.done <= done] if done else []
        with whole_file(self._path) as file:
            file.writelines(kept)
        # Not buffered: one call of the system writes a whole line at the end of the file.
        self._file = self._path.open("ab", buffering=0)

    def add(self, line: LogLine) -> None:
        """Write a line.

        Raises:
            OSError: the disk is full or gone.
        """
        if self._file is None:
            raise RuntimeError("the log has not been begun")
        self._write(self._file, line)

    def stop(self) -> None:
        """Write that the run ends here, if there is a log and something can be written at all."""
        if self._file is not None:
            with suppress(OSError):
                self._write(self._file, StopLine(time=datetime.now(UTC).isoformat()))

    def _write(self, file: BinaryIO, line: LogLine | StopLine) -> None:
        file.write(line.model_dump_json().encode() + b"\n")

    def sync(self) -> None:
        """Make what was added survive the machine: a checkpoint of these steps is about to be kept."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class FollowedLog:
    """A log that may still grow, read from where the last look at it ended.

    Args:
        path: the file; it need not be there yet.

    Attributes:
        training: the last log point, if there was one.
        evaluation: the last evaluation point, if there was one.
        is_stopped: whether the run that wrote it said that it ended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._forget(0)

    def look(self) -> None:
        """Read what is new; from the start where a run has begun the file again.

        Raises:
            RecordError: there is something else in its place, such as a folder or a pipe.
        """
        try:
            found = self._path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise RecordError(f"{self._path} is no ordinary file: delete it")
            if (found.st_ino, self._read) != (self._inode, min(self._read, found.st_size)):
                self._forget(found.st_ino)
            with self._path.open("rb") as file:
                file.seek(self._read)
                while (text := file.readline(_LONGEST)).endswith(b"\n"):
                    self._read += len(text)
                    self._take(_parsed(text))
        except FileNotFoundError:
            self._forget(0)

    def _forget(self, inode: int) -> None:
        self._inode, self._read = inode, 0
        self.training: TrainingLine | None = None
        self.evaluation: EvaluationLine | None = None
        self.is_stopped = False

    def _take(self, line: LogLine | StopLine | None) -> None:
        if line is not None:
            self.is_stopped = isinstance(line, StopLine)
        if isinstance(line, TrainingLine):
            self.training = line
        elif isinstance(line, EvaluationLine):
            self.evaluation = line

    @property
    def last(self) -> LogLine | None:
        """The last line of either kind."""
        lines = [line for line in (self.training, self.evaluation) if line is not None]
        return max(lines, key=lambda line: line.done, default=None)


def read_training_log(path: Path) -> list[LogLine]:
    """The lines of a log, in order; what is torn or no line of a log is left out.

    Raises:
        OSError: the file cannot be read.
    """
    return [line for _, line in _lines(path)]


def _lines(path: Path) -> Iterator[tuple[bytes, LogLine]]:
    if not path.exists():
        return
    with path.open("rb") as file:
        while text := file.readline(_LONGEST):
            line = _parsed(text) if text.endswith(b"\n") else None
            if line is not None and not isinstance(line, StopLine):
                yield text, line


def _parsed(text: bytes) -> LogLine | StopLine | None:
    try:
        return _LINE.validate_python(parsed(text))
    except ValueError:
        return None
