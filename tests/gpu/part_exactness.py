"""Whether a run gives the same weights again, and the same after it was resumed, bit for bit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from made_jobs import job_of
from own_process import Row
from safetensors.torch import load_file
from torch import Tensor

from objbench.engine.training.trainer import pretrain

STEPS, CUT = 40, 20


class _Cut(Exception):
    """Ends a run, as a signal would."""


def run(setting: Any, row: Row) -> None:
    """``tiny`` without dropout and ``tiny-bert`` with it; on a GPU with its exact kernels too."""
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # asked for by deterministic algorithms
    steps, cut = (6, 3) if setting.dry else (STEPS, CUT)
    for preset in ("demo",) if setting.dry else ("tiny", "tiny-bert"):
        for exact in (False,) if setting.dry else (False, True):
            torch.use_deterministic_algorithms(exact, warn_only=True)
            place = setting.folder / f"{preset}-{exact}"
            whole = _trained(setting, preset, place / "whole", steps)
            again = _trained(setting, preset, place / "again", steps)
            resumed = _resumed(setting, preset, place / "resumed", steps, cut)
            for what, other in (("run again", again), ("resumed", resumed)):
                row(
                    preset=preset,
                    what=what,
                    deterministic_algorithms=exact,
                    steps=steps,
                    equal_bits=all(torch.equal(whole[name], other[name]) for name in whole),
                    largest_difference=max(
                        float((whole[name] - other[name]).abs().max()) for name in whole
                    ),
                )
    torch.use_deterministic_algorithms(False)


def _job(setting: Any, preset: str, run: Path, steps: int) -> Any:
    run.mkdir(parents=True, exist_ok=True)
    return job_of(
        setting,
        preset,
        run=run,
        steps=steps,
        export_steps=(steps,),
        log_every=1,
        checkpoint_every=0,
    )


def _trained(setting: Any, preset: str, run: Path, steps: int) -> dict[str, Tensor]:
    pretrain(_job(setting, preset, run, steps), lambda done, total, text: None)
    found: dict[str, Tensor] = load_file(run / "encoders" / f"step-{steps}" / "model.safetensors")
    return found


def _resumed(setting: Any, preset: str, run: Path, steps: int, cut: int) -> dict[str, Tensor]:
    def end(done: int, total: int, text: str) -> None:
        if done == cut:
            raise _Cut

    try:
        pretrain(_job(setting, preset, run, steps), end)
    except _Cut:
        return _trained(setting, preset, run, steps)
    raise RuntimeError("the run was not cut")
