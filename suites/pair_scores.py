"""Minimal pairs of sentences: which of the two has the higher score.

Shape legend: P pairs, S tokens of all of their sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from objbench.data.tokenizer import TokenizerHandle
from objbench.engine.evaluation.examples import TokenisedExamples
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
    return _points(tokens, found)


def frequency_points(
    tokenizer: TokenizerHandle,
    text: NDArray[np.int64],
    good: Sequence[str],
    bad: Sequence[str],
    length: int,
) -> NDArray[np.float64]:
    """As ``pair_points`` by how frequent words are, whatever their order, without an encoder.

    A token w of the vocabulary V scores log (n_w + 1) / (n + V), with n_w its count in a text of n
    tokens; special tokens are not scored.

    Args:
        tokenizer: of the text.
        text: token ids of any shape, int64.
        good, bad: P sentences each.
        length: most tokens of a sentence.
    """
    vocabulary = tokenizer.vocabulary()
    counts = np.bincount(text.ravel(), minlength=vocabulary.size)
    counts[list(vocabulary.special)] = 0
    scores = np.log((counts + 1) / (counts.sum() + vocabulary.size))
    scores[list(vocabulary.special)] = 0.0
    tokens, _ = tokenise_words([*good, *bad], tokenizer, length)
    return _points(tokens, scores[tokens.ids])


def _points(tokens: TokenisedExamples, found: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P,) float64, of 2 P sentences, the good ones first, and the (S,) scores of their tokens."""
    sums = np.add.reduceat(found, tokens.offsets[:-1])
    left, right = np.split(sums, 2)
    sentences = np.split(tokens.ids, tokens.offsets[1:-1])
    same = [
        np.array_equal(one, other)
        for one, other in zip(sentences[: len(left)], sentences[len(left) :], strict=True)
    ]
    points = np.where(left > right, 1.0, np.where(left < right, 0.0, 0.5))
    return np.where(same, 0.5, points)
