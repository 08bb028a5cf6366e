"""The bytes that a study leaves on a disk.

Weights are exact. The other numbers are of files that objbench wrote, a few percent off for other
tasks and tokenizers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from objbench.engine.training.kept_points import MOST
from objbench.results.checkpoint_copies import KEPT
from objbench.runs.forecast.forecast_values import Pretraining

WEIGHT = 4
"""Bytes of a stored weight, float32."""
COPIES = 3 * (KEPT + 1)
"""Of the weights in checkpoints: they and AdamW's two moments, of those that are kept and of the one
that is being written."""

WORD = 20
"""Bytes of a word in a stored tokenizer."""
EXPORT_FILES = 8_000
"""Bytes of an exported encoder beside weights and words: its configuration, README and digests, the
head of the weights' file and the tokenizer's settings."""

EVALUATION, CURVE = 2_100, 6_000
PRETRAINING, LOG_POINT, EXPORTED_POINT = 2_300, 195, 455
PLANNED_CELL = 430
PAGE = 700_000
"""Bytes of a record, of a cell in the plan, and of the page with its pictures."""

TOKEN = 2
TEXT_PER_TOKEN = 4.4
"""Bytes of text per token of English and a vocabulary of 30,000 words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Bytes.

    Attributes:
        encoders: exported.
        count: their number.
        records: records, plan and page.
        checkpoints: at most at a time, while pretrainings are under way.
        tokens: the token cache; None where the text is not at hand.
    """

    encoders: int
    count: int
    records: int
    checkpoints: int
    tokens: float | None = None


def disk_of(
    pretrainings: Sequence[Pretraining],
    *,
    words: int,
    log_every: int,
    jobs: int,
    evaluations: int,
    curves: int,
    forks: bool,
    tokens: float | None = None,
) -> Disk:
    """The disk that pretrainings and evaluations of a study take.

    Args:
        words: of the vocabulary.
        log_every: steps between two points of the log.
        jobs: pretrainings that run at the same time.
        evaluations: floors among them.
        forks: whether the schedule keeps a trunk beside a branch, whose checkpoint is twice as large.
        tokens: of the text; None where it is not at hand.
    """
    encoders = count = records = 0
    largest = 0
    for each in pretrainings:
        one = WEIGHT * each.exported_parameters + WORD * words + EXPORT_FILES
        encoders += each.runs * each.exports * one
        count += each.runs * each.exports
        logged = min(each.route_steps // log_every, MOST)
        records += each.runs * (
            PRETRAINING + LOG_POINT * logged + EXPORTED_POINT * each.exports + PLANNED_CELL
        )
        largest = max(largest, COPIES * WEIGHT * each.trained_parameters)
    runs = sum(each.runs for each in pretrainings)
    records += evaluations * (EVALUATION + PLANNED_CELL) + curves * (CURVE + PLANNED_CELL)
    return Disk(
        encoders=encoders,
        count=count,
        records=records + PAGE,
        checkpoints=largest * min(jobs, runs) * (2 if forks else 1),
        tokens=None if tokens is None else TOKEN * tokens,
    )
