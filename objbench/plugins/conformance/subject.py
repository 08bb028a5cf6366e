"""The objective that is checked: its job, and the parts of a single step.

Steps here run without dropout, which draws from the global generator and would hide what the checks
look for. The encoder is therefore in evaluation mode, as is every network of transformers inside
the objective; the objective's own modules stay in training mode.

Shape legend: B sequences, T tokens, K terms of the objective.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from transformers import PreTrainedModel

from objbench.contract.batch import Batch
from objbench.contract.random_streams import Streams
from objbench.data.loader import Loader
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.training.job import PretrainJob
from objbench.engine.training.step import TrainingStep, mean_loss, term_weights
from objbench.engine.training.teachers import frozen_teachers


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked, and how thoroughly.

    Attributes:
        job: the objective with its options, a small batch and short sequences, on the CPU.
        against: a job of another objective, to compare the cost per step with; None for no comparison.
        compiles: whether to run the check of torch.compile, which takes a minute.
        start_method: how other processes are started, as ``multiprocessing`` names it.
        mode: the objective's mode that batches ask for; None to let it draw.
    """

    job: PretrainJob
    against: PretrainJob | None = None
    compiles: bool = False
    start_method: str = "spawn"
    mode: str | None = None

    def step(self, device: torch.device | None = None) -> TrainingStep:
        """A new encoder and objective with the job's initial weights, without dropout.

        Args:
            device: device of the modules and of any teachers; the CPU when None.
        """
        return self.with_teachers(device)[0]

    def with_teachers(
        self, device: torch.device | None = None
    ) -> tuple[TrainingStep, dict[str, nn.Module]]:
        """The module that ``step`` makes, and the frozen encoders that it learns from, by name."""
        where = device or torch.device("cpu")
        job = self.job
        encoder = build_encoder(job.encoder, job.vocabulary, job.length, job.seed)
        encoder_spec = encoder_spec_of(encoder, job.vocabulary)
        objective = build_objective(job.objective, job.config, encoder_spec, job.seed)
        teachers = frozen_teachers(job, where)
        module = TrainingStep(encoder, objective, teachers).to(where).train()
        silence(module)
        return module, teachers

    def batch(self, number: int = 0) -> Batch:
        """Rows of the training text: (B, T) ids without padding."""
        job = self.job
        loader = Loader(job.train, job.vocabulary, seed=job.seed, batch=job.training.batch)
        return replace(loader.batch(number), mode=self.mode)

    def modes(self) -> tuple[str, ...]:
        """The objective's modes."""
        return tuple(self.step().objective.modes)

    def streams(self, batch: Batch, number: int = 0) -> Streams:
        """The random numbers of ``batch`` at step ``number``."""
        return Streams(self.job.seed, number, 0, rows=batch.rows.total)


@dataclass(frozen=True, slots=True)
class Losses:
    """The losses of one pass.

    Attributes:
        totals: (K,) float32, with their graph.
        counts: (K,) float32.
        loss: () float32, the scalar that is differentiated, with its graph.
    """

    totals: Tensor
    counts: Tensor
    loss: Tensor

    def backward(self) -> None:
        """Add the gradients of the loss to the existing ones."""
        torch.autograd.backward(self.loss)

    @property
    def means(self) -> Tensor:
        """(K,) float64, each term's mean over the batch, without its graph."""
        return self.totals.detach().double() / self.counts.double().clamp(min=1)


def losses(module: TrainingStep, batch: Batch, streams: Streams, bf16: bool = False) -> Losses:
    """One forward pass of ``module``, in bfloat16 autocast if ``bf16``."""
    device = batch.input_ids.device
    # A copy, so that an objective that writes into its batch spoils one pass and not the next.
    batch = replace(batch, input_ids=batch.input_ids.clone())
    with torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext():
        totals, counts = module(batch, streams)
    weights = term_weights(module.objective, device)
    return Losses(totals, counts, mean_loss(totals, counts, weights, 1))


def gradients(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the gradients, by the name of the parameter; parameters without one are left out."""
    return {
        name: parameter.grad.detach().clone()
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }


def relative_difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """|one - other| / |one| over all gradients together; a missing gradient counts as zero."""
    difference, size = 0.0, 0.0
    for name in one.keys() | other.keys():
        left, right = one.get(name), other.get(name)
        present = left if left is not None else right
        assert present is not None
        zero = torch.zeros_like(present)
        left, right = (zero if g is None else g for g in (left, right))
        difference += float((left.double() - right.double().to(left.device)).square().sum())
        size += float(left.double().square().sum())
    return math.sqrt(difference / max(size, 1e-24))


def on_rows(batch: Batch, input_ids: Tensor, vocabulary_special: tuple[int, ...]) -> Batch:
    """``batch`` with other (B, T) ``input_ids`` of unpadded rows."""
    special = torch.isin(input_ids, torch.tensor(vocabulary_special))
    rows = replace(batch.rows, total=len(input_ids))
    return replace(batch, input_ids=input_ids, special=special, attention=None, rows=rows)


def silence(module: TrainingStep) -> None:
    """Switch off every dropout of ``module`` and leave the rest in training mode."""
    module.encoder.train(False)
    for part in module.objective.modules():
        if isinstance(part, (_DropoutNd, PreTrainedModel)):
            part.train(False)
