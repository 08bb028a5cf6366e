"""Peak memory of one optimizer step, of one model among several in the same process.

It is the weights, buffers and optimizer state of this model, plus the most that a step holds
beyond them. On CUDA the latter is the peak of torch's allocator. A CPU has no such count, and the
resident memory of the process is too coarse for a small encoder and blurred by what the allocator
keeps. So tensors are counted while they live: each result of an operator, from its creation until
its storage is freed. That misses what an operator needs internally and is exact otherwise: on the
`tiny` preset it is, to the byte, the peak that torch's profiler finds in the allocator's own events
(torch 2.13), which the profiler cannot report without writing to stderr.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import PreTrainedModel

from objbench.engine.training.session import Session

ON_CUDA = "CUDA allocated"
ELSEWHERE = "live tensors"


def step_memory(session: Session, step: Callable[[], object]) -> tuple[int, str]:
    """The peak of one step.

    Args:
        session: after a step, so that its optimizer has its state.
        step: takes one step of the session.

    Returns:
        Bytes, and their kind: ON_CUDA, or ELSEWHERE, measured without torch.compile.
    """
    optimizer = session.optimizer.state.values()
    held = _bytes(
        [
            *session.module.parameters(),
            *session.module.buffers(),
            *(value for state in optimizer for value in state.values() if torch.is_tensor(value)),
        ]
    )
    if session.device.type == "cuda":
        return held + _allocated(session.device, step), ON_CUDA
    with uncompiled(session.module.encoder), LiveTensors() as live:
        step()
    return held + live.peak, ELSEWHERE


class LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors made inside it for as long as they live.

    Attributes:
        live: bytes now.
        peak: the most so far.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = 0
        self.peak = 0
        self._watched: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the operator and count its results, except for views and inputs."""
        kwargs = kwargs or {}
        given = {storage._cdata for storage in _storages((args, kwargs))}
        result = func(*args, **kwargs)
        for storage in _storages(result):
            if storage._cdata not in given and storage._cdata not in self._watched:
                self._watch(storage)
        return result

    def _watch(self, storage: torch.UntypedStorage) -> None:
        size, number = storage.nbytes(), storage._cdata
        self.live += size
        self.peak = max(self.peak, self.live)
        self._watched[number] = weakref.ref(storage, partial(self._free, number, size))

    def _free(self, number: int, size: int, _: object) -> None:
        self.live -= size
        del self._watched[number]


@contextmanager
def uncompiled(encoder: PreTrainedModel) -> Iterator[None]:
    """Run ``encoder`` without torch.compile for a while.

    A mode that watches single operators must not run on a compiled graph: torch would then give
    up compiling that code for the rest of the process.
    """
    compiled, encoder._compiled_call_impl = encoder._compiled_call_impl, None
    try:
        yield
    finally:
        encoder._compiled_call_impl = compiled


def _allocated(device: torch.device, step: Callable[[], object]) -> int:
    gc.collect()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    step()
    return int(torch.cuda.max_memory_allocated(device) - before)


def _storages(tree: object) -> list[torch.UntypedStorage]:
    return [
        leaf.untyped_storage()
        for leaf in tree_leaves(tree)
        if isinstance(leaf, Tensor) and leaf.layout == torch.strided
    ]


def _bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of the storages of ``tensors``, each counted once."""
    storages = (tensor.untyped_storage() for tensor in tensors)
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
