"""TACO: masked language modelling plus a contrastive loss that aligns neighbouring tokens.

The objective of Fu et al. 2022 with the defaults of its authors' code: ``mlm`` and the term
``tc``, with the options of both in one list.

With g the normalised difference of a token's last hidden state and its embedding, t2 a token
drawn from the window around t1, and N the negatives, K tokens drawn from other sequences or all of
theirs:

    L_TC = mean over anchors t1 of -log( exp(g[t1].g[t2] / tau)
                                         / sum over c in {t2} and N of exp(g[t1].g[c] / tau) )

    total = L_MLM + weight * L_TC

How paper, code and this project differ is described in ``objbench_objectives.alignment``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from objbench import hookimpl
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective
from objbench_objectives.alignment import Anchors
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.tc import Sampling, TokenAlignment, WindowRule

_Alignment = TokenAlignment.Config


class TokenAlignedMaskedLanguageModeling(MaskedLanguageModeling):
    """TACO: total = MLM + weight * token-alignment contrastive loss; the same masks as ``mlm``."""

    name = "taco"
    summary = "MLM plus a contrastive loss between neighbouring tokens (TACO)"
    reference = "Fu et al. 2022, https://arxiv.org/abs/2204.04163"
    across_sequences = TokenAlignment.across_sequences

    @dataclass(frozen=True, kw_only=True)
    class Config(MaskedLanguageModeling.Config):
        """Hyperparameters of masking and of the contrastive term.

        Attributes:
            window: W, tokens; with the reference's rule odd, the anchor in the middle.
            window_rule: "reference": up to (W - 1) / 2 to either side; "paper": up to W - 1.
            sampling: negatives of an anchor: "drawn" as in TACO, K of them; "all" real positions
                of the other sequences of the batch over all processes (of one part of it with
                ``--micro-batches``).
            negatives: K, the negatives drawn for each anchor; no effect with sampling=all.
            temperature: tau, the divisor of the cosine similarities.
            weight: factor of the contrastive term in the total loss.
            anchors: "all" positions, or the "masked" or "unmasked" ones only.

        Raises:
            ConfigError: a value out of range.
        """

        window: int = _Alignment.window
        window_rule: WindowRule = _Alignment.window_rule
        sampling: Sampling = _Alignment.sampling
        negatives: int = _Alignment.negatives
        temperature: float = _Alignment.temperature
        weight: float = _Alignment.weight
        anchors: Anchors = _Alignment.anchors

        @property
        def alignment(self) -> TokenAlignment.Config:
            """The options of the contrastive term.

            Raises:
                ConfigError: a value out of range.
            """
            return TokenAlignment.Config(
                **{f.name: getattr(self, f.name) for f in fields(_Alignment)}
            )

        def __post_init__(self) -> None:
            MaskedLanguageModeling.Config.__post_init__(self)
            # Reading them checks them.
            _ = self.alignment

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__(config, encoder_spec)
        self.set_terms(*self.terms, TokenAlignment(config.alignment, encoder_spec, self))


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(TokenAlignedMaskedLanguageModeling)
