"""Turns a step number into this process's batch on its device.

A batch is a pure function of (seed, step) and of this process's rank, so there is no position to
save: a resumed run requests the next step. Rows are gathered from a memory map, in well
under a millisecond, for some steps at a time, since for a small batch most of the cost is in the
calls, not in the rows. So no thread prefetches; on a GPU the copy is asynchronous.

Shape legend: S steps gathered at a time, R rows of a batch over all processes, B rows of this
process, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from objbench.contract.batch import Batch, Rows
from objbench.contract.encoder_spec import Vocabulary
from objbench.data.device_copy import copied_to
from objbench.data.heldout_split import HeldoutPart, part_indices, spread
from objbench.data.order import batch_indices
from objbench.data.packed_sequences import PackedSequences
from objbench.errors import ConfigError

AHEAD = 2**15
"""Tokens of this process that are gathered at once, if a step has fewer."""


def _alone(tensor: Tensor) -> Tensor:
    """The rows of all processes if there is only one."""
    return tensor


class Loader:
    """The batches of one run as one process sees them.

    Args:
        sequences: the training sequences.
        vocabulary: says which ids are special.
        seed: the pretraining seed, which keys the order.
        batch: R, sequences of an optimizer step, over all processes.
        device: where batches are put.
        process: index of this process.
        processes: their number.
        parts: number of equal parts in which every process is to compute its rows.
        gather: (B, ...) of every process -> (R, ...), in row order; see ``Rows``.

    Raises:
        ConfigError: ``batch`` cannot be split evenly over the processes and parts.
        DataError: there are fewer sequences than one batch needs.
    """

    def __init__(
        self,
        sequences: PackedSequences,
        vocabulary: Vocabulary,
        *,
        seed: int,
        batch: int,
        device: torch.device | str = "cpu",
        process: int = 0,
        processes: int = 1,
        parts: int = 1,
        gather: Callable[[Tensor], Tensor] = _alone,
    ) -> None:
        sequences.require(batch)
        if batch % (parts * processes):
            raise ConfigError(
                f"a batch of {batch} sequences cannot be split evenly into {parts} micro-batches "
                f"on {processes} processes: choose a multiple of {parts * processes}"
            )
        self._sequences = sequences
        self._seed = seed
        self._whole = batch
        self._device = torch.device(device)
        self._process = process
        self._processes = processes
        self._gather = gather
        special = torch.zeros(vocabulary.size, dtype=torch.bool)
        special[list(vocabulary.special)] = True
        self._special = special.to(self._device)
        self._steps = max(1, AHEAD // (batch // processes * sequences.length))
        self._block: tuple[int, Tensor, Tensor] | None = None

    def batch(self, step: int) -> Batch:
        """This process's rows of a step; over all processes the same, whatever their number.

        Returns:
            A batch with (B, T) int64 ``input_ids``, (B, T) bool ``special`` and no padding.
        """
        block, offset = divmod(step, self._steps)
        if self._block is None or self._block[0] != block:
            self._block = (block, *self._gathered(block))
        _, input_ids, special = self._block
        return self._batch(input_ids[offset], special[offset], self._whole)

    def heldout(
        self, sequences: PackedSequences, batches: int, part: HeldoutPart = "reported"
    ) -> Iterator[Batch]:
        """``batches`` batches of held-out text, each evenly spread over all of it.

        An incomplete batch at the end is dropped, unless it is the only one; then as many of its
        rows are used as can be split evenly over the processes.

        Args:
            sequences: the held-out sequences, in the order of the corpus.
            batches: how many batches to yield at most.
            part: which half; see ``part_indices``.

        Raises:
            DataError: there is less than one sequence for each process.
        """
        rows, usable = self._heldout_rows(sequences, part)
        count = min(batches, usable // rows)
        indices = part_indices(len(sequences), part, least=self._processes)
        for batch in spread(indices, count * rows).reshape(rows, count).T:
            yield self._of(sequences, batch)

    def heldout_rows(self, sequences: PackedSequences, part: HeldoutPart = "reported") -> int:
        """The rows of every batch of ``heldout``, over all processes; raises as that does."""
        return self._heldout_rows(sequences, part)[0]

    def _heldout_rows(self, sequences: PackedSequences, part: HeldoutPart) -> tuple[int, int]:
        """The rows of a batch of held-out text, and those that there are, over all processes."""
        sequences.require(self._processes)
        there = len(part_indices(len(sequences), part, least=self._processes))
        usable = there - there % self._processes
        return min(self._whole, usable), usable

    def _gathered(self, block: int) -> tuple[Tensor, Tensor]:
        """This process's rows of the S steps from S * ``block`` on: ids and which are special.

        (S, B, T) int64 and bool.
        """
        rows = self._steps * self._whole
        indices = batch_indices(self._seed, block, rows, len(self._sequences))
        own = indices.reshape(self._steps, self._processes, -1)[:, self._process]
        input_ids = self._placed(self._sequences.rows(own.ravel()))
        input_ids = input_ids.view(*own.shape, -1)
        return input_ids, self._special[input_ids]

    def _of(self, sequences: PackedSequences, indices: NDArray[np.int64]) -> Batch:
        """This process's share of the sequences ``indices`` of all processes."""
        count = len(indices) // self._processes
        first = self._process * count
        input_ids = self._placed(sequences.rows(indices[first : first + count]))
        return self._batch(input_ids, self._special[input_ids], len(indices))

    def _batch(self, input_ids: Tensor, special: Tensor, total: int) -> Batch:
        """A batch of this process's rows, out of ``total``."""
        first = self._process * len(input_ids)
        return Batch(
            input_ids=input_ids,
            special=special,
            attention=None,
            rows=Rows(first=first, total=total, gather=self._gather),
        )

    def _placed(self, rows: NDArray[np.int64]) -> Tensor:
        return copied_to(torch.from_numpy(rows), self._device)
