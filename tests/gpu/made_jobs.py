"""Jobs of a preset on made-up text: no corpus, no tokenizer to train, no network."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertTokenizerFast

from objbench.contract.composition import configured
from objbench.data.packed_sequences import PackedSequences
from objbench.engine.measuring.objective_size import made_up_vocabulary
from objbench.engine.measuring.step_cost import take_step
from objbench.engine.training.job import PretrainJob
from objbench.engine.training.session import Session
from objbench.plugins.loading import load_plugins
from objbench.study.files import preset_layer
from objbench.study.study import Study, build_study

WORDS = {"demo": 1024, "tiny": 8192}
"""Vocabularies that the presets train; the others have BERT's."""
BERT_WORDS = 30_522

DRY_ROWS, DRY_LENGTH, DRY_WORDS = 4, 16, 200


plugins = cache(load_plugins)


def study_of(preset: str, **training: Any) -> Study:
    """The preset's study, with changes to its training."""
    changes = {"objectives": ["mlm"], "data": {"corpus": "toy"}, "training": training}
    return build_study([preset_layer(preset), changes], f"preset {preset}")


def job_of(
    setting: Any,
    preset: str,
    objective: str = "mlm",
    rows: int | None = None,
    device: str | None = None,
    **fields: Any,
) -> PretrainJob:
    """A job of ``objective`` at the preset's size, or far smaller in a dry run.

    Args:
        objective: a registered one, or a composition.
        rows: sequences of a batch; the preset's when None.
        device: another one than the setting's.
        fields: of the job, or else of its training.
    """
    own = {name: fields.pop(name) for name in [*fields] if name not in PretrainJob.__slots__}
    study = study_of(preset, **own, **({"batch": rows} if rows else {}))
    training, length = study.training, study.data.length
    words = WORDS.get(preset, BERT_WORDS)
    if setting.dry:
        length, words = DRY_LENGTH, DRY_WORDS
        training = training.model_copy(update={"batch": DRY_ROWS, "micro_batches": 1})
    vocabulary = made_up_vocabulary(words)
    kind = plugins().objective(objective)
    text = made_up_text(max(4 * training.batch, 256), length, words)
    run = Path(fields.pop("run", setting.folder))
    return PretrainJob(
        objective=kind,
        config=configured(kind, {}),
        encoder=study.encoder,
        training=training,
        length=length,
        train=text,
        heldout=text,
        vocabulary=vocabulary,
        tokenizer=BertTokenizerFast(vocab={word: n for n, word in enumerate(vocabulary.tokens)}),
        run=run,
        encoders="encoders",
        checkpoints=run / "checkpoints",
        key="k" * 64,
        device=device or str(setting.device),
        **{"seed": 0, "steps": 1000, "heldout_batches": 1, **fields},
    )


def made_up_text(sequences: int, length: int, words: int) -> PackedSequences:
    """Words by Zipf's law, from a fixed seed."""
    ranks = np.random.default_rng(0).zipf(1.2, sequences * (length - 1)) % (words - 5)
    tokens = (ranks + 5).astype(np.uint16)
    return PackedSequences(tokens=tokens, length=length, cls=2, name="made-up text")


def step_of(session: Session) -> Callable[[int], None]:
    """(number) -> that step is taken, in the objective's first mode."""
    mode = next(iter(session.module.objective.modes))
    return lambda number: take_step(session, number, mode)


def milliseconds(
    step: Callable[[int], object], device: torch.device, warm_up: int, windows: int, each: int
) -> list[float]:
    """Milliseconds of a step, one number for each of the windows of ``each`` steps.

    The host waits at the ends of a window, as training does at a log point.
    """
    number, found = 0, []
    for _ in range(warm_up):
        step(number)
        number += 1
    for _ in range(windows):
        wait(device)
        began = time.perf_counter()
        for _ in range(each):
            step(number)
            number += 1
        wait(device)
        found.append((time.perf_counter() - began) * 1000 / each)
    return found


def wait(device: torch.device) -> None:
    """Until the device has nothing left to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
