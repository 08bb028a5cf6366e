"""The contract of a suite: what it scores, and how it evaluates one exported encoder.

Two kinds share one registry. A ``Suite`` evaluates one exported encoder on one of its tasks with
one fine-tuning seed; every such evaluation is a cell of the study with a record of its own. A
``CurveSuite`` evaluates nothing itself: it follows another suite's score over the points of the
budget and compares each objective's curve with the baseline's.

No torch here: the leaderboard and the planner import this file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from objbench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Direction = Literal["max", "min"]


@dataclass(frozen=True, slots=True)
class Column:
    """One printed score of a suite.

    Attributes:
        name: column header, such as "mnli_mm".
        task: the task whose evaluation yields it.
        metrics: the metrics whose mean is printed, such as ("accuracy", "f1").
        direction: "max" where larger is better.
        scale: factor applied before printing; 100 turns a share into points.
    """

    name: str
    task: str
    metrics: tuple[str, ...]
    direction: Direction = "max"
    scale: float = 100.0


@dataclass(frozen=True, slots=True)
class Average:
    """How a suite's columns become its one score: the mean over groups of each group's mean.

    Attributes:
        label: what the protocol calls it, such as "mean of eight tasks".
        groups: column names; a group is averaged before it enters the mean. None for a suite whose
            numbers are neither better nor worse: its columns are shown and nobody is ranked.
        direction: "max" where larger is better.
    """

    label: str
    groups: tuple[tuple[str, ...], ...]
    direction: Direction = "max"

    def score(self, columns: Mapping[str, float]) -> float | None:
        """The average, or None if any column of any group is absent: never a partial mean."""
        if not self.groups or any(name not in columns for group in self.groups for name in group):
            return None
        means = [sum(columns[name] for name in group) / len(group) for group in self.groups]
        return sum(means) / len(means)


def _no_heldout(count: int) -> NDArray[np.int64]:
    raise DataError("there is no held-out text here: evaluate the encoder as part of a study")


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """What the runner lends a suite for one evaluation.

    Attributes:
        cache: folder for tokenised task data; safe to delete.
        device: torch device string.
        precision: "fp32", "bf16" or "fp16".
        max_train_samples: use at most this many training examples; None for all.
        tuning: score on a split of the training data instead of the evaluation split: tuning
            must not see what is reported.
        progress: called with (done, total, postfix) now and then.
        heldout: (count) -> (n, T) int64 token ids, at most ``count`` of the study's held-out
            sequences (0: all), spread evenly over the half that may be seen: the half that is
            reported on, or where ``tuning`` is set the other. Every sequence begins with [CLS]
            and is full; [SEP] stands between documents. Raises DataError where there are none.
    """

    cache: Path
    device: str = "cpu"
    precision: str = "fp32"
    max_train_samples: int | None = None
    tuning: bool = False
    progress: Callable[[int, int, str], None] = field(default=lambda done, total, postfix: None)
    heldout: Callable[[int], NDArray[np.int64]] = _no_heldout


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What one evaluation measured.

    Attributes:
        scores: column name -> metric name -> value, unscaled (a share, a correlation).
        train_examples: training examples used.
        eval_examples: column name -> examples scored.
        details: anything else worth keeping in the record (final loss, steps), JSON-able.
        unscored: column name -> why this encoder cannot have a score there, such as "no token
            head". The evaluation is done all the same; the leaderboard shows a dash and the
            reason, and whoever lacks a column of the average is not ranked.
    """

    scores: Mapping[str, Mapping[str, float]]
    train_examples: int
    eval_examples: Mapping[str, int]
    details: Mapping[str, Any] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)


class ConfiguredSuite(ABC):
    """What a suite of either kind declares.

    Attributes:
        name, summary, reference: as for objectives.
        version: raise it whenever scores may change; it enters every cell's key.
        Config: frozen dataclass of options (``--set glue.dir=...``, ``--glue-dir ...``).
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    version: ClassVar[int]
    reference: ClassVar[str] = ""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """No options."""

    def __init__(self, config: Any) -> None:
        self.config = config


class Suite(ConfiguredSuite):
    """A set of tasks on which an exported encoder is evaluated.

    Attributes:
        every_point: score the encoders of all evaluation points, with every fine-tuning seed; by
            default only the last, and the others where a curve suite follows this one.
        tunable: whether settings may be chosen by it. A suite that cannot hold back a part of its
            data says False, for tuning must not see what is reported.
    """

    every_point: ClassVar[bool] = False
    tunable: ClassVar[bool] = True

    @property
    @abstractmethod
    def protocol(self) -> str:
        """One line that names the protocol, printed on every leaderboard."""

    @abstractmethod
    def tasks(self) -> tuple[str, ...]:
        """The tasks whose data is there, in the order of the columns.

        Raises:
            DataError: no task's data can be found.
        """

    def missing(self) -> Mapping[str, str]:
        """Tasks left out -> why; named on the leaderboard, never counted as 0."""
        return {}

    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """The columns of the available tasks."""

    @abstractmethod
    def average(self) -> Average:
        """The suite's one score over the available columns."""

    def seeds(self) -> tuple[int, ...]:
        """The fine-tuning seeds of one encoder; a suite that trains nothing has one."""
        return (0,)

    @abstractmethod
    def fingerprint(self, task: str) -> str:
        """Everything that determines the task's scores but the encoder and seed, as a hash."""

    @abstractmethod
    def evaluate(
        self, encoder: Path, task: str, seed: int, context: EvaluationContext
    ) -> TaskResult:
        """Evaluate the exported encoder in the folder ``encoder`` on one task with one seed.

        Where ``context.tuning`` is set, the evaluation split is not read: a part of the training
        examples is held out and scored in its place, under every column of the task.

        Args:
            encoder: folder that ``AutoModel`` and ``AutoTokenizer`` load.
            task: one of ``tasks()``.
            seed: one of ``seeds()``; all randomness derives from it.
        """


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A score at a point of the budget: spend on each axis, and the score there."""

    spend: Mapping[str, float]
    score: float


@dataclass(frozen=True, slots=True)
class CurveValue:
    """One value read off a curve.

    Attributes:
        value: the number, or None where it is not reached.
        note: "" or why there is no number, such as "not reached".
    """

    value: float | None
    note: str = ""


class CurveSuite(ConfiguredSuite):
    """A suite that compares curves of another suite's score over the budget."""

    @abstractmethod
    def follows(self, suites: Sequence[str]) -> str:
        """Which of the study's suites it follows.

        Raises:
            ConfigError: there is none to follow.
        """

    @property
    @abstractmethod
    def seeds_per_point(self) -> int:
        """How many of the followed suite's fine-tuning seeds are run at every point."""

    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """The columns it yields, one for each axis."""

    @abstractmethod
    def measure(
        self, baseline: Sequence[CurvePoint], candidate: Sequence[CurvePoint], direction: Direction
    ) -> Mapping[str, CurveValue]:
        """Column name -> value, for one pretraining seed's pair of curves."""
