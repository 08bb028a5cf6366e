"""Several optimizers as one: each takes the step of its own parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer


class JoinedOptimizer(Optimizer):
    """One optimizer whose groups are those of ``parts``, in their order.

    Groups and moments are shared with the parts, so that learning rates, ``state_dict`` and
    ``load_state_dict`` are those of any optimizer.

    Args:
        parts: with different parameters.

    Raises:
        ValueError: a parameter is in two of them.
    """

    def __init__(self, parts: Sequence[Optimizer]) -> None:
        self._parts = list(parts)
        super().__init__([group for part in parts for group in part.param_groups], {})
        self._share()

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take the step of every part; a closure is not supported."""
        if closure is not None:
            raise ValueError("several optimizers cannot share a closure")
        for part in self._parts:
            part.step()

    def __setstate__(self, state: dict[str, Any]) -> None:
        # ``load_state_dict`` ends here, with new dictionaries for groups and moments.
        super().__setstate__(state)
        self._share()

    def _share(self) -> None:
        groups = iter(self.param_groups)
        for part in self._parts:
            part.param_groups = [next(groups) for _ in part.param_groups]
            part.state = self.state
