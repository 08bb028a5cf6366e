"""Operators that compute something, the bytes that they move, and the tensors that live meanwhile."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from objbench.engine.measuring.step_memory import LiveTensors

_NO_WORK = ("empty", "empty_like", "_unsafe_view", "detach")
"""Operators that compute nothing, though they are no views."""


class CountedWork(LiveTensors):  # type: ignore[no-untyped-call]
    """Counts operators that compute, and the bytes that they read and write, as well.

    Attributes:
        launches: operators that computed something.
        moved: bytes that these read and wrote.
    """

    def __init__(self) -> None:
        super().__init__()
        self.launches = 0
        self.moved = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if not func.is_view and func.namespace != "prim" and func._opname not in _NO_WORK:
            self.launches += 1
            for tree in (args, kwargs, result):
                self.moved += _bytes_of(tree)
        return result


def _bytes_of(tree: object) -> int:
    if isinstance(tree, Tensor):
        return tree.numel() * tree.element_size()
    if isinstance(tree, dict):
        return sum(map(_bytes_of, tree.values()))
    return sum(map(_bytes_of, tree)) if isinstance(tree, list | tuple) else 0
