"""Losses of a word model on token sequences: under BERT's masks, and token by token.

Shape legend: N sequences, T tokens of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from objbench.blocks.masking import mask_tokens
from objbench.contract.batch import IGNORE_INDEX, Batch, Rows
from objbench.contract.random_streams import Streams, stream_key
from objbench.engine.evaluation.examples import TokenisedExamples
from objbench.engine.evaluation.token_scores import WordModel, token_log_likelihoods
from objbench.errors import DataError

MASKS_SEED = stream_key(0, "heldout suite")
"""Keys the masks; independent of the pretraining seed."""

MASKED_ROWS = 64
"""Sequences whose masks are drawn at once; another number would give other masks."""

Report = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class TokenLoss:
    """A mean over tokens.

    Attributes:
        mean: of -log P, in nats.
        tokens: number of scored tokens.
    """

    mean: float
    tokens: int

    @property
    def perplexity(self) -> float:
        """The exponential of the mean."""
        return math.exp(self.mean)


def masked_loss(
    model: WordModel, rows: NDArray[np.int64], rate: float, report: Report
) -> TokenLoss:
    """The mean cross-entropy of the original tokens at BERT's masked positions.

    Args:
        model: the encoder under its head.
        rows: (N, T) int64 token ids.
        rate: share of the tokens that is masked, as in ``blocks.masking.mask_tokens``.
        report: called with the progress.

    Raises:
        DataError: nothing is masked.
        FloatingPointError: the loss is not finite.
    """
    special = torch.zeros(model.vocabulary.size, dtype=torch.bool)
    special[list(model.vocabulary.special)] = True
    total, count = 0.0, 0
    for number, start in enumerate(range(0, len(rows), MASKED_ROWS)):
        ids = torch.from_numpy(rows[start : start + MASKED_ROWS])
        batch = Batch(ids, special[ids], None, Rows.alone(len(ids)))
        # On the CPU whatever the device: a GPU draws other numbers from the same key.
        masked = mask_tokens(
            batch, model.vocabulary, Streams(MASKS_SEED, number, rows=len(ids)), rate
        )
        assert masked.positions is not None and masked.targets is not None
        found = model.log_probabilities(masked.input_ids, None, masked.positions, masked.targets)
        total -= float(found.double().sum())
        count += int((masked.targets != IGNORE_INDEX).sum())
        report(start, len(rows), "masked")
    return _mean(total, count)


def mean_log_likelihood(model: WordModel, rows: NDArray[np.int64], report: Report) -> TokenLoss:
    """Minus the mean log-probability of each token given the others, or those before it.

    Args:
        model: its reading decides which.
        rows: (N, T) int64 token ids.
        report: called with the progress.

    Raises:
        DataError: no token is scored.
        FloatingPointError: a log-probability is not finite.
    """
    count, length = rows.shape
    tokens = TokenisedExamples(
        ids=rows.astype(np.int32).ravel(),
        types=np.zeros(count * length, np.uint8),
        offsets=np.arange(count + 1) * length,
        labels=np.zeros(count, np.int64),
        pad=model.vocabulary.pad,
    )
    found, scored = token_log_likelihoods(model, tokens, report=report)
    return _mean(-float(found.sum()), int(scored.sum()))


def _mean(total: float, count: int) -> TokenLoss:
    if count == 0:
        raise DataError(
            "the held-out sequences give no token to score: use more text, more sequences or a "
            "higher rate"
        )
    if not math.isfinite(total):
        raise FloatingPointError("a held-out loss is not finite; use --precision fp32")
    return TokenLoss(total / count, count)
