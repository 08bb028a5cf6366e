"""What reference lines are called, and what they are, in words."""

from __future__ import annotations

from collections.abc import Mapping

from objbench.judge.formatting import listed, loss
from objbench.leaderboard.text_bits import BITS, bits, loss_words
from objbench.results.reference_lines import LineName, Lines, Predicted

BIGRAM = "bigram"
"""What the line is called that a run has to reach."""

_WORDS: Mapping[LineName, str] = {
    "uniform": "uniform",
    "unigram": "unigram",
    "bag": "bag of words",
    "bigram": BIGRAM,
    "neighbours": "both neighbours",
}

KIND_WORDS: Mapping[Predicted, str] = {"masked": "masked tokens", "next": "next tokens"}
"""What a common loss predicts."""


def named_lines(lines: Lines) -> dict[str, float]:
    """What each line is called -> its loss, the highest first."""
    found = {words: getattr(lines, name) for name, words in _WORDS.items()}
    known = {words: value for words, value in found.items() if value is not None}
    return dict(sorted(known.items(), key=lambda item: -item[1]))


def lines_sentence(lines: Lines, characters_per_token: float | None = None) -> str:
    """What the lines are, and where; in bits per character too where they are known."""

    def written(value: float) -> str:
        if characters_per_token is None:
            return loss(value)
        return f"{loss(value)} ({loss(bits(value, characters_per_token))})"

    unit = "nats per token" + ("" if characters_per_token is None else f" ({BITS})")
    values = listed([f"{words} {written(value)}" for words, value in named_lines(lines).items()])
    both = "" if lines.neighbours is None else "; both neighbours: the tokens on either side"
    return (
        "Reference lines are the losses of simple counts of the training text on the same "
        f"held-out tokens, in {unit}: {values} (uniform: any token; unigram: token "
        "frequencies; bag of words: the other tokens in any order; bigram: the token to the left"
        f"{both})."
    )


def bigram_words(lines: Lines, characters_per_token: float | None = None) -> str:
    """The line that a run must reach, such as "bigram line 3.900 (1.405 bits per character)"."""
    return f"bigram line {loss_words(lines.bigram, characters_per_token)}"
