"""Training FLOPs of a real step, counted by one convention.

- A multiply-add is 2 FLOPs; only matrix products (and convolutions) count. Element-wise work,
  reductions, softmax, dropout and embedding look-ups count 0, and so does the optimizer.
- The forward and the backward pass are counted as they are executed: what needs no gradient costs
  nothing, and a head that runs on masked positions only costs just that.
- Attention counts its 2 matrix products forward and 4 backward whichever kernel runs it. Fused
  kernels recompute the scores in their backward pass; that is the kernel's choice and is not
  counted, so that eager and fused attention, on a CPU or a GPU, give the same number. Causal
  attention counts in full too, as it runs: an explicit mask hides half of the products' results
  and saves none of them.
- Work that replaces a matrix product without being one (gather and sum, a custom kernel) is what
  the objective declares in ``extra_flops``.
- An objective with several modes (see ``Objective.modes``) is counted in each of them, and what it
  declares is asked for in each. Its FLOPs are the mean weighted by their shares: the expectation of a
  step, the same at every seed. Where the modes follow each other as phases of a budget, what was
  spent up to a step is summed by phase (``results.phase_costs``).

torch's counter learns the attention kernels that it does not know (the CPU's) and is overruled on
those that it counts with recomputation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from objbench.contract.batch import Batch
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.engine.global_generators import forked_generators
from objbench.engine.training.step import TrainingStep

_FUSED_ATTENTION = (
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
    "_scaled_dot_product_fused_attention_overrideable",
)


@dataclass(frozen=True, slots=True)
class CountedPass:
    """The result of passes that were run only to be counted.

    Attributes:
        flops: of this process for one part of the batch, forward and backward, in expectation.
        by_mode: the same of a batch in each mode.
        unused: names of trainable parameters that got no gradient in some mode.
    """

    flops: float
    by_mode: Mapping[str, float]
    unused: tuple[str, ...]


def count_training_flops(step: TrainingStep, batch: Batch, streams: Streams) -> CountedPass:
    """Count a forward and backward pass over ``batch`` in each mode, plus what is declared.

    Leaves weights, buffers and the global random state as they were, and no gradients.

    Args:
        step: in training mode; an autocast around this call is in force.
        batch: one process's rows of one part of the batch.
        streams: that part's.
    """
    rows, length = batch.input_ids.shape
    modes, declared = step.objective.modes, declared_flops(step.objective, rows, length)
    flops, by_mode, unused = 0.0, {}, set()
    for mode, share in modes.items():
        with leaving_no_trace(step, batch), flop_counter() as counter:
            totals, _ = step(replace(batch, mode=mode), streams)
            totals.sum().backward()
            unused |= {n for n, p in step.named_parameters() if p.requires_grad and p.grad is None}
        flops += share * counter.get_total_flops()
        by_mode[mode] = counter.get_total_flops() + declared[mode]
    return CountedPass(
        flops=flops + expected(declared, modes),
        by_mode=by_mode,
        unused=tuple(name for name, _ in step.named_parameters() if name in unused),
    )


def declared_flops(objective: Objective, rows: int, length: int) -> dict[str, float]:
    """What ``objective`` declares of a batch of ``rows`` x ``length`` tokens, in each of its modes."""
    found = {}
    for mode in objective.modes:
        with objective.counting(mode):
            found[mode] = float(objective.extra_flops(rows, length))
    return found


def expected(by_mode: Mapping[str, float], shares: Mapping[str, float]) -> float:
    """The mean over modes weighted by their shares; to the bit their value where all have one."""
    first, *_ = by_mode.values()
    return first + sum(share * (by_mode[mode] - first) for mode, share in shares.items())


def flop_counter() -> FlopCounterMode:
    """A counter of matrix products by this module's convention, as a context."""
    return FlopCounterMode(display=False, custom_mapping=_attention_formulas())


@contextmanager
def leaving_no_trace(step: TrainingStep, batch: Batch) -> Iterator[None]:
    """Afterwards, buffers and the global random state are as before, and gradients are cleared."""
    buffers = [buffer.clone() for buffer in step.buffers()]
    with forked_generators(batch.input_ids.device):
        yield
    step.zero_grad(set_to_none=True)
    _restore(step, buffers)


@torch.no_grad()
def _restore(module: nn.Module, buffers: list[torch.Tensor]) -> None:
    for buffer, before in zip(module.buffers(), buffers, strict=True):
        buffer.copy_(before)


def _forward(query: Any, key: Any, value: Any, *args: Any, **kwargs: Any) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


def _backward(grad: Any, query: Any, key: Any, value: Any, *args: Any, **kwargs: Any) -> int:
    # Gradients of two products, two products each.
    return 2 * _forward(query, key, value)


def _attention_formulas() -> dict[Any, Callable[..., int]]:
    formulas: dict[Any, Callable[..., int]] = {}
    for name in _FUSED_ATTENTION:
        for suffix, formula in (("", _forward), ("_backward", _backward)):
            operator = getattr(torch.ops.aten, name + suffix, None)
            if operator is not None:
                formulas[operator] = formula
    return formulas
