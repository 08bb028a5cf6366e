"""Losses on their way to the log: kept on the device, fetched at log points only.

Shape legend: S steps since the last log point, K terms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Window:
    """The steps since the last log point, on the host.

    Attributes:
        terms: (S, K) float32, each step's mean of each term over the whole batch.
        norms: (S,) float32, gradient norms.
        last: number of steps taken up to the end of the window.
    """

    terms: Tensor
    norms: Tensor
    last: int

    def first_refused(self, skips_overflow: bool) -> int:
        """Index in the window of the first step that was refused.

        Args:
            skips_overflow: a gradient that overflows is no reason to stop.

        Raises:
            ValueError: there is none.
        """
        good = torch.isfinite(self.terms).all(dim=1)
        if not skips_overflow:
            good &= torch.isfinite(self.norms)
        if bool(good.all()):
            raise ValueError("no step of this window was refused")
        return int((~good).nonzero()[0])

    def reason(self, index: int, names: Sequence[str]) -> str:
        """What was not finite at step ``index`` of the window, in words."""
        number = self.last - len(self.terms) + index + 1
        for name, value in zip(names, self.terms[index].tolist(), strict=True):
            if not math.isfinite(value):
                return f"the loss term {name!r} was {value} at step {number}"
        return f"the gradient norm was {self.norms[index].item()} at step {number}"


class Logbook:
    """A ring of loss values on the device.

    Args:
        capacity: largest number of steps between log points.
        terms: K.
        device: where the losses are.
    """

    def __init__(self, capacity: int, terms: int, device: torch.device) -> None:
        self._rows = torch.zeros(capacity, terms + 1, device=device)
        self._used = 0

    def add(self, means: Tensor, norm: Tensor) -> None:
        """Append a step: (K,) means of the terms and the () gradient norm. No host sync."""
        row = self._rows[self._used]
        row[:-1] = means
        row[-1] = norm
        self._used += 1

    def window(self, last: int) -> Window:
        """What was added since the last log point, fetched to the host; waits for the device."""
        rows = self._rows[: self._used].cpu()
        return Window(terms=rows[:, :-1].clone(), norms=rows[:, -1].clone(), last=last)

    def keep(self, count: int) -> None:
        """Forget all but the first ``count`` steps of the window."""
        self._used = count

    def state(self) -> Tensor:
        """(S, K + 1) float32 on the host, for a checkpoint."""
        return self._rows[: self._used].cpu().clone()

    def restore(self, state: Tensor) -> None:
        """Continue from ``state()``."""
        self._used = len(state)
        self._rows[: self._used] = state.to(self._rows.device)
