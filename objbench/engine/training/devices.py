"""The accelerator: device, precision and processes, as ``accelerate`` knows them."""

from __future__ import annotations

import warnings

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedDataParallelKwargs
from torch import nn

from objbench.errors import ConfigError

_MIXED = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


def default_device() -> str:
    """The device that is used where none is named: "cuda" if torch sees a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def require_device(device: str, precision: str) -> None:
    """Refuse a device that this machine lacks, or that has no such precision.

    Args:
        device: "cpu", or an accelerator such as "cuda" or "cuda:1".
        precision: "fp32", "bf16" or "fp16".

    Raises:
        ConfigError: there is no such device, or it has no such precision.
    """
    wanted = torch.device(device)
    if wanted.type == "cpu" and precision == "fp16":
        raise ConfigError(
            "training.precision = 'fp16' needs a GPU, which scales the loss; "
            "on a CPU set it to 'bf16' or 'fp32'"
        )
    if wanted.type == "cuda":
        if not torch.cuda.is_available():
            raise ConfigError(f"device {device!r}: torch sees no CUDA device; use the device 'cpu'")
        there = torch.cuda.device_count()
        if (wanted.index or 0) >= there:
            raise ConfigError(
                f"device {device!r}: there is none; use cuda:0"
                + (f" to cuda:{there - 1}" if there > 1 else "")
            )


def make_accelerator(device: str, precision: str) -> Accelerator:
    """The accelerator of this process.

    Args:
        device: "cpu", or an accelerator such as "cuda" or "cuda:1".
        precision: "fp32", "bf16" or "fp16".

    Raises:
        ConfigError: as ``require_device``, or accelerate chose another device.
    """
    require_device(device, precision)
    wanted = torch.device(device)
    if wanted.type == "cuda" and wanted.index is not None:
        torch.cuda.set_device(wanted)
    _forget_other_settings(wanted, _MIXED[precision])
    accelerator = Accelerator(cpu=wanted.type == "cpu", mixed_precision=_MIXED[precision])
    if accelerator.device.type != wanted.type:
        raise ConfigError(
            f"device {device!r} is not what accelerate chose ({accelerator.device}); "
            "start without ACCELERATE_* settings for another device"
        )
    return accelerator


def prepared(
    accelerator: Accelerator, module: nn.Module, some_parameters_unused: bool
) -> nn.Module:
    """``module`` with its gradients averaged over processes, and itself where there is only one."""
    accelerator.ddp_handler = DistributedDataParallelKwargs(
        # Every process computes its buffers itself; sending them at each step buys nothing.
        broadcast_buffers=False,
        gradient_as_bucket_view=True,
        find_unused_parameters=some_parameters_unused,
    )
    with warnings.catch_warnings():
        # Its new name is one that accelerate does not know yet.
        warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
        model: nn.Module = accelerator.prepare_model(module)
    return model


def _forget_other_settings(device: torch.device, mixed: str) -> None:
    """Let a process that has trained in one precision continue in another.

    accelerate keeps its first settings for the life of a process and refuses others. The process
    group is left alone: only a single process can change between devices.
    """
    state = AcceleratorState._shared_state
    if state and state.get("_mixed_precision") != mixed:
        AcceleratorState._reset_state()
    partial = PartialState._shared_state
    if partial and partial["num_processes"] == 1 and partial["device"].type != device.type:
        AcceleratorState._reset_state(reset_partial_state=True)
