"""A training step without numbers: FLOPs and memory of any size, from shapes alone.

Encoders are built on torch's "meta" device and run on fake tensors, which have shapes, types and
lifetimes and no contents. So the step of a model that fits on no machine at hand is counted in
seconds, by the same code that trains it: FLOPs by ``engine.training.flops``, and memory as
``step_memory`` counts it, the tensors that live at the same time.

A large batch is extended from small ones, as ``extended_counts`` says.

For a GPU fused attention with dropout keeps no probabilities, as there. What is not imitated: a
cross-entropy has larger blocks there. None of it has been measured on a GPU.

Shape legend: B sequences, T tokens.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from objbench.contract.composition import ObjectiveClass
from objbench.contract.encoder_spec import Vocabulary
from objbench.engine.encoder.build import build_objective, encoder_spec_of
from objbench.engine.encoder.cpu_kernels import use_cpu_kernels
from objbench.engine.encoder.recomputed_layers import recompute_layers
from objbench.engine.measuring.extended_counts import (
    counted_sizes,
    extended_flops,
    extended_peak,
    straight,
)
from objbench.engine.measuring.fake_network import Planned, materialise, planned_network
from objbench.engine.measuring.fake_passes import Counted, FakePasses
from objbench.engine.training.parameter_groups import parameter_groups, product_matrices
from objbench.engine.training.step import TrainingStep
from objbench.engine.training.teachers import stand_ins
from objbench.study.settings import EncoderSection, TrainingSection


class FakeStep:
    """The step of an objective at one encoder, for any number of sequences.

    Args:
        kind: the objective's class or composition.
        config: an instance of its ``Config``.
        encoder: model type and configuration.
        training: precision, optimizer, and whether layers are computed again.
        vocabulary: of the size of the tokenizer's.
        length: T.
        planned: the kind of device whose memory is asked for.
        with_numbers: run it on real tensors after all, for code that reads them.

    Attributes:
        encoder_parameters: their number.
        heads: term -> its own parameters.
        exported_parameters: of the encoder and its token head.
        trained_parameters: of the encoder and the objective.
        outside_terms: parameters of the objective that belong to no term, such as a generator's.
        with_numbers: whether it runs on real tensors.

    Raises:
        ConfigError: the encoder does not fit.
    """

    def __init__(
        self,
        kind: ObjectiveClass,
        config: Any,
        encoder: EncoderSection,
        training: TrainingSection,
        vocabulary: Vocabulary,
        length: int,
        planned: Planned = "cpu",
        *,
        with_numbers: bool = False,
    ) -> None:
        self._length = length
        self._training = training
        self._vocabulary = vocabulary
        self.with_numbers = with_numbers
        with nullcontext() if with_numbers else torch.device("meta"):
            network = planned_network(encoder, vocabulary, length, planned)
            teachers = stand_ins(kind.teachers(config), encoder, vocabulary, length, seed=0)
        # With numbers, since some objectives read tables of the vocabulary; heads are small.
        objective = build_objective(kind, config, encoder_spec_of(network, vocabulary), seed=0)
        fake = FakeTensorMode(allow_non_fake_inputs=True)
        self._mode: AbstractContextManager[Any] = nullcontext() if with_numbers else fake
        with self._mode:
            if not with_numbers:
                materialise([network, objective, *teachers.values()])
            self._step = TrainingStep(network, objective, teachers).train()
            for module in (self._step, *teachers.values()):
                trains = module is self._step
                if planned == "cpu":
                    cpu, checks = torch.device("cpu"), with_numbers
                    use_cpu_kernels(
                        module, cpu, training.precision, length, trains, is_checked=checks
                    )
        if training.activation_checkpointing:
            recompute_layers(self._step)  # refused now, if it cannot be
        self.encoder_parameters = sum(p.numel() for p in network.parameters())
        own = {id(p): p.numel() for p in network.parameters()}
        head = objective.token_head
        kept = {id(p): p.numel() for p in (head.parameters() if head is not None else ())}
        self.exported_parameters = sum({**own, **kept}.values())
        self.trained_parameters = sum(p.numel() for p in self._step.parameters() if p.requires_grad)
        self.heads = {t.name: sum(p.numel() for p in t.parameters()) for t in objective.terms}
        whole = sum(p.numel() for p in objective.parameters())
        self.outside_terms = whole - sum(self.heads.values())
        self._passes = FakePasses(
            self._step,
            self._mode,
            training.precision,
            vocabulary,
            length,
            with_numbers=with_numbers,
        )

    @property
    def step(self) -> TrainingStep:
        """The module; its parameters have shapes and no numbers."""
        return self._step

    def flops(self, rows: int) -> float:
        """Training FLOPs of one pass, forward and backward, over ``rows`` sequences; exact.

        Layers that are computed again count once.
        """
        return self._extended_flops(rows, recomputes=False)

    def whole(self, rows: int) -> Counted:
        """All that one pass over ``rows`` sequences does, layers computed again included.

        All but the FLOPs is extended in a straight line. Launches are those of a few sequences: on
        a GPU they do not grow with the batch.
        """
        again = self._training.activation_checkpointing
        sizes = self._sizes(rows)
        low, high = (self.counted(size, recomputes=again) for size in (sizes[0], sizes[-1]))
        moved = straight(sizes[0], low.moved, sizes[-1], high.moved, rows)
        peak = self._extended_peak(rows, False, again)
        return Counted(self._extended_flops(rows, again), peak, low.launches, moved)

    def peak(self, rows: int, parts: int = 1, recomputes: bool | None = None) -> int:
        """The most bytes that a step on ``rows`` sequences in ``parts`` parts needs at a time.

        Weights, buffers and the optimizer's state included; of a later part the gradients of those
        before it too.

        Args:
            recomputes: whether layers are computed again; as the settings say if None.

        Raises:
            ConfigError: they cannot be.
        """
        again = self._training.activation_checkpointing if recomputes is None else recomputes
        return self.held + self._extended_peak(rows // parts, parts > 1, again)

    @property
    def held(self) -> int:
        """Bytes of weights, buffers and optimizer state, which are there all the time."""
        tensors = {id(t): t for t in (*self._step.parameters(), *self._step.buffers())}
        weights = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        by_muon = product_matrices(self._step) if self._training.optimizer.name == "muon" else ()
        one = {id(parameter) for parameter in by_muon}
        state = sum(
            4 * ((1 if id(parameter) in one else 2) * parameter.numel() + 1)
            for group in parameter_groups(self._step).values()
            for parameter in group
        )
        return weights + state

    def counted(self, rows: int, after_others: bool = False, recomputes: bool = False) -> Counted:
        """One pass over ``rows`` sequences, run in full; see ``FakePasses.counted``."""
        return self._passes.counted(rows, after_others, recomputes)

    def _extended_flops(self, rows: int, recomputes: bool) -> float:
        return extended_flops(
            lambda size: self.counted(size, recomputes=recomputes).flops, self._sizes(rows), rows
        )

    def _extended_peak(self, rows: int, after_others: bool, recomputes: bool) -> int:
        return extended_peak(
            lambda size: self._passes.peak(size, after_others, recomputes), self._sizes(rows), rows
        )

    def _sizes(self, rows: int) -> tuple[int, ...]:
        return counted_sizes(rows, self._length, self.with_numbers)
