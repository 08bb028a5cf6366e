"""Several cells on one GPU: how many steps a second all of them take, and one of them.

Plain processes that share the device by turns, without NVIDIA's MPS; the card's settings are left
alone.
"""

from __future__ import annotations

import multiprocessing
import time
from typing import Any

import numpy as np
import torch
from made_jobs import job_of, step_of, wait
from own_process import Row

from objbench.engine.training.session import Session

EACH = 10
"""Steps between two waits of the host."""


def run(setting: Any, row: Row) -> None:
    """1, 2 and 4 processes with a session of their own, for the same seconds."""
    seconds = 0.2 if setting.dry else 3.0
    for preset in ("demo",) if setting.dry else ("tiny", "mini"):
        alone = None
        for count in (1, 2) if setting.dry else (1, 2, 4):
            rates, slow = _rates(setting, preset, count, seconds)
            alone = alone or sum(rates)
            row(
                preset=preset,
                processes=count,
                steps_per_second=sum(rates),
                beside_one=sum(rates) / alone,
                slowest=min(rates),
                p90_ms=slow,
            )


def _rates(setting: Any, preset: str, count: int, seconds: float) -> tuple[list[float], float]:
    """(steps per second of each process, the 90th percentile of all their steps' milliseconds)."""
    # This process has not begun CUDA, so it may fork others that do.
    fork = multiprocessing.get_context("fork")
    barrier, results = fork.Barrier(count), fork.SimpleQueue()
    given = (setting, preset, seconds, barrier, results)
    processes = [fork.Process(target=_steps, args=given) for _ in range(count)]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()
    if faults := [fault for fault, _ in found if fault]:
        raise RuntimeError(f"with {count} processes: {faults[0]}")
    times = [taken for _, taken in found]
    rates = [len(taken) * EACH / sum(taken) for taken in times]
    return rates, float(np.percentile(np.concatenate(times), 90)) / EACH * 1000


def _steps(setting: Any, preset: str, seconds: float, barrier: Any, results: Any) -> None:
    try:
        if setting.device.type == "cpu":
            torch.set_num_threads(1)
        step = step_of(Session(job_of(setting, preset)))
        for number in range(EACH):
            step(number)
        wait(setting.device)
        barrier.wait(60)
        taken, began, number = [], time.perf_counter(), EACH
        while time.perf_counter() - began < seconds or not taken:
            since = time.perf_counter()
            for _ in range(EACH):
                step(number)
                number += 1
            wait(setting.device)
            taken.append(time.perf_counter() - since)
        results.put(("", taken))
    except Exception as error:  # noqa: BLE001 - another process waits for what becomes of this one
        barrier.abort()
        results.put((f"{type(error).__name__}: {error}", []))
