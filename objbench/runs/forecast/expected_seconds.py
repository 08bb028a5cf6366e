"""How long steps and evaluations take: by the table of devices, or as measured on this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import torch

from objbench.contract.suite import Work
from objbench.engine.encoder.build import build_encoder
from objbench.engine.evaluation.step_seconds import finetuning_seconds
from objbench.engine.measuring.encoder_pass import EncoderPass, encoder_pass
from objbench.engine.measuring.objective_size import made_up_vocabulary
from objbench.judge.formatting import amount
from objbench.runs.forecast.devices import Device
from objbench.runs.forecast.expected_steps import ExpectedStep
from objbench.study.study import Study

BESIDE_STEPS = 0.4
"""Seconds of an evaluation beside its steps: the tokenizer, the examples' file, the metrics. This and the next
are what evaluations of the demo and of `tiny` took on two cores of a Xeon, beyond the steps measured there."""
PER_EXAMPLE = 8e-5
"""Seconds of an example that is scored, beside its share of a batch."""
PER_PARAMETER = 1e-8
"""Seconds of loading an encoder, per parameter: assumed, as small encoders do not show it."""

READ_TOKENS = 8192
"""Tokens of a batch that is only read."""


def beside_steps(parameters: int, work: Work) -> float:
    """Seconds of an evaluation of an encoder with so many parameters that are not spent in its steps."""
    return BESIDE_STEPS + PER_PARAMETER * parameters + PER_EXAMPLE * work.read


class Seconds(Protocol):
    """Says how long things take."""

    @property
    def words(self) -> str:
        """By what, such as "on one H100 at an assumed 24% of 989 TFLOP/s"."""

    def of_evaluation(self, work: Work) -> float:
        """Seconds of one evaluation."""


@dataclass(frozen=True)
class TableSeconds:
    """By the table: the longest of computing, moving bytes and launching operators.

    Attributes:
        device: of the table.
        study: whose preset and precision say what share of the peak is assumed.
        reading: an encoder's passes.
    """

    device: Device
    study: Study
    reading: EncoderPass

    @property
    def rate(self) -> float:
        """FLOP/s that are assumed."""
        precision = self.study.training.precision
        return self.device.share(self.study.preset) * self.device.peak(precision)

    @property
    def words(self) -> str:
        """The device and the share."""
        share = self.device.share(self.study.preset)
        peak = amount(self.device.peak(self.study.training.precision))
        one = "" if self.device.is_here else "one "
        return f"on {one}{self.device.name} at an assumed {share:.0%} of {peak} FLOP/s"

    def of_step(self, step: ExpectedStep) -> float:
        """Seconds of one optimizer step."""
        return self._longest(step.computed, step.moved, step.launches, 1)

    def of_evaluation(self, work: Work) -> float:
        """Seconds of one evaluation; a step launches as many operators as one of pretraining."""
        reading = self.reading
        trained = work.trained * reading.flops(work.length, trained=True)
        read = work.read * reading.flops(work.length, trained=False)
        batches = work.read * work.length / READ_TOKENS
        launches = reading.launches * (work.steps + batches / 3)
        passes = self._longest(trained + read, 0.0, launches, work.steps)
        return beside_steps(reading.parameters, work) + passes

    def _longest(self, flops: float, moved: float, launches: float, steps: int) -> float:
        bandwidth = self.device.bandwidth
        moving = moved / bandwidth if bandwidth else 0.0
        hosts = launches * self.device.launch + steps * self.device.step
        return max(flops / self.rate, moving, hosts)


@dataclass(frozen=True)
class TimedHere:
    """What was timed on this machine for one study, so that its next round times it no more.

    Attributes:
        steps: (objective, FLOPs of its step) -> seconds of a step; None where they cannot be measured.
        evaluations: (sequences, tokens of each) -> seconds of a step of fine-tuning, and of reading one
            sequence.
    """

    steps: dict[tuple[str, float], float | None] = field(default_factory=dict)
    evaluations: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasuredSeconds:
    """By steps that are taken here and now.

    Attributes:
        device: torch device string.
        study: whose encoder and precision are used.
        size: words of the vocabulary.
        threads: that a cell has; None for those that torch uses.
        timed: what is known already, and receives what is measured.
    """

    device: str
    study: Study
    size: int
    threads: int | None = None
    timed: TimedHere = field(default_factory=TimedHere)

    @property
    def words(self) -> str:
        """Where."""
        return f"on this machine ({self.device}), by steps measured here"

    def of_evaluation(self, work: Work) -> float:
        """Seconds of one evaluation, by steps of its size and length."""
        rows = max(1, round(work.trained / work.steps)) if work.steps else 1
        step, reading = self._measured(rows, max(4, round(work.length)))
        beside = beside_steps(self._parameters, work)
        return beside + work.steps * step + work.read * reading

    @cached_property
    def _parameters(self) -> int:
        """The number of parameters of the study's encoder."""
        words = made_up_vocabulary(self.size)
        with torch.device("meta"):
            encoder = build_encoder(self.study.encoder, words, self.study.data.length, seed=0)
        return sum(parameter.numel() for parameter in encoder.parameters())

    def _measured(self, rows: int, length: int) -> tuple[float, float]:
        found = self.timed.evaluations
        if (rows, length) not in found:
            study, before = self.study, torch.get_num_threads()
            words = made_up_vocabulary(self.size)
            encoder = build_encoder(study.encoder, words, max(length, study.data.length), seed=0)
            torch.set_num_threads(self.threads or before)
            try:
                found[rows, length] = finetuning_seconds(
                    encoder, self.device, study.training.precision, rows, length
                )
            finally:
                torch.set_num_threads(before)
        return found[rows, length]


def table_seconds(device: Device, study: Study, words: int) -> TableSeconds:
    """Times by the table for a study with a vocabulary of ``words`` words."""
    precision, length = study.training.precision, study.data.length
    reading = encoder_pass(study.encoder, made_up_vocabulary(words), length, precision)
    return TableSeconds(device, study, reading)
