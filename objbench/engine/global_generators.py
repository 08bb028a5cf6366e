"""torch's global generators, from which dropout draws: of the CPU and of one GPU, never of all GPUs.

``torch.manual_seed`` and ``torch.random.fork_rng`` go through every GPU that the process sees: at
each training step that is time, and work on GPUs that belong to other cells. What trains here uses
one device, and its numbers are the same.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def forked_generators(device: torch.device | str) -> AbstractContextManager[None]:
    """Within the block the global generators go on from where they are; after it they are as before.

    Args:
        device: where the block computes; without an index, the current GPU.
    """
    own = torch.device(device)
    devices = [_index(own)] if own.type == "cuda" else []
    forked: AbstractContextManager[None] = torch.random.fork_rng(devices=devices)
    return forked


def seed_global_generators(key: int, device: torch.device) -> None:
    """Seed the global generator of the CPU, and that of ``device`` if it is another.

    Args:
        key: a number of at most 64 bits.
        device: where the numbers will be drawn; without an index, the current GPU.
    """
    torch.default_generator.manual_seed(key)
    if device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]  # before it there are none
        torch.cuda.default_generators[_index(device)].manual_seed(key)
    elif device.type != "cpu":
        torch.manual_seed(key)


def _index(device: torch.device) -> int:
    return torch.cuda.current_device() if device.index is None else device.index
