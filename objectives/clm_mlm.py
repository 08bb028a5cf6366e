"""Causal language modelling first, masked language modelling after it; or both in alternation.

Gisserot-Boukhlef et al. 2025, "Should We Still Pretrain Encoders with Masked Language Modeling?"
(arXiv:2507.00994), the setting from scratch under a fixed budget: one network with one head is
trained causally for a share of its steps, and with masks and every token in view for the rest:

    step k < causal_share * N:  L_CLM = mean over real t >= 1 of -log p(x_t | x_<t),    from h_t-1
    after that:                 L_MLM = mean over masked t of -log p(x_t | x_masked),   from h_t

with k + 1/2 in place of k, the middle of a step. With ``alternate=true`` each batch is of one kind
or the other, drawn with the same shares, from the start to the end; AntLM (Yu et al. 2024,
arXiv:2412.03275) alternates too, by epochs.

Defaults. Of the splits in the paper (25, 50 and 75% causal) the first, with the masks of its
released models (their names say ``mlm40``): 40% of the tokens, all of them [MASK], which is the
default of the authors' training code (``mask_probability`` of Nicolas-BZRD/EuroBERT,
``optimus/trainer``). With ``rate=0.15 mask_share=0.8 random_share=0.1`` the masks are ``mlm``'s at
every seed and step, and its held-out "mlm" loss can be compared with ``mlm``'s.

The difference from ``hybrid``: a masked token is predicted from its own state, as by BERT, so
that the finished encoder is read as a masked language model. The head, which has predicted the next
token before, must relearn that in the second phase.

What follows from the phases:

- The share is one of steps. A causal step costs more than a masked one, because of its T - 1
  predictions, so a quarter of the steps is more than a quarter of the FLOPs. The number of steps
  follows from the mean over both phases, so the whole budget is met to within the rounding of the
  causal steps to whole ones, and at equal FLOPs the objective gets more steps than ``clm`` and fewer
  than ``mlm`` at the same masking rate. What a point on the way has spent is summed by phase.
- The learning rate is one schedule over both phases.
- An encoder that is exported before the switch has been trained causally only, and its head is read
  at masked positions all the same: such points of a curve are far from finished, and may be called
  stuck. The held-out "loss" of every point is the mean of both phases' by their shares.
- On the schedule "trunk" the points of a curve share their first steps and have no share of a
  budget in common, so there the phases are refused; ``alternate=true`` is not.
- ``final_rate``, if it is set, is reached linearly over the whole budget, not over the second phase.

Shape legend: B sequences of this process, T tokens, M masked slots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from objbench import hookimpl
from objbench.contract.batch import Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective, TokenReading
from objbench.contract.phases import InPhases
from objbench.contract.random_streams import Streams
from objbench_objectives.clm import next_tokens
from objbench_objectives.hybrid import CAUSAL, MASKED, HybridLanguageModeling
from objbench_objectives.mlm import mask_on_schedule


class CausalThenMasked(InPhases, HybridLanguageModeling):
    """Causal language modelling for a share of the steps, then masked language modelling.

    Formula, defaults and differences from paper and code are in the module's docstring.
    """

    name = "clm_mlm"
    summary = "causal language modelling first, masked after; or in alternation"
    reference = "Gisserot-Boukhlef et al. 2025, https://arxiv.org/abs/2507.00994"
    phases = (CAUSAL, MASKED)

    @dataclass(frozen=True, kw_only=True)
    class Config(HybridLanguageModeling.Config):
        """Hyperparameters of the phases and of the masking.

        Attributes:
            rate: share of the non-special tokens that is masked in a masked batch.
            mask_share: share of these that is replaced by [MASK].
            random_share: share of these that is replaced by a random word; the rest stay.
            final_rate: the rate at the end of the budget, linear from its start; None: ``rate``.
            causal_share: share of the steps that are causal, from 0 (none) to 1 (all).
            alternate: draw the kind of every batch, instead of the causal ones first.

        Raises:
            ConfigError: a value out of range.
        """

        rate: float = 0.4
        mask_share: float = 1.0
        random_share: float = 0.0
        final_rate: float | None = None
        causal_share: float = 0.25
        alternate: bool = False

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__(config, encoder_spec)
        for term in self.terms:
            # The masked term's own name, since it reads the state of the masked token itself.
            term.name = {"mntp": "mlm"}.get(term.name, term.name)

    @classmethod
    def has_phases(cls, config: Any) -> bool:
        """Unless the kinds alternate, or there is only one."""
        return not config.alternate and 0 < config.causal_share < 1

    @property
    def token_reading(self) -> TokenReading:
        """As a masked language model, unless all batches are causal."""
        if MASKED in self.modes:
            return TokenReading()
        return TokenReading(reads="previous", attention="causal")

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """Mask ``batch``, or leave it to the causal mask, as its mode says."""
        words = self.encoder_spec.vocabulary
        if self.mode_of(batch, streams) == CAUSAL:
            return next_tokens(batch, words.cls)
        return mask_on_schedule(batch, words, streams, self.config)


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(CausalThenMasked)
