"""Precisions, devices and torch.compile must compute the same loss and gradient."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from objbench.contract.batch import Batch
from objbench.contract.random_streams import Streams
from objbench.engine.encoder.compiled import compile_encoder
from objbench.engine.training.step import TrainingStep
from objbench.plugins.conformance.check import Broken, Check, NotChecked
from objbench.plugins.conformance.subject import Losses, Subject, gradients, losses

_log = logging.getLogger(__name__)

BF16_LOSS = 0.05
"""Largest relative difference of a term's mean in bfloat16, whose numbers have 8 bits."""

BF16_COSINE = 0.9
"""Smallest cosine of the gradients in bfloat16 and float32, all parameters together."""

SAME_LOSS = 1e-3
"""Largest relative difference of a term's mean when only the order of sums changes."""

SAME_COSINE = 0.999


class _Placed(Streams):
    """Random numbers of the CPU's generator, moved to another device."""

    def __init__(self, subject: Subject, batch: Batch, device: torch.device) -> None:
        super().__init__(subject.job.seed, 0, 0, rows=batch.rows.total)
        self._wanted = device

    def uniform(self, stream: str, *shape: int) -> Tensor:
        return super().uniform(stream, *shape).to(self._wanted)

    def integers(self, stream: str, high: int, *shape: int) -> Tensor:
        return super().integers(stream, high, *shape).to(self._wanted)


def precisions(subject: Subject) -> str:
    """float32 against bfloat16 autocast."""
    batch = subject.batch()
    full = _passed(subject.step(), batch, subject.streams(batch))
    half = _passed(subject.step(), batch, subject.streams(batch), bf16=True)
    return _require_close(subject, full, half, "bfloat16", BF16_LOSS, BF16_COSINE)


def devices(subject: Subject) -> str:
    """The CPU against a CUDA device, with the CPU's random numbers on both."""
    if not torch.cuda.is_available():
        raise NotChecked("torch sees no CUDA device here")
    batch, device = subject.batch(), torch.device("cuda")
    cpu = _passed(subject.step(), batch, subject.streams(batch))
    moved = replace(batch, input_ids=batch.input_ids.to(device), special=batch.special.to(device))
    module = subject.step(device)
    cuda = _passed(module, moved, _Placed(subject, batch, device))
    return _require_close(subject, cpu, cuda, "CUDA", SAME_LOSS, SAME_COSINE)


def compiled(subject: Subject) -> str:
    """Eager against the compiled encoder, as ``--compile`` trains it."""
    if not subject.compiles:
        raise NotChecked("takes about a minute; run it with --compile")
    batch = subject.batch()
    eager = _passed(subject.step(), batch, subject.streams(batch))
    module = subject.step()
    if not compile_encoder(module.encoder, batch, _log):
        raise NotChecked("torch.compile does not work for this encoder on this machine")
    made = _passed(module, batch, subject.streams(batch))
    return _require_close(subject, eager, made, "compiled", SAME_LOSS, SAME_COSINE)


_Passed = tuple[Losses, dict[str, Tensor]]


def _passed(module: TrainingStep, batch: Batch, streams: Streams, bf16: bool = False) -> _Passed:
    result = losses(module, batch, streams, bf16=bf16)
    result.backward()
    return result, gradients(module)


def _require_close(
    subject: Subject, one: _Passed, other: _Passed, where: str, loss: float, cosine: float
) -> str:
    names = [term.name for term in subject.step().objective.terms]
    left, right = one[0].means, other[0].means.cpu()
    differences = ((left - right).abs() / left.abs().clamp(min=1e-3)).tolist()
    for name, difference, a, b in zip(names, differences, left, right, strict=True):
        if not difference <= loss:
            raise Broken(f"{name!r} is {float(a):.5g}, and in {where} {float(b):.5g}")
    found = _cosine(one[1], other[1])
    if not found >= cosine:
        raise Broken(
            f"the gradient in {where} has a cosine of only {found:.3f} with that in float32 on the CPU"
        )
    return f"losses within {max(differences):.1e}, cosine of the gradients {found:.4f}"


def _cosine(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The cosine of all gradients together; 1 if both are zero."""
    products: list[Any] = [0.0, 0.0, 0.0]
    for name in one.keys() | other.keys():
        present = one.get(name, other.get(name))
        assert present is not None
        zero = torch.zeros_like(present)
        a, b = (g.get(name, zero).double().cpu() for g in (one, other))
        for index, product in enumerate(((a * b).sum(), a.square().sum(), b.square().sum())):
            products[index] += float(product)
    dot, size, other_size = products
    if size == other_size == 0:
        return 1.0
    return float(dot / max((size * other_size) ** 0.5, 1e-30))


CHECKS = (
    Check(
        "bfloat16 agrees",
        "presets for GPUs train in bfloat16; if that changes the loss, they train another objective",
        "convert hidden states with .float() before norms, similarities, log and exp, and write "
        "sums of losses as (a * b).sum(), which autocast does not touch, instead of a @ b",
        precisions,
    ),
    Check(
        "CUDA agrees",
        "an objective that creates tensors on the CPU, or depends on the order of sums, works on "
        "one device only",
        "create tensors on the device of the inputs: device=batch.input_ids.device, new_zeros, "
        "register_buffer",
        devices,
    ),
    Check(
        "torch.compile agrees",
        "with --compile the encoder's outputs come from a compiled graph; a term that writes into "
        "them, or into the weights, changes what that graph has saved for its backward pass",
        "do not write into tensors of the pass; create new ones",
        compiled,
    ),
)
