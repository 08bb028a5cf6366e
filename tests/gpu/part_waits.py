"""Whether a step makes the host wait for the GPU: asked of torch, for every objective and term."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from made_jobs import job_of, step_of
from own_process import Row

from objbench.engine.training.session import Session
from objbench.plugins.loading import load_plugins


def run(setting: Any, row: Row) -> None:
    """Some steps of each at the size of ``demo``, in both precisions; a CPU never waits."""
    registry = load_plugins()
    names = [*registry.objectives, *(f"mlm+{term}" for term in registry.terms)]
    precisions = ["fp32", "bf16"]
    if setting.dry:
        names, precisions = ["mlm", "coco_lm"], ["bf16"]
    total = 0
    for name in names:
        for precision in precisions:
            job = job_of(setting, "demo", name, precision=precision)
            session = Session(job)
            step = step_of(session)
            step(0)
            with watched(setting.device) as places:
                for number in range(1, 3 if setting.dry else 20):
                    step(number)
            session.close()
            total += len(places)
            row(
                objective=name,
                precision=precision,
                waits=len(places) if setting.device.type == "cuda" else None,
                first=places[0] if places else "",
            )
    if total:
        raise RuntimeError(f"the host waited {total} times; the rows say where")


@contextmanager
def watched(device: torch.device) -> Iterator[list[str]]:
    """Receives where the host waited for the GPU within the block, once for each time."""
    places: list[str] = []

    def note(message: Any, *_: Any, **__: Any) -> None:
        if "called a synchronizing" in str(message):
            ours = [
                f
                for f in traceback.extract_stack()
                if "objbench" in f.filename or "objectives" in f.filename
            ]
            places.append(
                " < ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}" for f in ours[::-1])
            )

    if device.type != "cuda":
        yield places
        return
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield places
        finally:
            torch.cuda.set_sync_debug_mode("default")
