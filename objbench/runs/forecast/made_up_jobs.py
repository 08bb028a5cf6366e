"""Jobs on made-up text, to measure a study's steps where its corpus is not at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np

from objbench.contract.random_streams import numpy_generator
from objbench.data.packed_sequences import PackedSequences
from objbench.engine.measuring.objective_size import made_up_vocabulary
from objbench.engine.measuring.step_cost import TIMED_STEPS, WARM_UP_STEPS, calibrate
from objbench.engine.training.job import PretrainJob
from objbench.runs.forecast.devices import measured_peak
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.study.study import Study

LONGEST = 90.0
"""Seconds that measuring may take; a step that would take longer is not measured."""

_LEAST_SHARE = 0.2
"""Of the peak of a CPU that a step reaches at least, to tell in advance how long measuring takes."""


def takes_too_long(flops: float, precision: str) -> bool:
    """Whether steps of so many FLOPs together are too large to be timed on this machine's CPU."""
    flops *= WARM_UP_STEPS + TIMED_STEPS
    return flops / (_LEAST_SHARE * measured_peak(precision)) > LONGEST


def measured_steps(
    study: Study, plugins: ConfiguredPlugins, words: int, device: str
) -> dict[str, float]:
    """Objective -> seconds of one optimizer step, on throw-away models and made-up text."""
    jobs = [_job(study, plugins, name, words, device) for name in study.objectives]
    costs = calibrate(jobs, timed=True)
    return {
        name: cost.seconds
        for name, cost in zip(study.objectives, costs, strict=True)
        if cost.seconds is not None
    }


def _job(
    study: Study, plugins: ConfiguredPlugins, name: str, words: int, device: str
) -> PretrainJob:
    own, (kind, _) = study.for_objective(name), plugins.objectives[name]
    vocabulary = made_up_vocabulary(words)
    length, batch = own.data.length, own.training.batch
    draw = numpy_generator(0, "made-up text")
    tokens = draw.integers(len(vocabulary.special), words, 2 * batch * length)
    stored = tokens.astype(np.uint16) if words <= 2**16 else tokens.astype(np.uint32)
    text = PackedSequences(tokens=stored, length=length, cls=vocabulary.cls, name="made-up text")
    nowhere = Path()
    return PretrainJob(
        objective=kind,
        config=plugins.config(own, name),
        encoder=own.encoder,
        training=own.training,
        length=length,
        seed=study.seeds[0],
        steps=1,
        train=text,
        heldout=text,
        vocabulary=vocabulary,
        tokenizer=cast(Any, None),  # nothing is exported
        run=nowhere,
        encoders="",
        checkpoints=nowhere,
        key="",
        device=device,
    )
