"""A step that fills the device's memory becomes a line that names the parts with which it fits."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from objbench.engine.measuring.fake_network import Planned
from objbench.engine.training.job import PretrainJob
from objbench.errors import ConfigError
from objbench.runs.cells.out_of_memory import is_out_of_memory
from objbench.runs.forecast.devices import available_memory
from objbench.runs.forecast.memory_fit import out_of_memory


@contextmanager
def memory_faults(job: PretrainJob) -> Iterator[None]:
    """Say of an error in the block that memory was not enough for a step of ``job``, if that is it.

    Raises:
        ConfigError: it is; what the device said remains its context.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        # The traceback holds the tensors that filled the memory.
        traceback.clear_frames(error.__traceback__)
        planned: Planned = "cpu" if job.device == "cpu" else "cuda"
        raise ConfigError(out_of_memory(job, _room(job.device), planned)) from error


def _room(device: str) -> float:
    if device.startswith("cuda") and torch.cuda.is_available():
        return float(torch.cuda.get_device_properties(torch.device(device)).total_memory)
    return available_memory()
