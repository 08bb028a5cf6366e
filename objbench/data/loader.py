"""Turns a step number into this process's batch on its device.

A batch is a pure function of (seed, step, micro-batch) and of this process's place, so there is
no position to save: a resumed run asks for the next step. Rows are gathered from a memory map in
well under a millisecond, which is why nothing is prefetched; on a GPU the copy is asynchronous.

Shape legend: R rows of a micro-batch over all processes, B rows of this process, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from objbench.batch import Batch, Rows
from objbench.data.heldout import HeldoutPart, part_indices, spread
from objbench.data.order import batch_indices
from objbench.data.sequences import PackedSequences
from objbench.errors import ConfigError
from objbench.objective import Vocabulary


def _alone(tensor: Tensor) -> Tensor:
    """The rows of all processes where there is one."""
    return tensor


class Loader:
    """The batches of one run as one process sees them.

    Args:
        sequences: the training sequences.
        vocabulary: tells which ids are special.
        seed: the pretraining seed, which keys the order.
        batch: sequences of an optimizer step, over all processes and micro-batches.
        device: where batches are wanted.
        process: index of this process.
        processes: how many there are.
        gather: (B, ...) of every process -> (R, ...), in row order; see ``Rows``.

    Raises:
        ConfigError: ``batch`` cannot be split evenly over the processes.
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
        gather: Callable[[Tensor], Tensor] = _alone,
    ) -> None:
        sequences.require(batch)
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
        self._rows_of_micro(1)

    def batch(self, step: int, micro: int = 0, micros: int = 1) -> Batch:
        """This process's rows of micro-batch ``micro`` out of ``micros`` of a step.

        The rows of a step are cut into ``micros`` equal parts, and each part into equal shares
        for the processes; with every process and micro-batch taken together they are the same
        rows whatever both numbers are.

        Returns:
            A batch with (B, T) int64 ``input_ids``, (B, T) bool ``special`` and no padding.

        Raises:
            ConfigError: the batch cannot be split evenly.
            IndexError: there is no such micro-batch.
        """
        if not 0 <= micro < micros:
            raise IndexError(f"micro-batch {micro} of {micros} does not exist")
        total = self._rows_of_micro(micros)
        whole = batch_indices(self._seed, step, self._whole, len(self._sequences))
        return self._of(self._sequences, whole[micro * total : (micro + 1) * total])

    def heldout(
        self, sequences: PackedSequences, batches: int, part: HeldoutPart = "reported"
    ) -> Iterator[Batch]:
        """``batches`` batches of held-out text, each spread evenly over all of it.

        An incomplete batch at the end is dropped, unless it is the only one: then as many of its
        rows are used as can be split evenly over the processes.

        Args:
            sequences: the held-out sequences, in the order of the corpus.
            batches: how many batches to yield at most.
            part: which half; see ``part_indices``.

        Raises:
            DataError: there is less than one sequence for each process.
        """
        sequences.require(self._processes)
        indices = part_indices(len(sequences), part, least=self._processes)
        usable = len(indices) - len(indices) % self._processes
        rows = min(self._whole, usable)
        count = min(batches, usable // rows)
        for batch in spread(indices, count * rows).reshape(rows, count).T:
            yield self._of(sequences, batch)

    def _rows_of_micro(self, micros: int) -> int:
        """R, the rows of one of ``micros`` micro-batches."""
        if micros < 1 or self._whole % (micros * self._processes):
            raise ConfigError(
                f"a batch of {self._whole} sequences cannot be split evenly into {micros} "
                f"micro-batches on {self._processes} processes: choose a multiple of "
                f"{max(1, micros) * self._processes}"
            )
        return self._whole // micros

    def _of(self, sequences: PackedSequences, indices: NDArray[np.int64]) -> Batch:
        """This process's share of the sequences ``indices`` of all processes."""
        count = len(indices) // self._processes
        first = self._process * count
        input_ids = self._placed(sequences.rows(indices[first : first + count]))
        return Batch(
            input_ids=input_ids,
            special=self._special[input_ids],
            attention=None,
            rows=Rows(first=first, total=len(indices), gather=self._gather),
        )

    def _placed(self, rows: NDArray[np.int64]) -> Tensor:
        ids = torch.from_numpy(rows)
        if self._device.type == "cuda":
            return ids.pin_memory().to(self._device, non_blocking=True)
        return ids.to(self._device)
