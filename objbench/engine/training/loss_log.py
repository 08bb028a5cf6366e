"""Losses for the log: kept on the device and fetched at log points only.

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
        terms: (S, K) float32, each step's mean of each term over the whole batch; 0 in a step
            where the term has no items.
        present: (S, K) float32, 1 in the steps in which the term has some.
        norms: (S,) float32, gradient norms.
        last: number of steps taken up to the end of the window.
    """

    terms: Tensor
    present: Tensor
    norms: Tensor
    last: int

    def means(self, names: Sequence[str]) -> dict[str, float]:
        """The mean of each term over the steps in which it has items.

        Args:
            names: of the K terms; one that has no items in the whole window is left out.
        """
        sums, present = self.terms.double().sum(dim=0), self.present.double().sum(dim=0)
        pairs = zip(names, sums.tolist(), present.tolist(), strict=True)
        return {name: total / count for name, total, count in pairs if count > 0}

    def loss(self, weights: Tensor) -> float:
        """The mean of the loss that was differentiated.

        Args:
            weights: (K,), of the terms.
        """
        return float((self.terms.double().mean(dim=0) * weights.double().cpu()).sum())

    def norm(self) -> float | None:
        """The mean of the gradient norms; None where no gradient was finite, as may be in fp16."""
        finite = self.norms.double()[self.norms.isfinite()]
        return float(finite.mean()) if len(finite) else None

    def first_refused(self, skips_overflow: bool) -> int:
        """Index in the window of the first step that was refused.

        Args:
            skips_overflow: whether a gradient that overflows is skipped instead of refused.

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
        """What was not finite at step ``index`` of the window, as text."""
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
        self._terms = terms
        self._rows = torch.zeros(capacity, 2 * terms + 1, device=device)
        self._used = 0

    def add(self, terms: Tensor, norm: Tensor) -> None:
        """Append a step without waiting for the device.

        Args:
            terms: (2, K), as ``Session.gradients`` returns them.
            norm: (), of the gradient.
        """
        row = self._rows[self._used]
        row[:-1] = terms.flatten()
        row[-1] = norm
        self._used += 1

    def window(self, last: int) -> Window:
        """What was added since the last log point, fetched to the host; waits for the device."""
        rows = self._rows[: self._used].cpu()
        return Window(
            terms=rows[:, : self._terms].clone(),
            present=rows[:, self._terms : -1].clone(),
            norms=rows[:, -1].clone(),
            last=last,
        )

    def keep(self, count: int) -> None:
        """Forget all but the first ``count`` steps of the window."""
        self._used = count

    def state(self) -> Tensor:
        """(S, 2 K + 1) float32 on the host, for a checkpoint."""
        return self._rows[: self._used].cpu().clone()

    def restore(self, state: Tensor) -> None:
        """Continue from ``state()``."""
        self._used = len(state)
        self._rows[: self._used] = state.to(self._rows.device)
