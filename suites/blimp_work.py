"""What scoring BLiMP asks of a device: a pass of the encoder for every word piece of every sentence.

In a module of its own, as ``Suite.work`` says.
"""

from __future__ import annotations

import re

from objbench.contract.suite import Work
from objbench.errors import DataError
from objbench_suites.blimp import BlimpSuite
from objbench_suites.blimp_data import PAIRS, PARADIGMS

PIECES = 1.1
"""Word pieces of a word or punctuation mark, as for GLUE's tasks."""

USUAL = 9.27, 12.7
"""Of BLiMP's 134,000 sentences: words and punctuation marks of one, and the mean over these of how many
they and two special tokens are together, which counts a sentence as often as it is read."""

_SPECIAL = 2
_WORD = re.compile(r"\w+|[^\w\s]")
_ASSUMED = "BLiMP is scored piece by piece, which heads that read left to right need not"


def work(
    suite: BlimpSuite, task: str, most: int | None, length: int, sequences: int | None
) -> Work:
    """The passes of a masked model, which are the most that any encoder takes.

    Pairs are counted in the folder that the user named, or are as many and as long as BLiMP's. The
    words' logits at the one hidden place of a pass are not counted.

    Args:
        suite: with its options.
        task, most, length, sequences: as ``Suite.work`` has them; nothing is trained, and no held-out
            text is read.
    """
    longest = suite.config.length - _SPECIAL
    words = _words(suite)
    if words is None:
        sentences = 2 * PARADIGMS * min(suite.config.pairs or PAIRS, PAIRS)
        each, together = USUAL
        pieces = min(PIECES * each, longest)
        tokens = min(PIECES * (together - _SPECIAL), longest) + _SPECIAL
        assumed = f"{_ASSUMED}; BLiMP's own number of pairs and usual lengths"
        return Work(
            steps=0, trained=0, read=round(sentences * pieces), length=tokens, assumed=assumed
        )
    each_pieces = [min(PIECES * number, longest) for number in words]
    passes = sum(each_pieces)
    tokens = sum(number * (number + _SPECIAL) for number in each_pieces) / max(1.0, passes)
    return Work(steps=0, trained=0, read=round(passes), length=tokens, assumed=_ASSUMED)


def _words(suite: BlimpSuite) -> list[int] | None:
    """The words and punctuation marks of every sentence; None where the pairs are not in a folder."""
    if suite.config.dir is None:
        return None
    try:
        return [len(_WORD.findall(text)) for side in suite._sentences for text in side]
    except DataError:
        return None
