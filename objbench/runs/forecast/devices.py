"""The devices that a plan can be made for by name: a dated table, ``devices.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from objbench.errors import UnknownNameError

CPU = "cpu"
PRODUCT = 1024
"""Rows of the matrices that the peak of this machine is measured with."""


class Device(BaseModel):
    """A device of the table.

    Attributes:
        name: as a reader would know it.
        source: of its peak and bandwidth.
        memory: bytes; None where it is this machine's.
        bf16, fp32: FLOP/s of dense products of matrices; None where they are measured.
        bandwidth: bytes/s of its memory; None where it is not known.
        launch: seconds that the host needs for an operator.
        step: seconds that the host needs for a step beside its operators.
        price: the lowest and the highest price of an hour.
        utilisation: preset -> share of the peak of an eager training step; "other" for the rest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: str
    memory: float | None = None
    bf16: float | None = None
    fp32: float | None = None
    bandwidth: float | None = None
    launch: float = Field(gt=0)
    step: float = Field(gt=0)
    price: tuple[float, float]
    utilisation: Mapping[str, float]

    def share(self, preset: str | None) -> float:
        """The share of the peak that is assumed for a preset; of its BERT the same."""
        known = (preset or "").removesuffix("-bert")
        return self.utilisation.get(known, self.utilisation["other"])

    def peak(self, precision: str) -> float:
        """FLOP/s at most in a precision; measured where it is this machine's."""
        named = self.fp32 if precision == "fp32" else self.bf16
        return measured_peak(precision) if named is None else named

    @property
    def is_here(self) -> bool:
        """Whether it is this machine's, so that its peaks are measured."""
        return self.fp32 is None

    @property
    def bytes(self) -> float:
        """Bytes of its memory; this machine's where the table has none."""
        return available_memory() if self.memory is None else self.memory


@cache
def _table() -> dict[str, Any]:
    text = resources.files("objbench.runs.forecast").joinpath("devices.toml").read_text("utf-8")
    return tomllib.loads(text)


def device_names() -> tuple[str, ...]:
    """The names of the table's devices."""
    return tuple(name for name, value in _table().items() if isinstance(value, dict))


def named_device(name: str) -> Device:
    """The device of the table called ``name``.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in device_names():
        raise UnknownNameError("device", name, device_names())
    return Device.model_validate(_table()[name])


def table_date() -> str:
    """The date of the table, such as "2026-11-29"."""
    return str(_table()["date"])


def currency() -> str:
    """The currency of its prices."""
    return str(_table()["currency"])


@cache
def measured_peak(precision: str) -> float:
    """FLOP/s of products of matrices on this machine's CPU; takes a fraction of a second."""
    import torch

    from objbench.engine.measuring.ceilings import product_rate

    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    return product_rate(torch.device("cpu"), dtype, PRODUCT, 0.2)


def available_memory() -> float:
    """Bytes of memory that this machine has to spare, or has at all where Linux does not say."""
    import os

    status = Path("/proc/meminfo")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
