"""The contract of a suite: what it scores, and how it evaluates an exported encoder.

There are two kinds. A ``Suite`` evaluates one exported encoder on one of its tasks with one
fine-tuning seed; every such evaluation is a cell of the study with its own record. A ``CurveSuite``
evaluates nothing itself: it follows another suite's score over the points of the budget and
compares each objective's curve with the baseline's.

No torch is imported here, because the leaderboard and the planner import this module.
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
    """How the columns of a suite give its one score: the mean of the means of groups.

    Attributes:
        label: the name of the score in the protocol, such as "mean of eight tasks".
        groups: column names; each group is averaged first. No groups for a suite whose numbers
            are neither better nor worse: its columns are shown, and objectives are not ranked.
        direction: "max" where larger is better.
    """

    label: str
    groups: tuple[tuple[str, ...], ...]
    direction: Direction = "max"

    def score(self, columns: Mapping[str, float]) -> float | None:
        """The score, or None if any column of any group is missing: never a partial mean."""
        if not self.groups or any(name not in columns for group in self.groups for name in group):
            return None
        means = [sum(columns[name] for name in group) / len(group) for group in self.groups]
        return sum(means) / len(means)


UNTRAINED = "untrained"
"""The floor that is scored for every suite, by ``Suite.evaluate``: an encoder's initial weights."""

CHECKPOINT = "checkpoint"
"""The same of a study that continues from a checkpoint: that checkpoint, without further pretraining."""

INITIAL_WEIGHTS = (UNTRAINED, CHECKPOINT)
"""The floors that an encoder is scored for; a study has one of them."""


def _no_heldout(count: int) -> NDArray[np.int64]:
    raise DataError("no held-out text is available here: evaluate the encoder as part of a study")


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """What a suite gets for one evaluation.

    Attributes:
        cache: folder for tokenized task data; safe to delete.
        device: torch device string.
        precision: "fp32", "bf16" or "fp16".
        max_train_samples: use at most this many training examples; None for all.
        tuning: score on a part of the training data instead of the evaluation split, so that
            tuning does not see the data that reported scores use.
        progress: called with (done, total, postfix) from time to time.
        heldout: (count) -> (n, T) int64 token ids: at most ``count`` held-out sequences of the
            study (0: all), evenly spread over one half of them, the half used for reported
            scores or, with ``tuning``, the other half. Every sequence begins with [CLS] and is
            full; [SEP] separates documents. Raises DataError if there is no held-out text.
    """

    cache: Path
    device: str = "cpu"
    precision: str = "fp32"
    max_train_samples: int | None = None
    tuning: bool = False
    progress: Callable[[int, int, str], None] = field(default=lambda done, total, postfix: None)
    heldout: Callable[[int], NDArray[np.int64]] = _no_heldout


@dataclass(frozen=True, slots=True, eq=False)
class ExampleScores:
    """What the scores of one column are made of, example by example.

    The examples are a sample too, and with a value for each of them the judge can tell how much a
    gain depends on which were drawn. The values of a metric that is a mean over the examples, such
    as accuracy, are the examples' own scores. Those of another metric are the metric plus the
    example's influence on it (Hampel 1974; the infinitesimal jackknife of Jaeckel 1972).

    Attributes:
        of: names the examples and their order, such as a hash of them; the same for every encoder.
        values: metric -> (N,) finite numbers, one per scored example, whose mean is the metric.
    """

    of: str
    values: Mapping[str, NDArray[np.float64]]

    def __eq__(self, other: object) -> bool:
        """Whether both are of the same examples, with the same values."""
        return isinstance(other, ExampleScores) and self._plain() == other._plain()

    __hash__ = None  # type: ignore[assignment]

    def _plain(self) -> tuple[str, dict[str, Any]]:
        return self.of, {metric: values.tolist() for metric, values in self.values.items()}


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The result of one evaluation.

    Attributes:
        scores: column name -> metric name -> value, unscaled (a share, a correlation).
        train_examples: number of training examples used.
        eval_examples: column name -> number of examples scored.
        official_examples: "train" or column name -> the official number of examples of that split,
            for each that another number was used of: a page then says so.
        details: anything else for the record (final loss, steps), as JSON types.
        unscored: column name -> why this encoder cannot have a score there, such as "no token
            head". The evaluation counts as done; the leaderboard shows a dash and the reason,
            and an objective that lacks a column of the average is not ranked.
        examples: column name -> what its scores are made of; a column may be left out. Only that of
            encoders at the end of the budget, and of floors, is stored.
    """

    scores: Mapping[str, Mapping[str, float]]
    train_examples: int
    eval_examples: Mapping[str, int]
    details: Mapping[str, Any] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)
    official_examples: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, ExampleScores] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one evaluation asks of a device, for a plan that is made before anything is run.

    Attributes:
        steps: optimizer steps; 0 where the encoder is not trained.
        trained: sequences that it learns from, over all epochs.
        read: sequences that it reads without learning from them.
        length: mean tokens of a sequence, special tokens included.
        assumed: what is taken for granted of data that was not looked at; "" if nothing is.
    """

    steps: int
    trained: int
    read: int
    length: float
    assumed: str = ""


class ConfiguredSuite(ABC):
    """The declarations of a suite of either kind.

    Attributes:
        name, summary, reference: as for objectives; the reference may be empty.
        version: to be raised whenever scores may change; part of the key of every cell.
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
        every_point: whether to score the encoders of all evaluation points with every fine-tuning
            seed; by default only the last, and the others if a curve suite follows this one.
        tunable: whether settings may be chosen by this suite. False for a suite that cannot hold
            back a part of its data, because tuning must not see what is reported.
        takes_tasks: whether its tasks are those of a file of the user's: ``--tasks FILE`` adds the suite
            to a study, with that file as its option ``file``.
        reads_token_head: whether scores depend on the encoder's token head. Its initial weights are
            the objective's own, so that every objective has an untrained encoder of its own.
    """

    every_point: ClassVar[bool] = False
    tunable: ClassVar[bool] = True
    takes_tasks: ClassVar[bool] = False
    reads_token_head: ClassVar[bool] = False

    @property
    @abstractmethod
    def protocol(self) -> str:
        """The protocol in one line, printed on every leaderboard."""

    @abstractmethod
    def tasks(self) -> tuple[str, ...]:
        """The tasks whose data is available, in the order of the columns.

        Raises:
            DataError: the data of no task can be found.
        """

    def missing(self) -> Mapping[str, str]:
        """Tasks without data -> the reason; named on the leaderboard, never counted as 0."""
        return {}

    def planned_tasks(self) -> tuple[str, ...]:
        """The tasks that a plan counts, which may be made where the data is not."""
        return self.tasks()

    def work(self, task: str, most: int | None) -> Work | None:
        """What evaluating an encoder on ``task`` asks of a device.

        Args:
            task: one of ``planned_tasks()``.
            most: the most training examples; None for all.

        The source of a suite is part of the keys of its cells, and what they take is not: a better
        estimate must not have them run again. So the estimate may also be a function
        ``work(suite, task, most, length, sequences)`` of a module that no suite imports, named
        after the suite's with ``_work`` at the end, which is then asked instead. There ``length`` is
        the tokens of a held-out sequence, and ``sequences`` how many of them there are at most; None
        for enough.

        Returns:
            None if neither says: a plan then calls the time of its evaluations "not estimated".
        """
        return None

    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """The columns of the available tasks."""

    @abstractmethod
    def average(self) -> Average:
        """How the available columns give the one score of the suite."""

    def seeds(self) -> tuple[int, ...]:
        """The fine-tuning seeds of one encoder; a suite that trains nothing has one."""
        return (0,)

    def floors(self) -> tuple[str, ...]:
        """What the tasks can be scored by without an encoder.

        Examples are "majority", the most frequent answer, and "bag-of-words", a linear model of
        which word pieces occur. The names are the suite's own, and ``evaluate_floor`` scores each.
        ``UNTRAINED``, or ``CHECKPOINT`` in its place, is scored beside them in every study and is
        not listed here.
        """
        return ()

    def evaluate_floor(
        self, floor: str, tokenizer: Path, task: str, seed: int, context: EvaluationContext
    ) -> TaskResult:
        """Score ``task`` by one of ``floors()``, by the same examples and metrics as encoders.

        Args:
            floor: one of ``floors()``.
            tokenizer: folder of the encoders' tokenizer, as ``AutoTokenizer`` loads it; its
                ``model_max_length`` is what the encoders can take.
            task, seed, context: as for ``evaluate``.
        """
        raise NotImplementedError(f"{type(self).__name__}.floors names {floor!r}; score it here")

    @abstractmethod
    def fingerprint(self, task: str) -> str:
        """A hash of everything that determines the scores of the task, except encoder and seed."""

    @abstractmethod
    def evaluate(
        self, encoder: Path, task: str, seed: int, context: EvaluationContext
    ) -> TaskResult:
        """Evaluate the exported encoder in the folder ``encoder`` on one task with one seed.

        With ``context.tuning`` the evaluation split is not read: a part of the training examples
        is held out and scored instead, under every column of the task.

        Args:
            encoder: folder that ``AutoModel`` and ``AutoTokenizer`` load.
            task: one of ``tasks()``.
            seed: one of ``seeds()``; all randomness derives from it.
        """


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A score at a point of the budget, with what was spent so far on each compute axis."""

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
    """A suite that compares the curves of another suite's score over the budget."""

    @abstractmethod
    def follows(self, suites: Sequence[str]) -> str:
        """The suite, of those of the study, that this one follows.

        Raises:
            ConfigError: there is no suite to follow.
        """

    @property
    @abstractmethod
    def seeds_per_point(self) -> int:
        """Number of fine-tuning seeds of the followed suite that are run at every point."""

    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """The columns, one per compute axis."""

    @abstractmethod
    def measure(
        self, baseline: Sequence[CurvePoint], candidate: Sequence[CurvePoint], direction: Direction
    ) -> Mapping[str, CurveValue]:
        """Column name -> value, for the two curves of one pretraining seed."""
