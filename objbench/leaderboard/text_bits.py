"""Losses of tokens as bits per character, beside the common loss wherever a page shows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from objbench.judge.formatting import loss, three_digits
from objbench.judge.statistics.bits_per_character import bits_per_character
from objbench.judge.statistics.speedup import Bound
from objbench.leaderboard.quantity import Quantity

BITS = "bits per character"
"""The title of their column."""


def in_bits(found: Quantity | None, characters_per_token: float | None) -> Quantity | None:
    """A loss in nats per token as bits per character, without its note; None where not known."""
    if found is None or characters_per_token is None:
        return None
    characters = characters_per_token

    def turned(bound: Bound) -> Bound:
        return replace(bound, value=bits(bound.value, characters))

    return Quantity(
        estimate=turned(found.estimate),
        low=None if found.low is None else turned(found.low),
        high=None if found.high is None else turned(found.high),
        notation="loss",
    )


def bits(value: float, characters_per_token: float) -> float:
    """A loss in nats per token as bits per character."""
    return float(bits_per_character(np.array(value), characters_per_token))


def loss_words(value: float, characters_per_token: float | None) -> str:
    """A loss with its bits, such as "2.800 (1.010 bits per character)"; alone where not known."""
    if characters_per_token is None:
        return loss(value)
    return f"{loss(value)} ({loss(bits(value, characters_per_token))} {BITS})"


def bits_sentence(characters_per_token: float | None) -> str:
    """What bits per character compare, and what they do not; "" where they are not known."""
    if characters_per_token is None:
        return ""
    return (
        "Bits per character are the loss divided by ln 2 and by the "
        f"{three_digits(characters_per_token)} characters per token of the held-out text, so they "
        "compare across vocabularies, but only the same kind of prediction of the same text: a "
        "loss of masked tokens is not a likelihood of the text."
    )
