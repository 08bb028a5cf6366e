"""Points of a pretraining: what had been spent there, and what was logged or measured."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from objbench.contract.meters import AXES, Axis
from objbench.results.foreign_values import (
    Count,
    Inside,
    Key,
    KeyOrNone,
    Name,
    Number,
    Share,
    Spend,
    Steps,
)
from objbench.results.json_files import Stored


def is_empty(value: object) -> bool:
    """Left out of the stored text, which is then that of records from before there was the field."""
    return not value


class Meters(Stored):
    """What had been spent at a point, on the four compute axes.

    Attributes:
        steps: optimizer steps.
        tokens: non-padding tokens seen, summed over processes.
        flops: training FLOPs (forward and backward), by the convention of ``engine.training.flops``.
        seconds: device seconds of training; evaluation, checkpoints and warm-up not counted.
    """

    steps: Steps
    tokens: Count
    flops: Spend
    seconds: Spend


class LoggedPoint(Stored):
    """A point of the training log.

    Attributes:
        meters: the spend at the point.
        loss: the weighted sum of ``terms``.
        terms: each term that had items, as its mean over the steps since the point before, in the
            term's own unit (nats for cross-entropies).
        learning_rate: of the last of these steps.
    """

    meters: Meters
    loss: Number
    terms: dict[Name, Number]
    learning_rate: Number


def require_order(
    what: str, points: Sequence[LoggedPoint | ExportedPoint], axes: Collection[Axis]
) -> None:
    """Check that steps increase from point to point, and that nothing decreases on another axis.

    Args:
        what: the points, as a message calls them.
        points: in the order in which they are stored.
        axes: those that are checked.

    Raises:
        ValueError: an axis is out of order.
    """
    for axis in axes:
        found = [getattr(point.meters, axis) for point in points]
        if found != sorted(found) or (axis == "steps" and len({*found}) < len(found)):
            raise ValueError(f"the {axis} of its {what} are not in order")


def _log_in_order(points: list[LoggedPoint]) -> list[LoggedPoint]:
    require_order("log", points, AXES)
    return points


Log = Annotated[list[LoggedPoint], AfterValidator(_log_in_order)]
"""The points of a log that are kept: steps increase from each to the next, and no axis decreases."""


class LogApart(Stored):
    """A log that is kept apart from its record; see ``kept_logs``.

    Attributes:
        points: how many it has.
        digest: the SHA-256 of the points without their seconds.
    """

    points: Count
    digest: Key


def _where_kept(log: Any) -> str:
    return "apart" if isinstance(log, dict | LogApart) else "points"


KeptLog = Annotated[
    Annotated[Log, Tag("points")] | Annotated[LogApart, Tag("apart")], Discriminator(_where_kept)
]
"""A log in a record; what cannot be read of it is told as a fault of that of the two which it is."""


class CommonLoss(Stored):
    """A loss that every objective is measured by alike: the same masks of the same held-out text.

    How it is measured, and why so, is said in ``engine.training.common_loss``.

    Attributes:
        of: what is predicted. "masked": tokens hidden by masked language modelling (15%, of which
            80% become [MASK], 10% another token and 10% stay). "next": each token that is not
            special from those before it, of a token head that is read from left to right. "own":
            the objective's own loss, where it has no token head.
        loss: nats per predicted token, or the objective's own unit where ``of`` is "own".
        order_gain: the loss with the visible tokens of each sequence shuffled, minus the loss of the
            same tokens as it is: near 0 for an encoder that makes nothing of the order of words.
            Where ``of`` is "next", over the 15% of the tokens that "masked" would hide.
        error: standard error of ``order_gain`` over the held-out sequences, each measured both ways;
            over pieces of the held-out batches where ``of`` is "own". None for fewer than two.
        tokens: number of predicted tokens; of all that are not special where ``of`` is "own".
    """

    of: Literal["masked", "next", "own"]
    loss: Number
    order_gain: Number
    error: Spend | None
    tokens: Count


class ExportedPoint(Stored):
    """An encoder exported along the budget.

    Attributes:
        meters: the spend at the export.
        share: share of the cell's own budget spent.
        encoder: folder relative to the run folder, and inside it: records come from other people.
        heldout: mean of each term that has items in the held-out text, named as in
            ``heldout_loss_names``, and "loss", their weighted sum.
        digest: of that folder, as ``sealed_folder.seal`` makes it; "" in records from before
            encoders were sealed.
        common: the loss common to all objectives; None in records from before it was measured.
    """

    meters: Meters
    share: Share
    encoder: Inside
    heldout: dict[Name, Number]
    digest: KeyOrNone = Field(default="", exclude_if=is_empty)
    common: CommonLoss | None = Field(default=None, exclude_if=is_empty)
