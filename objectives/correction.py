"""Corrective language modelling: detect replaced tokens, and predict the original ones.

The two token-level losses of COCO-LM (Meng et al. 2021, section 3). The encoder reads a sequence
x' in which tokens at the positions m were sampled from a generator. With h[t] its states, E the
word embeddings and sigma the logistic function,

    p_copy(1 | h) = sigma(w h + b),  p_copy(0 | h) = 1 - p_copy(1 | h)
    p_word(x | h) = softmax over words of (h E^T + c), at x
    L_copy = mean over real tokens t of -log p_copy(1 if x'[t] = x[t] else 0 | h[t])
    L_corrective = mean over t in m of
        -log( [x'[t] = x[t]] sg p_copy(1 | h[t]) + sg p_copy(0 | h[t]) p_word(x[t] | h[t]) )

sg stops the gradient, so that copying is learned from L_copy only.

Shape legend: B sequences of this process, T tokens, M predicted slots, D width, E width of the
word embeddings, V vocabulary.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from objbench.blocks.heads import at_positions, predicted_items
from objbench.contract.batch import IGNORE_INDEX, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need, Term, TermLoss
from objbench_objectives.sampled_tokens import REPLACED

Formula = Literal["paper", "reference"]


class PlainWordHead(nn.Module):
    """Word logits h E^T + c without a layer in between, as in the paper.

    If the encoder's width is not that of its word embeddings, h is projected first, without bias.

    Args:
        encoder_spec: of the encoder.
    """

    def __init__(self, encoder_spec: EncoderSpec) -> None:
        super().__init__()
        self.projection: nn.Module = nn.Identity()
        if encoder_spec.width != encoder_spec.embedding_width:
            self.projection = linear = nn.Linear(
                encoder_spec.width, encoder_spec.embedding_width, bias=False
            )
            nn.init.normal_(linear.weight, std=encoder_spec.initializer_range)
        # An encoder may round its vocabulary up, so its own number of rows comes first.
        words = encoder_spec.encoder_config.get("vocab_size", encoder_spec.vocabulary.size)
        self.bias = nn.Parameter(torch.zeros(words))

    def forward(self, states: Tensor, word_embeddings: Tensor) -> Tensor:
        """Logits (..., V) in the compute dtype from states (..., D) and embeddings (V, E)."""
        return functional.linear(self.projection(states), word_embeddings, self.bias)


class CopyDetection(Term):
    """L_copy at every real token, special tokens included.

    Args:
        encoder_spec: of the encoder.
        weight: lambda_copy, its factor in the total loss.
    """

    name = "copy"

    def __init__(self, encoder_spec: EncoderSpec, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.logit = nn.Linear(encoder_spec.width, 1)
        nn.init.normal_(self.logit.weight, std=encoder_spec.initializer_range)
        nn.init.zeros_(self.logit.bias)

    def logits(self, states: Tensor) -> Tensor:
        """(...) float32, of p_copy(1), from states (..., D)."""
        logits: Tensor = self.logit(states).squeeze(-1).float()
        return logits

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing."""
        batch = encoder_pass.batch
        losses = functional.binary_cross_entropy_with_logits(
            self.logits(encoder_pass.last_hidden_state),
            (~batch.extras[REPLACED]).float(),
            reduction="none",
        )
        return TermLoss(losses.masked_fill(~batch.real, 0.0).sum(), self.count_items(batch))

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The real tokens."""
        return corrupted.real.sum().float()


class Correction(Term):
    """L_corrective at the predicted slots.

    Args:
        encoder_spec: of the encoder.
        copying: the term that learns p_copy; it remains the objective's.
        formula: "paper": as in the module's docstring; "reference": as in the authors' code,
            -sg p_copy(0 | h) log p_word(x | h).

    Attributes:
        token_head: the head that makes the word logits.
    """

    # Not "clm", which is the name of causal language modelling.
    name = "corrective"
    needs = frozenset({Need.LAST_HIDDEN_STATE, Need.WORD_LOGITS, Need.LABELS})

    def __init__(self, encoder_spec: EncoderSpec, copying: CopyDetection, formula: Formula) -> None:
        super().__init__()
        self.formula = formula
        self.token_head = PlainWordHead(encoder_spec)
        # In a tuple: as an attribute it would be a child module and be stored twice.
        self._copying = (copying,)

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing."""
        batch = encoder_pass.batch
        positions, targets = batch.positions, encoder_pass.need(Need.LABELS)
        assert positions is not None
        words = encoder_pass.need(Need.WORD_LOGITS).float()
        scores = -functional.cross_entropy(
            words.flatten(0, 1), targets.flatten(), ignore_index=IGNORE_INDEX, reduction="none"
        ).view_as(targets)
        states = at_positions(encoder_pass.last_hidden_state.detach(), positions)
        copy = self._copying[0].logits(states).detach()
        if self.formula == "reference":
            found = torch.sigmoid(-copy) * scores
        else:
            written = functional.logsigmoid(-copy) + scores
            either = torch.logaddexp(functional.logsigmoid(copy), written)
            found = torch.where(batch.extras[REPLACED].gather(1, positions), written, either)
        used = targets != IGNORE_INDEX
        return TermLoss(-found.masked_fill(~used, 0.0).sum(), predicted_items(batch))

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The slots in use."""
        return predicted_items(corrupted)
