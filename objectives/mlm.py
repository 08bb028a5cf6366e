"""Masked language modelling, the baseline: predict the tokens that were masked.

The smallest complete objective, and the one to copy for a new one: a ``Config``, the loss terms,
a corruption, and the hook at the end of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from objbench import hookimpl
from objbench.batch import Batch, Corrupted
from objbench.errors import ConfigError
from objbench.heads import TokenPrediction
from objbench.masking import mask_tokens
from objbench.objective import Anatomy, Objective
from objbench.streams import Streams


class MaskedLanguageModeling(Objective):
    """BERT's masked-LM loss: the mean cross-entropy of the original tokens at masked positions.

    Devlin et al. 2019, section 3.1, without next-sentence prediction. The number of masked
    tokens in a sequence varies less than in public code; see ``objbench.masking``.
    """

    name = "mlm"
    summary = "masked language modelling (BERT): predict 15% of the tokens"
    reference = "Devlin et al. 2019, https://arxiv.org/abs/1810.04805"

    @dataclass(frozen=True, kw_only=True)
    class Config(Objective.Config):
        """Hyperparameters of masking.

        Attributes:
            rate: share of the non-special tokens that is predicted.
            mask_share: share of these that is replaced by [MASK].
            random_share: share of these that is replaced by a random word; the rest stay.

        Raises:
            ConfigError: a value out of range.
        """

        rate: float = 0.15
        mask_share: float = 0.8
        random_share: float = 0.1

        def __post_init__(self) -> None:
            if not 0 < self.rate <= 1:
                raise ConfigError(f"rate must be in (0, 1], not {self.rate}")
            if min(self.mask_share, self.random_share) < 0:
                raise ConfigError("mask_share and random_share must not be negative")
            # Written so that NaN fails, with room for 0.7 + 0.2 + 0.1 in binary.
            if not self.mask_share + self.random_share <= 1 + 1e-9:
                raise ConfigError(
                    "mask_share + random_share must be at most 1, not "
                    f"{self.mask_share} + {self.random_share}"
                )

    def __init__(self, config: Any, anatomy: Anatomy) -> None:
        super().__init__(config, anatomy)
        self.set_terms(TokenPrediction(anatomy, name="mlm"))

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """Mask ``batch`` anew; (B, T) ids and M predicted slots a sequence."""
        return mask_tokens(
            batch,
            self.anatomy.vocabulary,
            streams,
            rate=self.config.rate,
            mask_share=self.config.mask_share,
            random_share=self.config.random_share,
        )


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(MaskedLanguageModeling)
