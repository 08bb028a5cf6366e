"""The share of tokens that a corruption really predicts, beside the share that its options name.

An objective is ranked under the rate that its options name. Where words are too long to be chosen
whole, as in text without spaces, it may predict a hundredth of that, and then is another experiment.
"""

from __future__ import annotations

import math

from pydantic import Field

from objbench.errors import ConfigError
from objbench.results.json_files import Stored

SAID = 0.1
"""A share that is off by more than this part of the declared one is reported."""

REFUSED = 0.5
"""One that is off by more than this part is refused: the study would not be the one asked for."""

# Deviations of chance that a corruption is allowed which tosses a coin for every token.
_CHANCE = 4.0


class RealisedRate(Stored):
    """What a corruption predicts, measured on batches of the study's text.

    Attributes:
        declared: share of the non-special tokens that the options name, over the budget.
        predicted: the share that was predicted.
        tokens: the non-special tokens that it was measured on.
    """

    declared: float = Field(strict=True, gt=0, le=1)
    predicted: float = Field(strict=True, ge=0, le=1)
    tokens: int = Field(strict=True, gt=0, le=10**18)

    @property
    def off(self) -> float:
        """How far it is off, as a part of the declared share; 0 where that may be chance."""
        off = abs(self.predicted / self.declared - 1)
        chance = math.sqrt((1 - self.declared) / (self.declared * self.tokens))
        return off if off > _CHANCE * chance else 0.0

    @property
    def is_said(self) -> bool:
        """Whether it is so far off that a reader has to know."""
        return self.off > SAID

    @property
    def words(self) -> str:
        """What is predicted, such as "12% of the tokens of this text and not the declared 15%"."""
        return (
            f"{100 * self.predicted:.2g}% of the tokens of this text and not the declared "
            f"{100 * self.declared:.2g}%"
        )


def require_declared(name: str, rate: RealisedRate | None) -> None:
    """Refuse an objective whose corruption does not do what its options say.

    Args:
        name: the objective's.
        rate: None where nothing is declared or predicted.

    Raises:
        ConfigError: the rate is off by more than ``REFUSED``.
    """
    if rate is not None and rate.off > REFUSED:
        raise ConfigError(
            f"{name} predicts {rate.words}: use a tokenizer that splits this text into words "
            "(such as train:8192), longer sequences (data.length), or an objective that masks "
            "single tokens; a plugin that predicts another share overrides `declared_rate`"
        )
