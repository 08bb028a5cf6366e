"""Training steps of the presets: time, share of the peak, launches, memory, with torch.compile too."""

from __future__ import annotations

import gc
import time
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import torch
from made_jobs import job_of, milliseconds, step_of, wait
from own_process import Row
from part_kernels import peak_of
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from objbench.engine.measuring.step_memory import step_memory
from objbench.engine.training.job import PretrainJob
from objbench.engine.training.session import Session

ROWS = {"small": 1024, "base": 256}
"""Sequences of a step, where the preset's own are not meant: of ``base`` an eighth of its batch."""

EXPECTED = {"demo": 3.0, "tiny": 3.0, "mini": 6.0, "small": 105.0}
"""Milliseconds of an eager step that were expected of an H100 before any was measured: from counts of
launches and FLOPs. ``demo``, ``tiny`` and ``mini`` had BERT's encoder then."""


def run(setting: Any, row: Row) -> None:
    """Eager first, everywhere; then compiled, since that takes longest."""
    names = ["demo"] if setting.dry else ["demo", "tiny", "mini", "small", "base"]
    modes = [False] if setting.dry else [False, True]
    for compiles in modes:
        for preset in names:
            for objective in ("mlm", "taco"):
                try:
                    row(**_measured(setting, preset, objective, compiles))
                except torch.OutOfMemoryError:
                    row(preset=preset, objective=objective, failed="out of memory")
                gc.collect()
                if setting.device.type == "cuda":
                    torch.cuda.empty_cache()


def _measured(setting: Any, preset: str, objective: str, compiles: bool) -> dict[str, Any]:
    job = job_of(setting, preset, objective, ROWS.get(preset), compile=compiles)
    began = time.perf_counter()
    session = Session(job)
    wait(setting.device)
    built = time.perf_counter() - began
    step, counts = step_of(session), (1, 2, 2) if setting.dry else (10, 3, 10)
    if preset == "base" and not setting.dry:
        counts = (2, 3, 3)
    taken = milliseconds(step, setting.device, *counts)
    step(1000)  # rows are gathered for several small steps at once
    memory, kind = step_memory(session, partial(step, 1001))
    peak = peak_of(setting, job.training.precision)
    rate = session.flops_per_step / median(taken) * 1e3
    found = {
        "preset": preset,
        "objective": objective,
        "rows": job.training.batch,
        "asked": "compile" if compiles else "eager",
        "compiled": session.compiled,
        "build_seconds": built,
        "ms": median(taken),
        "ms_range": [min(taken), max(taken)],
        "flops": session.flops_per_step,
        "tflops": rate / 1e12,
        "share_of_peak": None if peak is None else rate / peak,
        "expected_ms_on_h100": EXPECTED.get(preset) if objective == "mlm" else None,
        "memory": memory,
        "memory_kind": kind,
        **_launches(step, setting.device),
    }
    session.close()
    if not compiles:
        found["memory_expected"] = expected = _expected_memory(setting, job)
        found["memory_ratio"] = memory / expected
    return found


def _expected_memory(setting: Any, job: PretrainJob) -> float:
    """Bytes of the step by the CPU's rules, from those of two and of four rows.

    peak = a + b x rows, exact for what grows with the rows; CUDA keeps layer norms in float32, so
    more is expected of it.
    """
    few = [2, 4]
    peaks = []
    for rows in few:
        training = job.training.model_copy(update={"batch": rows, "compile": False})
        session = Session(replace(job, training=training, device="cpu"))
        step = step_of(session)
        step(0)
        peaks.append(step_memory(session, partial(step, 1))[0])
        session.close()
    slope = (peaks[1] - peaks[0]) / (few[1] - few[0])
    return peaks[0] + slope * (job.training.batch - few[0])


def _launches(step: Any, device: torch.device, steps: int = 3) -> dict[str, Any]:
    """Kernels that a step launches, and the share of the time in which one runs; None on a CPU."""
    if device.type != "cuda":
        return {"launches": None, "busy": None}
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        wait(device)
        began = time.perf_counter()
        for number in range(steps):
            step(2000 + number)
        wait(device)
        seconds = time.perf_counter() - began
    kernels = [
        event
        for event in seen.events()
        if event.device_type == DeviceType.CUDA and not event.is_user_annotation
    ]
    busy = sum(event.time_range.elapsed_us() for event in kernels) / 1e6
    return {"launches": len(kernels) / steps, "busy": busy / seconds}
