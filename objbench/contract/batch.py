"""The batch that an objective gets and the corrupted batch that it returns.

Shape legend: B sequences of this process, T tokens, M predicted slots per sequence.

Predicted positions are stored as a rectangle of M slots per sequence, filled from the left; unused
slots are marked in the targets. Every shape is then known before the batch is, so that the hot path
needs no host sync, compiles once, and never computes logits at all positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

IGNORE_INDEX = -100
"""The label of positions that are not predicted, as in torch's cross-entropy."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The place of this process's rows in the batch, and a way to get the other rows.

    With ``--micro-batches`` a term arranges the whole batch, and everything after that, from the
    corruption to the losses, is given one part of the batch at a time: "the batch" is then the
    part.

    Attributes:
        first: index in the batch of this process's first row.
        total: number of rows of the batch, over all processes.
        gather: (B, ...) of every process -> (total, ...), in row order; carries no gradient.
        parts: how many parts the batch of a step is computed in.
    """

    first: int
    total: int
    gather: Callable[[Tensor], Tensor] = field(default=lambda tensor: tensor)
    parts: int = 1

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
        attention: (B, T) bool, False at padding; None where nothing is padded. A corruption may also
            hide tokens from the encoder by False, anywhere in a sequence: what is real is then no
            longer the first tokens of each row.
        rows: this process's place in the whole batch.
        progress: share of the objective's own budget that is spent, in [0, 1], known to the host;
            with the "trunk" schedule, share of the cooldown, 0 before it: no point knows a budget
            beyond its own; 1 on held-out text, so that it is corrupted in the same way throughout a run.
        mode: the mode that the objective must use, set when each mode is measured; None if the
            objective is to draw one. See ``Objective.modes``.
        extras: tensors that an arrangement or a corruption passes to terms, by name. An
            arrangement's have one row per sequence.
        arranged: whether the terms have arranged it; set by the engine.
    """

    input_ids: Tensor
    special: Tensor
    attention: Tensor | None
    rows: Rows
    progress: float = 1.0
    mode: str | None = None
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    arranged: bool = False

    @property
    def real(self) -> Tensor:
        """(B, T) bool, True at tokens that are neither padding nor hidden from the encoder."""
        return torch.ones_like(self.special) if self.attention is None else self.attention


@dataclass(frozen=True, slots=True)
class Corrupted(Batch):
    """A batch after corruption, with the tokens to be predicted.

    Attributes:
        positions: (B, M) int64, the column of each predicted slot, 0 for unused slots; None if
            the objective predicts no tokens.
        targets: (B, M) int64, the original token of each slot, IGNORE_INDEX for unused slots.
        reads: (B, M) int64, the column whose hidden state predicts each slot; None if that is
            the position of the slot itself.
        causal: whether tokens attend to earlier tokens only; a bool for the whole batch.
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
        # Unused slots point to column 0 and add 0 there.
        return counts.scatter_add(1, self.positions, used).bool()

    @staticmethod
    def of(
        batch: Batch,
        input_ids: Tensor | None = None,
        extras: Mapping[str, Tensor] | None = None,
        **fields: object,
    ) -> Corrupted:
        """``batch`` with new input ids, additional extras and the given fields of ``Corrupted``."""
        plain = Corrupted(batch.input_ids, batch.special, batch.attention, batch.rows)
        return replace(
            plain,
            input_ids=batch.input_ids if input_ids is None else input_ids,
            progress=batch.progress,
            mode=batch.mode,
            extras={**batch.extras, **(extras or {})},
            **fields,  # type: ignore[arg-type]
        )
