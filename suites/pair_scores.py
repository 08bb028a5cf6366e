"""Minimal pairs of sentences: which of the two has the higher score.

Shape legend: P pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from objbench.engine.evaluation.token_scores import WordModel, token_log_likelihoods
from objbench.engine.evaluation.word_pieces import tokenise_words


def pair_points(
    model: WordModel,
    good: Sequence[str],
    bad: Sequence[str],
    *,
    whole_words: bool,
    report: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> NDArray[np.float64]:
    """(P,) float64: 1 where the good sentence's summed score is higher, 0 where it is lower.

    0.5 if both scores are equal or both sentences have the same tokens, which happens if the
    tokenizer loses a difference of case or an unknown word. Tokens are compared because batches of
    other widths round equal sums differently.

    Args:
        model: gives the score of every token; see ``token_log_likelihoods``.
        good, bad: P sentences each.
        whole_words: hide the rest of a token's word with it.
        report: called with the progress.
    """
    tokens, ends = tokenise_words([*good, *bad], model.tokenizer, model.length)
    found, _ = token_log_likelihoods(model, tokens, ends if whole_words else None, report)
    sums = np.add.reduceat(found, tokens.offsets[:-1])
    left, right = sums[: len(good)], sums[len(good) :]
    sentences = np.split(tokens.ids, tokens.offsets[1:-1])
    same = [
        np.array_equal(one, other)
        for one, other in zip(sentences[: len(good)], sentences[len(good) :], strict=True)
    ]
    points = np.where(left > right, 1.0, np.where(left < right, 0.0, 0.5))
    return np.where(same, 0.5, points)
