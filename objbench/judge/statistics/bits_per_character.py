"""Losses of tokens as bits per character, which does not depend on the vocabulary.

A tokenizer with longer tokens makes each harder to predict, so losses per token of two tokenizers
cannot be compared. Spread over the characters of its token, the loss of the same kind of prediction
can. It is not a likelihood of the text where tokens are predicted from both sides, or only some are:
compare masked with masked and next with next, at the same share of masks.
"""

from __future__ import annotations

import math

import numpy as np

from objbench.judge.statistics.estimate import FloatArray


def bits_per_character(losses: FloatArray, characters_per_token: float) -> FloatArray:
    """Losses in nats per token as bits per character: loss / (ln 2 * characters per token).

    Args:
        losses: (...) float64, mean nats per predicted token. The predicted tokens are a fair sample
            of those that are not special, as masks and the next token's prediction take them.
        characters_per_token: characters of the text per token that is not special, positive.

    Returns:
        (...) float64.

    Raises:
        ValueError: ``characters_per_token`` is not a positive number.

    Example:
        >>> # 2.8 nats are 4.04 bits, and a token has 4 characters.
        >>> round(float(bits_per_character(np.array(2.8), 4.0)), 3)
        1.01
    """
    if not (math.isfinite(characters_per_token) and characters_per_token > 0):
        raise ValueError(f"characters per token must be positive, not {characters_per_token}")
    return np.asarray(losses, dtype=np.float64) / (math.log(2.0) * characters_per_token)
