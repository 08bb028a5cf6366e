"""The loss of every single token under a token head, read as its objective reads it.

For those who need more than the sum that an objective is trained on: suites that score words, and
the loss common to all objectives.

Shape legend: B sequences, T tokens, M positions, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from objbench.blocks.heads import at_positions
from objbench.contract.batch import IGNORE_INDEX, Batch
from objbench.contract.objective import TokenReading
from objbench.engine.encoder.attention_mask import attention_mask
from objbench.engine.encoder.build import word_embeddings

LOGIT_ROWS = 1024
"""Rows whose logits over the vocabulary are held at once."""


def token_losses(
    encoder: nn.Module,
    head: nn.Module,
    reading: TokenReading,
    batch: Batch,
    columns: Tensor,
    targets: Tensor,
) -> Tensor:
    """-log p(target), (B, M) float32 in nats; 0 where ignored.

    Args:
        encoder: a transformers model.
        head: makes logits from states and word embeddings, as ``blocks.heads.TokenHead``.
        reading: how the head is read.
        batch: (B, T), what the encoder reads, hidden tokens replaced.
        columns: (B, M) int64, the columns of the targets; not 0 if the head reads from the
            position before.
        targets: (B, M) int64, IGNORE_INDEX where there is none.
    """
    mask = attention_mask(encoder, batch, reading.attention == "causal")
    options = {} if mask is None else {"attention_mask": mask}
    states = encoder(input_ids=batch.input_ids, **options).last_hidden_state
    if reading.reads == "previous":
        columns = (columns - 1).clamp(min=0)
    words = word_embeddings(encoder)  # type: ignore[arg-type]
    rows = torch.split(at_positions(states, columns).flatten(0, 1), LOGIT_ROWS)
    losses = [
        functional.cross_entropy(
            head(part, words).float(), wanted, ignore_index=IGNORE_INDEX, reduction="none"
        )
        for part, wanted in zip(rows, torch.split(targets.flatten(), LOGIT_ROWS), strict=True)
    ]
    return torch.cat(losses).view(targets.shape)
