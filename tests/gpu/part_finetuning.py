"""Fine-tuning steps on examples shaped as SST-2's, and where they make the host wait."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np
import torch
from made_jobs import BERT_WORDS, study_of
from own_process import Row
from part_waits import watched

from objbench.contract.suite import EvaluationContext
from objbench.engine.encoder.build import build_encoder
from objbench.engine.evaluation import finetune
from objbench.engine.evaluation.classifier import Classifier
from objbench.engine.evaluation.examples import TokenisedExamples
from objbench.engine.evaluation.recipe import Recipe
from objbench.engine.measuring.objective_size import made_up_vocabulary

BATCH, STEPS = 32, 200


def run(setting: Any, row: Row) -> None:
    """An epoch of STEPS steps, which checks its loss at each CHECK_EVERY of them, after one to warm up."""
    steps = 3 if setting.dry else STEPS
    for preset in ("demo",) if setting.dry else ("mini", "small", "base"):
        study = study_of(preset)
        words = 200 if setting.dry else BERT_WORDS
        encoder = build_encoder(study.encoder, made_up_vocabulary(words), 128, seed=0)
        model = Classifier(encoder, 2, 0.1, seed=0).to(setting.device)
        precision = "fp32" if setting.dry else "bf16"
        recipe = Recipe(learning_rate=5e-5, batch=BATCH, epochs=1, length=128)
        ends: list[float] = []
        context = EvaluationContext(
            cache=setting.folder,
            device=str(setting.device),
            precision=precision,
            progress=lambda *_, ends=ends: ends.append(time.perf_counter()),
        )
        finetune._train(model, made_up(2 * BATCH, words), recipe, 0, context)
        ends.clear()
        examples = made_up(steps * BATCH, words)
        began = time.perf_counter()
        with watched(setting.device) as places:
            finetune._train(model, examples, recipe, 1, context)
        parts = np.diff([began, *ends])
        each = min(finetune.CHECK_EVERY, steps)
        row(
            preset=preset,
            precision=precision,
            ms=median(parts) / each * 1000,
            seconds=ends[-1] - began,
            steps=steps,
            waits=len(places) if setting.device.type == "cuda" else None,
            allowed_waits=len(ends),
            first=places[0] if places else "",
        )
        if len(places) > len(ends):
            raise RuntimeError(f"{preset}: the host waited {len(places)} times")
        if setting.device.type == "cuda":
            torch.cuda.empty_cache()


def made_up(count: int, words: int) -> TokenisedExamples:
    """Examples of 3 to 60 tokens, 13 in the middle, as SST-2's sentences and phrases have."""
    draw = np.random.default_rng(0)
    lengths = np.clip(draw.lognormal(np.log(13), 0.6, count).astype(np.int64), 3, 60)
    total = int(lengths.sum())
    return TokenisedExamples(
        ids=draw.integers(5, words, total),
        types=np.zeros(total, np.int64),
        offsets=np.concatenate([np.zeros(1, np.int64), lengths.cumsum()]),
        labels=draw.integers(2, size=count),
        pad=0,
    )
