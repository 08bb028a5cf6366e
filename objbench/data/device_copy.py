"""Copies to a device that the host does not wait for."""

from __future__ import annotations

import torch
from torch import Tensor


def copied_to(tensor: Tensor, device: torch.device) -> Tensor:
    """``tensor`` on ``device``; itself if it is there already.

    A GPU copies from memory that the system may move ("pageable") only while the host waits. So the
    tensor is first copied into pinned memory, which torch keeps for the next copy, and then sent
    along with the GPU's other work. torch holds the pinned memory until the copy is done.

    Args:
        tensor: on the CPU, or on ``device``.
        device: where it is wanted.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        # Pinned memory is laid out as the tensor is, and what is expanded cannot be written to.
        return tensor.contiguous().pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
