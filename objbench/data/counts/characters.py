"""How many characters of text a token stands for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from objbench.data.counts.sorted_values import Ids
from objbench.data.heldout_split import spread

PIECE = 2000
"""Tokens that are decoded together: cuts within words are then too rare to count."""

MOST_PIECES = 100


def characters_per_token(
    tokens: NDArray[np.uint16] | NDArray[np.uint32],
    special: NDArray[np.bool_],
    decode: Callable[[Ids], str],
) -> float | None:
    """Characters per token that is not special; None where all are special or stand for nothing.

    The characters are those of the decoded text, spaces included. What the tokenizer has changed
    (accents, line breaks, spaces around marks) is counted as it left it: of WordPiece's text there
    are some 2% too many.

    Args:
        tokens: (N,) a stream of token ids, of which evenly spread pieces are decoded.
        special: (V,) bool, which tokens are special.
        decode: the text of (n,) int64 ids, special tokens left out.
    """
    count = max(1, min(len(tokens) // PIECE, MOST_PIECES))
    ends = np.append(np.arange(PIECE, len(tokens), PIECE), len(tokens))
    pieces = [
        tokens[max(end - PIECE, 0) : end].astype(np.int64)
        for end in spread(ends, min(count, len(ends)))
    ]
    number = sum(int((~special[piece]).sum()) for piece in pieces)
    characters = sum(len(decode(piece)) for piece in pieces)
    return characters / number if number and characters else None
