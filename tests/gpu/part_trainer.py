"""A training step beside ``transformers.Trainer``'s, in turns, as the benchmark on a CPU has it.

The peer is the one of ``tests/benchmarks/test_training_step.py``, whose docstring says what is alike
and what is not. Here the host waits for the GPU after every turn.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import torch
from made_jobs import job_of, step_of, wait
from own_process import Row
from transformers import TrainerCallback

from objbench.engine.training.session import Session
from objbench.study.settings import EncoderSection

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "test_training_step.py"

WARM_UP, TURNS = 3, 20


class _Turns(TrainerCallback):  # type: ignore[misc]
    """After each step of the Trainer one of ours; keeps the seconds of both."""

    def __init__(self, ours: Any, device: torch.device) -> None:
        self.ours, self.device = ours, device
        self.pairs: list[tuple[float, float]] = []
        self.since = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """The first step's time is with the set-up, and dropped with the warm-up."""
        if not self.pairs:
            self.since = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Theirs is from the end of our turn on, and so includes gathering the batch."""
        wait(self.device)
        theirs = time.perf_counter() - self.since
        began = time.perf_counter()
        self.ours(len(self.pairs) + 1)
        wait(self.device)
        self.pairs.append((time.perf_counter() - began, theirs))
        self.since = time.perf_counter()


def run(setting: Any, row: Row) -> None:
    """BERT-Mini's size and TACO's small encoder, both with 256 sequences of 128 tokens in bf16."""
    peer = benchmark()
    shapes = {"2 x 32": (2, 32)} if setting.dry else {"4 x 256": (4, 256), "4 x 512": (4, 512)}
    for name, (layers, width) in shapes.items():
        try:
            row(shape=name, **_pairs(setting, peer, layers, width))
        except torch.OutOfMemoryError:
            row(shape=name, failed="out of memory")
        if setting.device.type == "cuda":
            torch.cuda.empty_cache()


def benchmark() -> ModuleType:
    """The module of the benchmark, which is in no package."""
    spec = importlib.util.spec_from_file_location("training_step_benchmark", BENCHMARK)
    assert spec is not None and spec.loader is not None
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _pairs(setting: Any, peer: ModuleType, layers: int, width: int) -> dict[str, Any]:
    job = job_of(setting, "mini-bert", rows=256, precision="bf16")
    config = {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": max(2, width // 64),
        "intermediate_size": 4 * width,
    }
    job = replace(job, encoder=EncoderSection(model_type="bert", config=config))
    turns = 3 if setting.dry else WARM_UP + TURNS
    trainer = peer.trainer_of(job, turns, setting.folder)
    session = Session(job)
    callback = _Turns(step_of(session), setting.device)
    trainer.add_callback(callback)
    trainer.train()
    pairs = callback.pairs[1 if setting.dry else WARM_UP :]
    ours, theirs = zip(*pairs, strict=True)
    session.close()
    return {
        "rows": job.training.batch,
        "length": job.length,
        "ratio": median(b / a for a, b in pairs),
        "ms": median(ours) * 1000,
        "trainer_ms": median(theirs) * 1000,
    }
