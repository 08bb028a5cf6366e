"""Peak memory of one cell: of the GPU if it runs on one, else of the process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


class PeakMemory:
    """Measures the peak from now on.

    Args:
        device: where the training runs.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._linux = False
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            self._linux = _reset_resident_peak()

    @property
    def kind(self) -> str:
        """What ``read`` measures."""
        if self._device.type == "cuda":
            return "CUDA allocated"
        return "process resident" if self._linux else "process resident since its start"

    def read(self) -> int:
        """The peak so far in bytes."""
        if self._device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self._device))
        if self._linux:
            for line in _STATUS.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        # Kibibytes, but bytes on macOS (getrusage(2) of each).
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _reset_resident_peak() -> bool:
    """Ask Linux to reset the resident peak; False where that is not possible."""
    try:
        _RESET.write_text("5")
        return "VmHWM:" in _STATUS.read_text()
    except OSError:
        return False
