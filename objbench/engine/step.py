"""One training step's forward pass: corrupt, encode once, hand the pass to every term.

The losses leave here as sums and counts, one pair a term. Dividing them is left to ``mean_loss``
so that the mean is the mean over the whole batch however many processes share it.

Shape legend: B sequences of this process, T tokens, K terms of the objective.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from objbench.batch import Batch, Corrupted
from objbench.engine.encoder import word_embeddings
from objbench.objective import EncoderPass, Need, Objective
from objbench.streams import Streams


class TrainingStep(nn.Module):
    """The encoder and the objective as one module, which is what is wrapped and trained.

    Args:
        encoder: B x T token ids in, ``last_hidden_state`` out.
        objective: its needs decide what the encoder is asked to return; it is tied to the encoder
            here, if it shares weights of it.
    """

    def __init__(self, encoder: PreTrainedModel, objective: Objective) -> None:
        super().__init__()
        self.encoder = encoder
        self.objective = objective
        objective.tie(encoder)
        self._needs = objective.needs
        self._asked = _hidden_states_asked(self._needs)

    def forward(self, batch: Batch, streams: Streams) -> tuple[Tensor, Tensor]:
        """The loss of every term on one (micro-)batch.

        Args:
            batch: uncorrupted, on the module's device.
            streams: all randomness but the encoder's dropout.

        Returns:
            (K,) float32 sums, which carry the gradient, and (K,) float32 counts, which do not.
        """
        corrupted = self.objective.corrupt(batch, streams)
        return self.losses(self.encode(corrupted), streams)

    def losses(self, encoder_pass: EncoderPass, streams: Streams) -> tuple[Tensor, Tensor]:
        """The loss of every term on one pass of the encoder, as ``forward`` returns them."""
        losses = [term(encoder_pass, streams) for term in self.objective.terms]
        totals = torch.stack([loss.total.float() for loss in losses])
        counts = torch.stack([loss.count.float() for loss in losses])
        return totals, counts.detach()

    def encode(self, corrupted: Corrupted) -> EncoderPass:
        """One pass of the encoder, with only those outputs that some term needs."""
        options: dict[str, Any] = dict(self._asked)
        if corrupted.attention is not None:
            # Without padding no mask is passed: fused attention is fastest without one.
            options["attention_mask"] = corrupted.attention.to(torch.int64)
        output = self.encoder(input_ids=corrupted.input_ids, **options)
        states: Sequence[Tensor] = output.hidden_states if self._asked else ()
        needs = self._needs
        embedded = Need.WORD_EMBEDDINGS in needs
        return EncoderPass(
            batch=corrupted,
            last_hidden_state=output.last_hidden_state,
            embedding_output=states[0] if Need.EMBEDDING_OUTPUT in needs else None,
            hidden_states=tuple(states) if Need.HIDDEN_STATES in needs else None,
            word_embeddings=word_embeddings(self.encoder) if embedded else None,
        )


def mean_loss(
    totals: Tensor, global_counts: Tensor, weights: Tensor, processes: int, micro_batches: int
) -> Tensor:
    """The scalar whose gradient, averaged over processes and added over micro-batches, is exact.

    loss = processes / micro_batches * sum_t weight_t * total_t / max(global_count_t, 1)

    where ``total`` is this process's sum and ``global_count`` that of all processes: averaging
    gradients over processes, as DDP does, then yields the gradient of the global mean.

    Args:
        totals: (K,) float32, this process's sums.
        global_counts: (K,) float32, counts over all processes.
        weights: (K,) float32, the terms' weights.

    Returns:
        () float32.
    """
    return (totals * weights / global_counts.clamp(min=1)).sum() * (processes / micro_batches)


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
