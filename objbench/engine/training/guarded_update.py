"""Clipping, and the guard against a loss that is not finite.

The guard is a latch: after a loss or gradient that is not finite no step is taken any more, so the
weights stay as they were before it until the host reads the latch. With an optimizer that supports
``found_inf``, as torch's fused ones do, nothing here waits for the device: the latch is handed over
as ``found_inf``, with which the optimizer leaves weights and moments as they are, and the clipping
as ``grad_scale``, by which it divides the gradients as it reads them. torch's GradScaler uses the
same two. For any other optimizer the host reads the latch at every step, which waits.

In fp16 ``grad_scale`` and ``found_inf`` belong to accelerate's GradScaler, which skips overflowing
steps and continues. There the latch turns the loss itself into NaN, so that the scaler skips every
step after a loss (not a gradient) that was not finite.
"""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from objbench.engine.training.optimizer import OPTIMIZERS
from objbench.study.settings import TrainingSection


class GuardedUpdate:
    """Turns gradients into a step of the optimizer, unless something is not finite.

    Args:
        accelerator: its scaler, if any, is used.
        module: whose parameters are trained; not wrapped.
        optimizer: of these parameters.
        training: names the optimizer and the largest gradient norm.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        module: nn.Module,
        optimizer: Optimizer,
        training: TrainingSection,
    ) -> None:
        self._accelerator = accelerator
        self._parameters = [p for p in module.parameters() if p.requires_grad]
        self._optimizer = optimizer
        self._clip = training.clip
        self._waits = not OPTIMIZERS[training.optimizer.name].supports_found_inf
        self._scaled = (
            accelerator.prepare_optimizer(optimizer) if accelerator.scaler is not None else None
        )
        self._latch = torch.zeros((), device=accelerator.device)

    @property
    def latched(self) -> bool:
        """Whether a step was refused; waits for the device."""
        return bool(self._latch)

    @property
    def skips_overflow(self) -> bool:
        """Whether a gradient that overflows is skipped and training goes on (fp16)."""
        return self._scaled is not None

    def guarded(self, loss: Tensor, means: Tensor) -> Tensor:
        """``loss`` as it may be differentiated.

        Args:
            loss: () float32, this process's share of the loss.
            means: (K,) float32, the terms' means over all processes.
        """
        self._latch.copy_(torch.maximum(self._latch, _not_finite(means.sum())))
        if self._scaled is None:
            return loss
        return loss * torch.where(self._latch > 0, torch.nan, 1.0)

    def apply(self, learning_rate: float) -> Tensor:
        """Take the step the gradients ask for and clear them; returns their norm, () float32."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate * group["rate"]
        norm = self._apply_plain() if self._scaled is None else self._apply_scaled()
        self._optimizer.zero_grad(set_to_none=True)
        return norm

    def _apply_plain(self) -> Tensor:
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = get_total_norm(gradients)
        self._latch.copy_(torch.maximum(self._latch, _not_finite(norm)))
        # The inverse of clip_grad_norm_'s factor, clip / (norm + 1e-6), at most 1.
        scale = ((norm + 1e-6) / self._clip).clamp(min=1.0) if self._clip else None
        if self._waits:
            if self.latched:
                return norm
            if scale is not None:
                for gradient in gradients:
                    gradient.div_(scale)
        else:
            self._optimizer.found_inf = self._latch  # type: ignore[attr-defined]
            if scale is not None:
                self._optimizer.grad_scale = scale  # type: ignore[attr-defined]
        self._optimizer.step()
        return norm

    def _apply_scaled(self) -> Tensor:
        assert self._scaled is not None
        limit = self._clip or float("inf")
        norm: Tensor = self._accelerator.clip_grad_norm_(self._parameters, limit)
        self._scaled.step()
        return norm


def _not_finite(value: Tensor) -> Tensor:
    """() float32: 1 where ``value`` is NaN or infinite."""
    return (~torch.isfinite(value)).float()
