"""Masked and causal language modelling with one head, in alternation (GPT-BERT).

Charpentier and Samuel 2024, section 2. A masked token is predicted from the state before its own
(masked next-token prediction), so that a state always predicts the next token, and one network with
one head learns both:

    masked batch: L_MNTP = mean over masked t of -log p(x_t | x_masked),  from h_t-1, which sees all
    causal batch: L_CLM  = mean over real t >= 1 of -log p(x_t | x_<t),   from h_t-1, which sees x_<t

Each batch is one or the other. Which one, and with it the attention mask, is drawn on the host for
the whole batch, with the share ``causal_share`` of causal ones: a pure function of seed and step.
So the loss is (1 - causal_share) L_MNTP + causal_share L_CLM in expectation, and so
are its FLOPs; see ``Objective.modes``.

Defaults are those of the paper's final model (sections 2.2 and 4.2) and of the authors' code
(ltgoslo/gpt-bert, ``train_100m.py``): one causal part to 15 masked ones, and 30% of the tokens
masked at the start, 15% at the end, linear in between.
With ``rate=0.15`` the masks are ``mlm``'s at every seed and step. Differences:

- The code assigns each GPU one kind for the whole run, a sixteenth of them causal, and averages
  their mean losses: the same loss in expectation, but mixed in every step. It needs 16 GPUs. Here
  one is enough, and a step is of one kind, with more noise from step to step, also with
  ``--micro-batches``.
- The code masks spans of 1 to 3 tokens, those seen least often first; here single tokens, as
  ``objbench.blocks.masking`` draws them. The paper's attention gates, layer weights, growing batches and
  z-loss belong to the model and the recipe, which are the same for every objective here.
- [SEP] is predicted in causal batches, as in ``clm``; the code separates documents differently.

Shape legend: B sequences of this process, T tokens, M masked slots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from objbench import hookimpl
from objbench.blocks.heads import TokenHead, predicted_items, token_loss
from objbench.blocks.masking import slot_count
from objbench.contract.batch import Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective, TokenReading
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need, Term, TermLoss
from objbench.errors import ConfigError
from objbench_objectives.clm import next_token_slots, next_tokens
from objbench_objectives.mlm import MaskedLanguageModeling, mask_on_schedule

MASKED = "masked"
"""Mode of a batch in which masked tokens are predicted and every token sees every other."""

CAUSAL = "causal"
"""Mode of a batch in which every token is predicted from those before it."""


class NextTokenPrediction(Term):
    """Cross-entropy of the predicted tokens in batches of one mode; nothing in the others.

    Args:
        name: the term's name in logs and records.
        causal: whether it is the loss of causal batches or of masked ones.
        head: shared with the other term.
        owned: whether the head's weights belong to this term.
    """

    needs = frozenset({Need.WORD_EMBEDDINGS, Need.LABELS})

    def __init__(self, name: str, causal: bool, head: TokenHead, owned: bool) -> None:
        super().__init__()
        self.name = name
        self.causal = causal
        # In a tuple it is not a child module: stored, counted and trained once.
        self._head = (head,)
        self.token_head = head if owned else None

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass, 0 of 0 tokens in a batch of the other mode; draws nothing."""
        if encoder_pass.batch.causal == self.causal:
            return token_loss(encoder_pass, *self._head)
        nothing = encoder_pass.last_hidden_state.new_zeros((), dtype=torch.float32)
        return TermLoss(total=nothing, count=nothing)

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The slots in use, 0 in a batch of the other mode."""
        items = predicted_items(corrupted)
        return items if corrupted.causal == self.causal else torch.zeros_like(items)


class HybridLanguageModeling(Objective):
    """GPT-BERT: masked next-token prediction, and occasionally causal language modelling.

    Formula, defaults and differences from public code are in the module's docstring.
    """

    name = "hybrid"
    summary = "masked and causal next-token prediction with one head (GPT-BERT)"
    reference = "Charpentier and Samuel 2024, https://arxiv.org/abs/2410.24159"

    @dataclass(frozen=True, kw_only=True)
    class Config(MaskedLanguageModeling.Config):
        """Hyperparameters of the mixture and of its masking.

        Attributes:
            rate: share of the non-special tokens that is masked in a masked batch, at the start.
            final_rate: that share at the end of the budget, linear in between; None: ``rate``.
            causal_share: share of the batches that are causal, from 0 (none) to 1 (all).

        Raises:
            ConfigError: a value out of range.
        """

        rate: float = 0.3
        final_rate: float | None = 0.15
        causal_share: float = 1 / 16

        def __post_init__(self) -> None:
            MaskedLanguageModeling.Config.__post_init__(self)
            if not 0 <= self.causal_share <= 1:
                raise ConfigError(f"causal_share must be in [0, 1], not {self.causal_share}")

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__(config, encoder_spec)
        names, head = {MASKED: "mntp", CAUSAL: "clm"}, TokenHead(encoder_spec)
        self.set_terms(
            *(
                NextTokenPrediction(names[mode], mode == CAUSAL, head, owned=number == 0)
                for number, mode in enumerate(self.modes)
            )
        )

    @property
    def modes(self) -> Mapping[str, float]:
        """Masked and causal batches; one of them alone where the other has no share."""
        causal = self.config.causal_share
        shares = {MASKED: 1 - causal, CAUSAL: causal}
        return {mode: share for mode, share in shares.items() if share > 0}

    @property
    def token_reading(self) -> TokenReading:
        """From the state before; with every token in view, unless all batches are causal."""
        causal = MASKED not in self.modes
        return TokenReading(reads="previous", attention="causal" if causal else "bidirectional")

    def slots(self, length: int) -> int:
        """T - 1 in causal batches, M of the highest masking rate in masked ones; the larger of both."""
        own = {
            CAUSAL: next_token_slots(length),
            MASKED: slot_count(self.config.highest_rate, length),
        }
        return max(own[mode] for mode in self.counted_modes)

    def declared_rate(self, progress: float) -> float | None:
        """The rate of the masks of masked batches at ``progress``."""
        rate: float = self.config.rate_at(progress)
        return rate

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """Draw the mode of ``batch``; mask it, or leave it to the causal mask."""
        words = self.encoder_spec.vocabulary
        if self.mode_of(batch, streams) == CAUSAL:
            return next_tokens(batch, words.cls)
        return read_before(mask_on_schedule(batch, words, streams, self.config))


def read_before(masked: Corrupted) -> Corrupted:
    """``masked`` with every slot predicted from the state before its own."""
    assert masked.positions is not None
    return replace(masked, reads=(masked.positions - 1).clamp(min=0))


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(HybridLanguageModeling)
