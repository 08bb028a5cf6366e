"""What an objective is given and what its corruption gives back.

Shape legend: B sequences of this process, T tokens, M predicted slots per sequence.

Predicted positions are kept as a rectangle of M slots a sequence, filled from the left, with a
mask of the slots in use. Every shape is then known before the batch is, which is what lets the
hot path run without a host sync, compile once, and never build logits over all positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

IGNORE_INDEX = -100
"""The label of a position that is not predicted, as in torch's cross-entropy."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Where this process's rows lie in the whole batch, and how to see the others'.

    Attributes:
        first: index in the whole batch of this process's first row.
        total: rows of the whole batch over all processes.
        gather: (B, ...) of every process -> (total, ...), in row order; carries no gradient.
    """

    first: int
    total: int
    gather: Callable[[Tensor], Tensor] = field(default=lambda tensor: tensor)

    @staticmethod
    def alone(count: int) -> Rows:
        """The rows of a batch that one process holds in full."""
        return Rows(first=0, total=count)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of token sequences before corruption.

    Attributes:
        input_ids: (B, T) int64.
        special: (B, T) bool, True at special tokens, padding included; never corrupted.
        attention: (B, T) bool, False at padding; None where nothing is padded.
        rows: this process's place in the whole batch.
        progress: share of the objective's own budget that is spent, in [0, 1], known to the host;
            1 on held-out text, so that it is corrupted alike at every point of a run.
        mode: which of the objective's modes is asked for, by who measures each of them; None where
            it is the objective's to draw. See ``Objective.modes``.
        extras: tensors that an arrangement or a corruption hands on to terms, by name.
    """

    input_ids: Tensor
    special: Tensor
    attention: Tensor | None
    rows: Rows
    progress: float = 1.0
    mode: str | None = None
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def real(self) -> Tensor:
        """(B, T) bool, True at tokens that are not padding."""
        return torch.ones_like(self.special) if self.attention is None else self.attention


@dataclass(frozen=True, slots=True)
class Corrupted(Batch):
    """A batch after corruption, with what is to be predicted.

    Attributes:
        positions: (B, M) int64, the column of each predicted slot, 0 in an unused slot; None
            where the objective predicts no tokens.
        targets: (B, M) int64, the original token of each slot, IGNORE_INDEX in an unused one.
        reads: (B, M) int64, the column whose hidden state each slot is predicted from; None where
            that is the slot's own.
        causal: let no token attend to those after it; the host's choice, for the whole batch.
    """

    positions: Tensor | None = None
    targets: Tensor | None = None
    reads: Tensor | None = None
    causal: bool = False

    @property
    def predicted(self) -> Tensor:
        """(B, T) bool, True at predicted positions.

        Raises:
            ValueError: the corruption predicts no tokens.
        """
        if self.positions is None or self.targets is None:
            raise ValueError("this corruption predicts no tokens")
        used = (self.targets != IGNORE_INDEX).to(torch.uint8)
        counts = torch.zeros_like(self.special, dtype=torch.uint8)
        # Unused slots point at column 0 and add nothing there.
        return counts.scatter_add(1, self.positions, used).bool()

    @staticmethod
    def of(
        batch: Batch,
        input_ids: Tensor | None = None,
        extras: Mapping[str, Tensor] | None = None,
        **fields: object,
    ) -> Corrupted:
        """``batch`` with other input ids, further extras and the fields of a corruption."""
        plain = Corrupted(batch.input_ids, batch.special, batch.attention, batch.rows)
        return replace(
            plain,
            input_ids=batch.input_ids if input_ids is None else input_ids,
            progress=batch.progress,
            mode=batch.mode,
            extras={**batch.extras, **(extras or {})},
            **fields,  # type: ignore[arg-type]
        )
