"""Whether an encoder has learnt more than its first plateau gives, by its common loss.

One rule for the judge, which says of every run whether it learnt, and for the engine, which warns
while a run is stuck. An encoder has learnt if

- its loss is at or below the line of the left neighbour (``reference_lines.Lines.bigram``), where
  its loss is that of a token head, and
- its order gain is above its noise, by more than ``CLEARLY`` standard errors, and of a size that
  means something: ``WORTH`` of what the left neighbour is worth to a table of counts, unigram -
  bigram, or ``OWN_WORTH`` of the loss of an objective without a token head.

The size is needed beside the noise, which is paired over hundreds of sequences and therefore very
small. On a toy chain of words an encoder whose loss was still what word frequencies give, at step 50
of 400, had an order gain of 0.0055 nats, 5.8 standard errors above 0, and 2.75 when it had learnt;
rtd, still at its base rate, 0.02 of a loss of 22.5, 4.1 errors above 0, and later 2.5 of 19.6.
"""

from __future__ import annotations

from typing import Literal

from objbench.results.reference_lines import Lines, ReferenceLines
from objbench.results.training_points import CommonLoss

RunStatus = Literal["learnt", "stuck", "unknown"]

CLEARLY = 3.0
"""Standard errors by which an order gain must be above 0."""

WORTH = 0.1
"""Least order gain of a token head, as a share of unigram - bigram."""

OWN_WORTH = 0.01
"""Least order gain of an objective's own loss, as a share of that loss."""


def point_status(common: CommonLoss | None, lines: ReferenceLines | None) -> RunStatus:
    """Whether an encoder has learnt, by its common loss.

    "unknown" where there is none, where its noise is not known, or where it makes something of the
    order of words and the study has no lines to compare its loss with.
    """
    if common is None or common.error is None:
        return "unknown"
    if common.of == "own":
        return _status(common.order_gain, common.error, OWN_WORTH * abs(common.loss))
    own = _lines(common, lines)
    if own is None:
        uses_order = _status(common.order_gain, common.error, 0.0) == "learnt"
        return "unknown" if uses_order else "stuck"
    if common.loss > own.bigram:
        return "stuck"
    return _status(common.order_gain, common.error, WORTH * (own.unigram - own.bigram))


def bigram_line(common: CommonLoss | None, lines: ReferenceLines | None) -> float | None:
    """The line of the left neighbour for what ``common`` predicts; None where there is none."""
    own = _lines(common, lines)
    return None if own is None else own.bigram


def _lines(common: CommonLoss | None, lines: ReferenceLines | None) -> Lines | None:
    if common is None or lines is None or common.of == "own":
        return None
    return lines.lines.get(common.of)


def _status(gain: float, error: float, least: float) -> RunStatus:
    return "learnt" if gain > CLEARLY * error and gain >= least else "stuck"
