"""Passes of a training step, forward and backward, run in full on tensors without numbers and counted.

Shape legend: T tokens of a sequence.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from objbench.contract.batch import Batch, Rows
from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.random_streams import Streams
from objbench.engine.encoder.recomputed_layers import recompute_layers
from objbench.engine.measuring.counted_work import CountedWork
from objbench.engine.measuring.fake_network import DTYPES
from objbench.engine.training.flops import declared_flops, expected, flop_counter
from objbench.engine.training.step import TrainingStep
from objbench.study.choices import Precision


@dataclass(frozen=True, slots=True)
class Counted:
    """What one forward and backward pass does; in expectation over the modes, but for ``peak``.

    Attributes:
        flops: by the convention of ``engine.training.flops``, declared ones included, and those of
            layers that are computed again.
        peak: the most bytes that live at a time beyond weights, buffers and the optimizer's state;
            of the mode that needs most.
        launches: operators that compute something.
        moved: bytes that these read and write.
    """

    flops: float
    peak: int
    launches: float
    moved: float


class FakePasses:
    """Passes of one step; those of one kind are run once.

    Args:
        step: encoder and objective.
        mode: of their tensors; does nothing where these have numbers after all.
        precision: number format of activations.
        vocabulary: of the step.
        length: T.
        with_numbers: whether the tensors have numbers.
    """

    def __init__(
        self,
        step: TrainingStep,
        mode: AbstractContextManager[Any],
        precision: Precision,
        vocabulary: Vocabulary,
        length: int,
        *,
        with_numbers: bool,
    ) -> None:
        self._step, self._mode, self._precision = step, mode, precision
        self._vocabulary, self._length = vocabulary, length
        self._with_numbers = with_numbers
        self._counted: dict[tuple[int, bool, bool], Counted] = {}
        self._peaks: dict[tuple[int, bool, bool], int] = {}

    def counted(self, rows: int, after_others: bool = False, recomputes: bool = False) -> Counted:
        """One pass over ``rows`` sequences.

        Args:
            after_others: with the gradients of a part before it in memory.
            recomputes: with layers that are computed again.
        """
        key = rows, after_others, recomputes
        if key not in self._counted:
            self._recompute(recomputes)
            self._counted[key] = self._count(*key)
        return self._counted[key]

    def peak(self, rows: int, after_others: bool = False, recomputes: bool = False) -> int:
        """``counted(...).peak`` alone, without counting FLOPs, which takes longer than the pass."""
        key = rows, after_others, recomputes
        if key not in self._peaks:
            self._recompute(recomputes)
            modes = self._step.objective.modes
            works = (self._work(rows, mode, after_others, nullcontext()) for mode in modes)
            self._peaks[key] = max(work.peak for work in works)
        return self._peaks[key]

    def _recompute(self, recomputes: bool) -> None:
        recompute_layers(self._step, recomputes, draws_random_numbers=self._with_numbers)

    def _count(self, rows: int, after_others: bool, recomputes: bool) -> Counted:
        flops = launches = moved = 0.0
        peaks = []
        for mode, share in self._step.objective.modes.items():
            counter = flop_counter()
            work = self._work(rows, mode, after_others, counter)
            passes = 2 if after_others else 1
            flops += share * counter.get_total_flops() / passes
            launches += share * work.launches / passes
            moved += share * work.moved / passes
            peaks.append(work.peak)
        if not recomputes:  # the counter's hooks on modules hold what a layer computes again
            self._peaks[rows, after_others, recomputes] = max(peaks)
        declared = expected(
            declared_flops(self._step.objective, rows, self._length), self._step.objective.modes
        )
        peak = self.peak(rows, after_others, recomputes)
        return Counted(flops + declared, peak, launches, moved)

    def _work(
        self, rows: int, mode: str, after_others: bool, counter: AbstractContextManager[Any]
    ) -> CountedWork:
        work = CountedWork()
        with self._mode, self._autocast(), counter, work:
            self._pass(rows, mode)
            if after_others:
                work.peak = work.live
                self._pass(rows, mode)
        self._step.zero_grad(set_to_none=True)
        return work

    def _pass(self, rows: int, mode: str) -> None:
        words = self._vocabulary
        ids = torch.randint(len(words.special), words.size, (rows, self._length))
        ids[:, 0] = words.cls
        batch = Batch(ids, ids < len(words.special), None, Rows.alone(rows), mode=mode)
        totals, _ = self._step(batch, Streams(0, 0, 0, rows=rows))
        totals.sum().backward()

    def _autocast(self) -> torch.autocast:
        precision = self._precision
        return torch.autocast("cpu", DTYPES[precision], enabled=precision != "fp32")
