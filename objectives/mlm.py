"""Masked language modelling, the baseline: predict the tokens that were masked.

The smallest complete objective, and the one to copy for a new one: a ``Config``, the loss terms,
a corruption, and the hook at the end of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from objbench import hookimpl
from objbench.blocks.heads import TokenPrediction
from objbench.blocks.masking import mask_tokens, slot_count
from objbench.contract.batch import Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec, Vocabulary
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.errors import ConfigError


class MaskedLanguageModeling(Objective):
    """BERT's masked-LM loss: the mean cross-entropy of the original tokens at masked positions.

    Devlin et al. 2019, section 3.1, without next-sentence prediction. The number of masked
    tokens in a sequence varies less than in public code; see ``objbench.blocks.masking``. An unknown
    word is never predicted, and AdamW's epsilon is 1e-8 for every objective, where BERT's code has
    1e-6; see ``OptimizerSettings``.

    Options that papers vary:

    - the rate: 15% is BERT's, 40% that of Wettig et al. 2023 (arXiv:2202.08005) for large models;
    - a rate that changes: with ``final_rate`` it changes linearly from ``rate`` at the
      start to ``final_rate`` at the end of the budget. From 30% to 15%: Ankner et al. 2024
      (arXiv:2305.15096) and GPT-BERT (Charpentier and Samuel 2024, arXiv:2410.24159); from twice
      the usual rate to almost zero, linearly or by a cosine: Yang et al. 2023 (arXiv:2208.10806),
      whose cosine is not offered here. The slots are those of the higher rate throughout, so that
      every step costs the same, unused slots included;
    - the replacement: ``mask_share=1 random_share=0`` is [MASK] alone, ``mask_share=0
      random_share=1`` random words alone.

    Held-out text is masked at the rate of the end of the budget. Held-out losses at different
    final rates, or with other replacements, are losses of different tasks.
    """

    name = "mlm"
    summary = "masked language modelling (BERT): predict 15% of the tokens"
    reference = "Devlin et al. 2019, https://arxiv.org/abs/1810.04805"
    is_baseline = True

    prediction: ClassVar[str] = "mlm"
    """Name of the term. Held-out losses are compared by it, so other masks need another name."""

    @dataclass(frozen=True, kw_only=True)
    class Config(Objective.Config):
        """Hyperparameters of masking.

        Attributes:
            rate: share of the non-special tokens that is predicted, at the start of the budget.
            mask_share: share of these that is replaced by [MASK].
            random_share: share of these that is replaced by a random word; the rest stay.
            final_rate: the share at the end of the budget, linear in between; None: ``rate``.

        Raises:
            ConfigError: a value out of range.
        """

        rate: float = 0.15
        mask_share: float = 0.8
        random_share: float = 0.1
        final_rate: float | None = None

        def __post_init__(self) -> None:
            for option in ("rate", "final_rate"):
                value = getattr(self, option)
                if value is not None and not 0 < value <= 1:
                    raise ConfigError(f"{option} must be in (0, 1], not {value}")
            if min(self.mask_share, self.random_share) < 0:
                raise ConfigError("mask_share and random_share must not be negative")
            # Written so that NaN fails, with room for 0.7 + 0.2 + 0.1 in binary.
            if not self.mask_share + self.random_share <= 1 + 1e-9:
                raise ConfigError(
                    "mask_share + random_share must be at most 1, not "
                    f"{self.mask_share} + {self.random_share}"
                )

        @property
        def highest_rate(self) -> float:
            """The highest rate of the whole budget."""
            return self.rate if self.final_rate is None else max(self.rate, self.final_rate)

        def rate_at(self, progress: float) -> float:
            """The rate when a share ``progress`` of the budget is spent."""
            if self.final_rate is None:
                return self.rate
            return (1 - progress) * self.rate + progress * self.final_rate

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__(config, encoder_spec)
        self.set_terms(TokenPrediction(encoder_spec, name=self.prediction))

    def slots(self, length: int) -> int:
        """M of the highest rate, the same at every point of the budget."""
        return slot_count(self.config.highest_rate, length)

    def declared_rate(self, progress: float) -> float | None:
        """The rate of the masks at ``progress``."""
        rate: float = self.config.rate_at(progress)
        return rate

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """Mask ``batch``; (B, T) ids and M predicted slots per sequence."""
        return mask_on_schedule(batch, self.encoder_spec.vocabulary, streams, self.config)


def mask_on_schedule(
    batch: Batch, vocabulary: Vocabulary, streams: Streams, config: MaskedLanguageModeling.Config
) -> Corrupted:
    """``mask_tokens`` with the options of ``config``, at the rate of ``batch.progress``."""
    return mask_tokens(
        batch,
        vocabulary,
        streams,
        rate=config.rate_at(batch.progress),
        mask_share=config.mask_share,
        random_share=config.random_share,
        slots=slot_count(config.highest_rate, batch.input_ids.shape[1]),
    )


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(MaskedLanguageModeling)
