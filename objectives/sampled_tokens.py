"""Replacing masked tokens by a generator's samples: what ``rtd`` and ``coco_lm`` share.

The formulas are those of ELECTRA (Clark et al. 2020, section 2); see ``objbench_objectives.rtd``.

Shape legend: B sequences of this process, T tokens, M predicted slots, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from objbench.blocks.heads import predicted_items
from objbench.blocks.masking import slot_count
from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need, Term, TermLoss
from objbench_objectives.generator import Generator
from objbench_objectives.mlm import mask_on_schedule

GENERATOR_LOSS = "rtd.generator_loss"
"""Extra of the corruption: () float32, the sum of the generator's losses, with its graph."""

REPLACED = "rtd.replaced"
"""Extra of the corruption: (B, T) bool, True where a token differs from the original."""


@torch.no_grad()
def sample_tokens(probabilities: Tensor, streams: Streams) -> Tensor:
    """One token per slot: the first whose cumulative probability exceeds a uniform number.

    Args:
        probabilities: (B, M, V) float32, of each slot's tokens.
        streams: source of "rtd.sample".

    Returns:
        (B, M) int64, in [0, V) whatever the probabilities are.
    """
    cumulated = probabilities.cumsum(dim=-1)
    # Relative to their sum, which rounding leaves near 1.
    lot = streams.uniform("rtd.sample", cumulated.shape[1]).unsqueeze(-1) * cumulated[..., -1:]
    drawn = torch.searchsorted(cumulated, lot, right=True).squeeze(-1)
    # NaN gives an index out of range; the step is to be refused for its loss instead.
    return drawn.clamp(max=cumulated.shape[-1] - 1)


def replace_tokens(batch: Batch, masked: Corrupted, logits: Tensor, streams: Streams) -> Corrupted:
    """``batch`` with tokens sampled from the generator at the predicted positions.

    Args:
        batch: uncorrupted, (B, T).
        masked: the generator's input, with positions and targets (B, M).
        logits: (B, M, V), the generator's.
        streams: source of "rtd.sample".

    Returns:
        The discriminator's input with the positions and targets of ``masked``, and the extras
        GENERATOR_LOSS and REPLACED.
    """
    assert masked.positions is not None and masked.targets is not None
    scores = functional.log_softmax(logits.float(), dim=-1)
    loss = functional.nll_loss(
        scores.flatten(0, 1), masked.targets.flatten(), ignore_index=IGNORE_INDEX, reduction="sum"
    )
    sampled = sample_tokens(scores.detach().exp(), streams)
    # Differences are added, not tokens written: unused slots point at column 0 and add nothing.
    change = (sampled - masked.targets) * (masked.targets != IGNORE_INDEX)
    input_ids = batch.input_ids.scatter_add(1, masked.positions, change)
    return Corrupted.of(
        batch,
        input_ids=input_ids,
        positions=masked.positions,
        targets=masked.targets,
        extras={GENERATOR_LOSS: loss, REPLACED: input_ids != batch.input_ids},
    )


class GeneratorPrediction(Term):
    """The generator's cross-entropy at the predicted positions, as the corruption computed it."""

    # Not "mlm": that is a loss of the encoder, and held-out losses are compared by name.
    name = "generator"
    needs = frozenset({Need.LAST_HIDDEN_STATE, Need.LABELS})

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing."""
        loss = encoder_pass.batch.extras[GENERATOR_LOSS]
        return TermLoss(loss, predicted_items(encoder_pass.batch))

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The slots in use."""
        return predicted_items(corrupted)


class GeneratorObjective(Objective):
    """An objective whose encoder reads a generator's samples in place of masked tokens.

    Args:
        config: the masking options of ``MaskedLanguageModeling.Config``, and more.
        encoder_spec: of the encoder.
        generator: trained along with the encoder, on the encoder's embeddings.
    """

    def __init__(self, config: Any, encoder_spec: EncoderSpec, generator: Generator) -> None:
        super().__init__(config, encoder_spec)
        self.generator = generator

    def tie(self, encoder: nn.Module) -> None:
        """Let the generator read the encoder's embedding layer and word embeddings."""
        self.generator.tie(encoder)

    def slots(self, length: int) -> int:
        """M of the highest rate, the masked and sampled positions."""
        return slot_count(self.config.highest_rate, length)

    def declared_rate(self, progress: float) -> float | None:
        """The rate of the masks at ``progress``."""
        rate: float = self.config.rate_at(progress)
        return rate

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """Mask ``batch``, let the generator predict, and replace the tokens by its samples."""
        masked = self.outline(batch, streams)
        return replace_tokens(batch, masked, self.generator(masked), streams)

    def outline(self, batch: Batch, streams: Streams) -> Corrupted:
        """What the generator reads; its samples change no count."""
        return mask_on_schedule(batch, self.encoder_spec.vocabulary, streams, self.config)
