"""A second FLOP counter, for contractions that torch's own counter does not see.

A matrix product can be written as a gather, a product and a sum, or be computed in a custom kernel.
It is the same work, 2 FLOPs per multiply-add, so this counter counts:

- a sum over the result of a product of two tensors (not of a tensor and a number);
- a weighted embedding bag;
- a matrix product sampled at given places (``sampled_addmm``);
- products with vectors: ``mv``, ``dot``;
- a matrix product inside a custom operator.

It looks into custom operators written in Python, which torch shows to a counter as a whole. Kernels
that torch does not dispatch are listed as opaque. Sums of products that are not matrix products (a
squared norm, a weighted mean) are counted too; they are a small part of a step.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._library.custom_ops import OPDEFS
from torch.utils._python_dispatch import TorchDispatchMode

_OPAQUE_FREE = frozenset({"aten", "prim", "prims"})
_WEIGHTS = 6
"""Index of ``per_sample_weights`` among the arguments of every form of an embedding bag."""


class ContractionCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts contractions that torch does not see as matrix products, forward and backward.

    Attributes:
        flops: counted so far, 2 per multiply-add.
        opaque: names of operators that could not be looked into.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0.0
        self.opaque: set[str] = set()
        self._products: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        self._depth = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the operator, and count it if it is one of those above."""
        kwargs = kwargs or {}
        if func.namespace not in _OPAQUE_FREE:
            inside = OPDEFS.get(func._schema.name)
            if inside is None:
                self.opaque.add(func._schema.name)
            else:
                self._depth += 1
                try:
                    with self:
                        return inside._init_fn(*args, **kwargs)
                finally:
                    self._depth -= 1
        result = func(*args, **kwargs)
        name = func._schema.name.removeprefix("aten::").rstrip("_")
        if name == "mul" and len(args) > 1 and all(_is_array(factor) for factor in args[:2]):
            self._remember(result)
        elif name == "sum" and self._is_product(args[0]):
            self.flops += 2.0 * args[0].numel()
        elif name in _FORMULAS:
            self.flops += _FORMULAS[name](args, kwargs)
        elif self._depth and name in _MATRIX_PRODUCTS:
            first, second = args[_MATRIX_PRODUCTS[name] :][:2]
            self.flops += 2.0 * first.numel() * second.shape[-1]
        return result

    def _remember(self, product: Tensor) -> None:
        storage = product.untyped_storage()
        key = storage._cdata
        # The storage removes itself: another one may be given the same address.
        self._products[key] = weakref.ref(storage, lambda _: self._products.pop(key, None))

    def _is_product(self, tensor: object) -> bool:
        if not torch.is_tensor(tensor) or tensor.layout != torch.strided:
            return False
        return tensor.untyped_storage()._cdata in self._products


def _is_array(factor: object) -> bool:
    return torch.is_tensor(factor) and factor.numel() > 1


def _bag(args: Any, kwargs: Any) -> float:
    weights = kwargs.get("per_sample_weights", args[_WEIGHTS] if len(args) > _WEIGHTS else None)
    return 0.0 if weights is None else float(2 * args[1].numel() * args[0].shape[1])


def _sampled(args: Any, kwargs: Any) -> float:
    return float(2 * args[0].values().numel() * args[1].shape[1])


_FORMULAS: dict[str, Callable[[Any, Any], float]] = {
    "embedding_bag": _bag,
    "_embedding_bag": _bag,
    "_embedding_bag_forward_only": _bag,
    "sparse_sampled_addmm": _sampled,
    "mv": lambda args, kwargs: 2.0 * args[0].numel(),
    "addmv": lambda args, kwargs: 2.0 * args[1].numel(),
    "dot": lambda args, kwargs: 2.0 * args[0].numel(),
}

_MATRIX_PRODUCTS = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1}
"""Index of the first factor among the arguments; outside custom operators torch counts these."""
