"""Two segments per sequence, and a term that predicts whether they are as in the text.

What next sentence prediction (Devlin et al. 2019) and sentence order prediction (Lan et al. 2020)
share: half of the sequences are unchanged, the others are changed, and a classifier on [CLS]
predicts which. A sequence [CLS] x[1] .. x[n-1] becomes

    [CLS] first segment [SEP] second segment

of the same n tokens: [SEP] takes one position, so the last token is left out. The cut is uniform
over all positions that leave each segment a token, and is drawn before and independently of what is
changed, so neither the position of [SEP] nor a length reveals the answer.

Differences from the papers, for both terms:

- Segments are spans of the packed stream of tokens that objectives get here: cut anywhere, possibly
  with the [SEP] of a document's end inside. The papers' are whole
  sentences of one document.
- There is no [SEP] at the end, as packed sequences have none.
- The engine passes no token types: the encoder recognises segments by [SEP] only.
- The corruption masks the sequence after it is rearranged, as in the papers' code.

Shape legend: B sequences of this process, T tokens, D width.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from objbench.contract.batch import Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import AddedTerm, Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, TermLoss
from objbench.errors import ConfigError
from objbench_objectives.sequence_vector import sequence_vectors

SHORTEST = 4
"""Tokens of the shortest pair: [CLS], one token, [SEP], one token."""


@dataclass(frozen=True, slots=True)
class Segments:
    """Two segments, before they are separated.

    Attributes:
        text: (B, T) int64, [CLS], the first segment and directly after it the second; columns
            beyond ``lengths`` - 2 are not read.
        first: (B,) int64, tokens of the first segment.
        lengths: (B,) int64, tokens of the resulting row, [CLS] and [SEP] included.
    """

    text: Tensor
    first: Tensor
    lengths: Tensor


def random_cuts(lengths: Tensor, streams: Streams, stream: str) -> Tensor:
    """(B,) int64, tokens of the first segment: uniform over 1 .. length - 3.

    Args:
        lengths: (B,) int64, of the rows with [CLS] and [SEP]; the result is 1 if a row is too short to cut.
        streams: source of ``stream``.
        stream: name of the stream.
    """
    choices = (lengths - (SHORTEST - 1)).clamp(min=1)
    return 1 + (streams.uniform(stream) * choices).long()


def separated(segments: Segments, separator: int, padding: int) -> Tensor:
    """(B, T) int64: [SEP] between the segments, and padding after them."""
    columns = torch.arange(segments.text.shape[1], device=segments.text.device)
    place = segments.first.unsqueeze(1) + 1
    moved = torch.where(columns < place, segments.text, segments.text.roll(1, dims=1))
    ids = moved.masked_fill(columns == place, separator)
    return ids.masked_fill(columns >= segments.lengths.unsqueeze(1), padding)


class SegmentPairPrediction(AddedTerm):
    """Cross-entropy of "changed" from [CLS], through BERT's pooler: C tanh(W h + b) + c.

    Which rows were changed, and which were long enough to be cut, is in the batch's extras as
    "NAME.changed" and "NAME.counted", (B,) bool.

    Args:
        config: a ``Config``.
        encoder_spec: of the encoder.
        joined: the objective; no other term of it may rearrange segments.

    Raises:
        ConfigError: another term rearranges segments.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config(AddedTerm.Config):
        """The option of both terms.

        Attributes:
            weight: factor of the term in the total loss.

        Raises:
            ConfigError: a value out of range.
        """

        weight: float = 1.0

        def __post_init__(self) -> None:
            if not self.weight >= 0:
                raise ConfigError(f"weight must not be negative, not {self.weight}")

    def __init__(self, config: Any, encoder_spec: EncoderSpec, joined: Objective) -> None:
        super().__init__(config, encoder_spec, joined)
        for term in joined.terms:
            if isinstance(term, SegmentPairPrediction):
                raise ConfigError(
                    f"{term.name} and {self.name} both rearrange the segments of a sequence, and "
                    f"one would undo the other's: leave out +{term.name} or +{self.name}"
                )
        self.vocabulary = encoder_spec.vocabulary
        special = torch.zeros(self.vocabulary.size, dtype=torch.bool)
        special[list(self.vocabulary.special)] = True
        # A buffer, so that it moves with the module; known from the vocabulary, so not stored.
        self.register_buffer("special", special, persistent=False)
        self.dense = nn.Linear(encoder_spec.width, encoder_spec.width)
        self.classes = nn.Linear(encoder_spec.width, 2)
        for linear in (self.dense, self.classes):
            nn.init.normal_(linear.weight, std=encoder_spec.initializer_range)
            nn.init.zeros_(linear.bias)

    @abstractmethod
    def segments(self, batch: Batch, changed: Tensor, streams: Streams) -> Segments:
        """Two segments of each row of ``batch``, not as in the text where ``changed``, (B,) bool.

        Only ``text`` may depend on what is changed, and ``first`` only such that its distribution
        does not.
        """

    def arrange(self, batch: Batch, streams: Streams) -> Batch:
        """``batch`` as two segments per row; rows of fewer than four tokens stay unchanged.

        Raises:
            ConfigError: no row is long enough.
        """
        length = batch.input_ids.shape[1]
        if length < SHORTEST:
            raise ConfigError(
                f"{self.name} cuts sequences in two: they need at least {SHORTEST} tokens, not "
                f"{length}; raise the sequence length"
            )
        changed = streams.uniform(f"{self.name}.changed") < 0.5
        segments = self.segments(batch, changed, streams)
        counted = segments.lengths >= SHORTEST
        cut = separated(segments, self.vocabulary.sep, self.vocabulary.pad)
        ids = torch.where(counted.unsqueeze(1), cut, batch.input_ids)
        columns = torch.arange(length, device=ids.device)
        shorter = columns < segments.lengths.unsqueeze(1)
        real = torch.where(counted.unsqueeze(1), shorter, batch.real)
        return replace(
            batch,
            input_ids=ids,
            special=self.special[ids],  # type: ignore[index]
            attention=None if batch.attention is None else real,
            extras={
                **batch.extras,
                f"{self.name}.changed": changed,
                f"{self.name}.counted": counted,
            },
        )

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing."""
        batch = encoder_pass.batch
        vectors = sequence_vectors(encoder_pass.last_hidden_state, batch)
        logits = self.classes(torch.tanh(self.dense(vectors)))
        changed, counted = (batch.extras[f"{self.name}.{what}"] for what in ("changed", "counted"))
        losses = functional.cross_entropy(logits.float(), changed.long(), reduction="none")
        return TermLoss(losses.masked_fill(~counted, 0.0).sum(), self.count_items(batch))

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The sequences that are long enough to be cut."""
        return corrupted.extras[f"{self.name}.counted"].sum().float()
