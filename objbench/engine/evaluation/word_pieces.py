"""Sentences as tokens, and where each token's word ends.

Shape legend: N sentences, S tokens of all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from objbench.data.tokenizer import TokenizerHandle
from objbench.engine.evaluation.examples import Examples, TokenisedExamples, encodings, joined


def tokenise_words(
    sentences: Sequence[str], tokenizer: TokenizerHandle, length: int
) -> tuple[TokenisedExamples, NDArray[np.int64]]:
    """The sentences tokenised, cut to ``length`` tokens each, with the ends of their words.

    Words are those of the tokenizer's own pre-tokenisation, punctuation marks included.

    Args:
        sentences: N.
        length: most tokens of a sentence, special tokens included.

    Returns:
        The tokens, and (S,) int64: the column after the last token of each token's word. A special
        token is a word by itself.
    """
    labels = np.zeros(len(sentences), np.int64)
    made = encodings(Examples(sentences, None, labels), tokenizer, length)
    ends = [end for encoding in made for end in _ends(encoding.word_ids)]
    tokens = joined(made, labels, tokenizer.layout.pad)
    return tokens, np.fromiter(ends, np.int64, len(ends))


def _ends(words: Sequence[int | None]) -> list[int]:
    """The column after each token's word, from the number of each token's word."""
    ends = list(range(1, len(words) + 1))
    for column in range(len(words) - 2, -1, -1):
        if words[column] is not None and words[column] == words[column + 1]:
            ends[column] = ends[column + 1]
    return ends
