"""One training step's forward pass: arrange, corrupt, encode once, compute every term.

The losses are returned as sums and counts, one pair per term. ``mean_loss`` divides them, so that
the mean is over the whole batch, however many processes share it.

Shape legend: B sequences of this process, T tokens, K terms of the objective.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from objbench.blocks.heads import word_logits
from objbench.contract.batch import Batch, Corrupted
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncodedView, EncoderPass, Need, TermLoss
from objbench.engine.encoder.attention_mask import attention_mask
from objbench.engine.encoder.build import word_embeddings


@dataclass(frozen=True, slots=True)
class Readings:
    """What the encoder reads in one step.

    Attributes:
        corrupted: the batch as the corruption left it.
        views: name of a term -> the further input that it requests.
    """

    corrupted: Corrupted
    views: Mapping[str, Batch] = field(default_factory=dict)


class TrainingStep(nn.Module):
    """The encoder and the objective as one module, which is what is wrapped and trained.

    Args:
        encoder: B x T token ids in, ``last_hidden_state`` out.
        objective: its needs decide what the encoder returns; it is tied to the encoder here, if it
            shares weights with it.
        teachers: frozen encoders that it learns from, by the name of their objective.
    """

    def __init__(
        self,
        encoder: PreTrainedModel,
        objective: Objective,
        teachers: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.objective = objective
        if teachers:
            objective.learn_from(teachers)
        objective.tie(encoder)
        self._needs = objective.needs
        self._asked = _hidden_states_asked(self._needs)

    def forward(self, batch: Batch, streams: Streams) -> tuple[Tensor, Tensor]:
        """The loss of every term on one batch, or on one part of it.

        Args:
            batch: uncorrupted, on the module's device.
            streams: all randomness but the encoder's dropout.

        Returns:
            (K,) float32 sums, which carry the gradient, and (K,) float32 counts, which do not.
        """
        return self.losses(self.encode(self.corrupt(batch, streams)), streams)

    def arrange(self, batch: Batch, streams: Streams) -> Batch:
        """``batch`` as the terms arrange it, if they have not done so."""
        if batch.arranged:
            return batch
        for term in self.objective.terms:
            batch = term.arrange(batch, streams)
        return replace(batch, arranged=True)

    def corrupt(self, batch: Batch, streams: Streams) -> Readings:
        """``batch`` as the terms arrange it, corrupted, with the terms' further inputs."""
        batch = self.arrange(batch, streams)
        return self.with_views(batch, self.objective.corrupt(batch, streams), streams)

    def with_views(self, batch: Batch, corrupted: Corrupted, streams: Streams) -> Readings:
        """``corrupted``, made from ``batch``, with the terms' further inputs.

        Raises:
            TypeError: it is something else, which is what the objective's ``corrupt`` returned.
        """
        if not isinstance(corrupted, Corrupted):
            raise TypeError(
                f"corrupt of {self.objective.name} returns {type(corrupted).__name__}, not a Corrupted: "
                "make one with Corrupted.of"
            )
        terms = self.objective.terms
        views = {term.name: term.view(batch, corrupted, streams) for term in terms}
        return Readings(corrupted, {name: view for name, view in views.items() if view is not None})

    def encode(self, readings: Readings) -> EncoderPass:
        """One pass of the encoder, with only those outputs that some term needs, and the views."""
        corrupted, needs = readings.corrupted, self._needs
        output = self._encoded(corrupted, self._asked)
        states: Sequence[Tensor] = output.hidden_states if self._asked else ()
        embedded = not needs.isdisjoint({Need.WORD_EMBEDDINGS, Need.WORD_LOGITS})
        return EncoderPass(
            batch=corrupted,
            last_hidden_state=output.last_hidden_state,
            embedding_output=states[0] if Need.EMBEDDING_OUTPUT in needs else None,
            hidden_states=tuple(states) if Need.HIDDEN_STATES in needs else None,
            word_embeddings=word_embeddings(self.encoder) if embedded else None,
            views={
                name: EncodedView(view, self._encoded(view).last_hidden_state)
                for name, view in readings.views.items()
            },
        )

    def losses(self, encoder_pass: EncoderPass, streams: Streams) -> tuple[Tensor, Tensor]:
        """The loss of every term on one pass of the encoder, as ``forward`` returns them.

        Raises:
            TypeError: a term returns something else than a TermLoss.
        """
        encoder_pass = self.with_logits(encoder_pass)
        losses = [term(encoder_pass, streams) for term in self.objective.terms]
        for term, loss in zip(self.objective.terms, losses, strict=True):
            if not isinstance(loss, TermLoss):
                raise TypeError(
                    f"the term {term.name!r} returns {type(loss).__name__}, not a TermLoss"
                )
        totals = torch.stack([loss.total.float() for loss in losses])
        counts = torch.stack([loss.count.float() for loss in losses])
        return totals, counts.detach()

    def with_logits(self, encoder_pass: EncoderPass) -> EncoderPass:
        """``encoder_pass`` with the word logits, if a term needs them: made once for all terms.

        Raises:
            LookupError: no term has a token head.
        """
        if Need.WORD_LOGITS not in self._needs:
            return encoder_pass
        head = self.objective.token_head
        if head is None:
            raise LookupError("a term needs word logits, and no term has a `token_head`")
        return replace(encoder_pass, word_logits=word_logits(head, encoder_pass))

    def _encoded(self, batch: Batch, asked: Mapping[str, Any] | None = None) -> Any:
        options = dict(asked or {})
        causal = isinstance(batch, Corrupted) and batch.causal
        mask = attention_mask(self.encoder, batch, causal)
        if mask is not None:
            # Without padding no mask is passed: fused attention is fastest without one.
            options["attention_mask"] = mask
        return self.encoder(input_ids=batch.input_ids, **options)


def mean_loss(totals: Tensor, whole_counts: Tensor, weights: Tensor, processes: int) -> Tensor:
    """The scalar whose gradient, averaged over processes and added over parts, is exact.

    loss = processes * sum_t weight_t * total_t / max(whole_count_t, 1)

    where ``total`` is the sum of this process's rows of one part of the batch and ``whole_count``
    the count of the whole batch, over all parts and processes: averaging gradients over processes,
    as DDP does, and adding them over parts then yields the gradient of the mean over the batch.

    Args:
        totals: (K,) float32, this process's sums.
        whole_counts: (K,) float32, counts of the whole batch.
        weights: (K,) float32, the terms' weights.

    Returns:
        () float32.
    """
    return (totals * weights / whole_counts.clamp(min=1)).sum() * processes


def term_weights(objective: Objective, device: torch.device) -> Tensor:
    """(K,) float32, the weights of the objective's terms in their order."""
    return torch.tensor([float(term.weight) for term in objective.terms], device=device)


def _hidden_states_asked(needs: frozenset[Need]) -> dict[str, Any]:
    if Need.HIDDEN_STATES in needs:
        return {"output_hidden_states": True}
    if Need.EMBEDDING_OUTPUT in needs:
        # A list selects layers: the others are not kept alive for the backward pass's sake.
        return {"output_hidden_states": [0]}
    return {}
