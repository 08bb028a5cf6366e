"""A step never makes the host wait for the device: counted with the profiler, for every plugin.

On a CPU nobody waits, but the operators that would make one wait on a GPU run all the same, and
the profiler sees them, those inside custom operators too. What Python reads without an operator
(``tolist``, ``numpy``) is counted where it is called.

What a step does elsewhere than on a CPU is run on torch's "meta" device, which has shapes and no
numbers: asking it for one is an error.
"""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from objbench.contract.batch import Batch, Rows
from objbench.contract.composition import configured
from objbench.contract.random_streams import Streams
from objbench.contract.suite import EvaluationContext
from objbench.engine.evaluation import finetune
from objbench.engine.evaluation.classifier import load_classifier
from objbench.engine.evaluation.examples import TokenisedExamples
from objbench.engine.evaluation.recipe import Recipe
from objbench.engine.measuring.objective_size import made_up_vocabulary
from objbench.engine.training.initial import initial_models
from objbench.engine.training.session import Session
from objbench.engine.training.step import TrainingStep
from objbench.engine.training.teachers import frozen_teachers
from objbench.plugins.loading import load_plugins

WAITING = {
    "aten::_local_scalar_dense",  # item, bool, int, float of a tensor
    "aten::is_nonzero",
    "aten::nonzero",  # and with it indexing by a mask
    "aten::masked_select",
    "aten::equal",
    "aten::_unique2",
    "aten::unique_dim",
    "aten::unique_consecutive",
    "aten::bincount",
}
# What a scalar is asked by. Within other operators it is how their CPU kernels take an argument.
ASKING = {"aten::item", "aten::is_nonzero"}
SLIPS = [
    lambda t: t.sum().item(),
    lambda t: bool((t > 0).any()),
    lambda t: float(t[0]),
    lambda t: t[t > 0],
    lambda t: (t > 0).nonzero(),
    lambda t: t.tolist(),
    lambda t: t.cpu(),
    lambda t: torch.equal(t, t),
    lambda t: t.masked_fill_(t > 0, 1).masked_select(t > 0),
]
META = torch.device("meta")
READING = ("tolist", "numpy", "cpu", "__array__")
MASKED = {"mae"}
"""Objectives that hide tokens from attention: on a CPU transformers asks if a mask hides any."""
REGISTRY = load_plugins()
NAMES = [*REGISTRY.objectives, *(f"mlm+{term}" for term in REGISTRY.terms)]


@pytest.fixture
def waits(monkeypatch):
    """(work) -> what made the host wait during it, and how often."""

    def count(work):
        found = Counter()
        with monkeypatch.context() as patch:
            for name in READING:
                patch.setattr(torch.Tensor, name, counted(found, name))
            with profile(activities=[ProfilerActivity.CPU]) as seen:
                work()
        found.update(event.name for event in seen.events() if is_wait(event))
        return found

    return count


def is_wait(event):
    if event.name != "aten::_local_scalar_dense":
        return event.name in WAITING
    above = event.cpu_parent
    while above is not None:
        if above.name.startswith("aten::") and above.name not in ASKING:
            return False
        above = above.cpu_parent
    return True


def counted(found, name):
    plain = getattr(torch.Tensor, name)

    def read(self, *args, **options):
        found[name] += 1
        return plain(self, *args, **options)

    return read


def step_of(session, number):
    session.gradients(number)
    session.update.apply(1e-3)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", NAMES)
def test_a_step_of_no_objective_waits_for_the_device(tiny, tmp_path, waits, name, precision):
    kind = REGISTRY.objective(name)
    job = tiny.tiny_job(tmp_path, precision=precision)
    session = Session(
        replace(
            job,
            objective=kind,
            config=configured(kind, {}),
            vocabulary=made_up_vocabulary(tiny.VOCABULARY.size),
        )
    )
    step_of(session, 0)
    # Objectives of several modes draw one a step.
    found = waits(lambda: [step_of(session, number) for number in range(1, 4)])
    once = dict.fromkeys(("aten::is_nonzero", "aten::_local_scalar_dense"), 3)
    assert found == (once if name in MASKED else {}), dict(found)


class Shapes(Streams):
    """Random numbers without their values."""

    def uniform(self, stream, *shape):
        return torch.empty(self._rows, *shape, device=META)[self._own]

    def integers(self, stream, high, *shape):
        return torch.empty(self._rows, *shape, dtype=torch.int64, device=META)[self._own]


@pytest.fixture
def meta_has_autocast(monkeypatch):
    """torch knows no autocast for "meta", and refuses even to switch it off."""
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind="cuda": False)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())


@pytest.mark.usefixtures("meta_has_autocast")
@pytest.mark.parametrize("name", NAMES)
def test_a_step_of_no_objective_asks_another_device_for_a_number(tiny, tmp_path, name):
    kind = REGISTRY.objective(name)
    job = replace(
        # Without dropout in it attention is fused, as it is on a GPU.
        tiny.tiny_job(tmp_path, attention_probs_dropout_prob=0.0),
        objective=kind,
        config=configured(kind, {}),
        vocabulary=made_up_vocabulary(tiny.VOCABULARY.size),
    )
    encoder, objective = initial_models(job)
    step = TrainingStep(encoder, objective, frozen_teachers(job, META)).to(META).train()
    ids = torch.empty(8, tiny.LENGTH, dtype=torch.int64, device=META)
    for mode in objective.modes:
        batch = Batch(ids, ids.bool(), None, Rows.alone(8), progress=0.5, mode=mode)
        totals, _ = step(batch, Shapes(0, 0, 0, rows=8, device=META))
        totals.sum().backward()
    assert any(parameter.grad is not None for parameter in encoder.parameters())


def test_a_step_makes_no_generator(tiny, tmp_path, monkeypatch):
    sessions = [
        Session(tiny.tiny_job(tmp_path, objective, micro_batches=parts))
        for objective, parts in (("tiny-both", 1), ("tiny-both", 2), ("rtd", 1))
    ]
    for session in sessions:
        step_of(session, 0)
        step_of(session, 1)

    def refuse(*args, **options):
        raise AssertionError("a generator was made")

    monkeypatch.setattr(torch, "Generator", refuse)
    for session in sessions:
        for number in range(2, 5):
            step_of(session, number)


def test_fine_tuning_waits_at_its_checks_of_the_loss_alone(tiny_encoder, waits):
    model = load_classifier(tiny_encoder, 2, None, seed=0)
    lengths = np.full(12, 6)
    examples = TokenisedExamples(
        ids=np.arange(72, dtype=np.int64) % 20 + 5,
        types=np.zeros(72, np.int64),
        offsets=np.concatenate([[0], lengths.cumsum()]),
        labels=np.arange(12) % 2,
        pad=0,
    )
    context = EvaluationContext(cache=None, device="cpu", precision="fp32")
    recipe = Recipe(epochs=2, batch=2, learning_rate=1e-3, length=8)
    found = waits(lambda: finetune._train(model, examples, recipe, 0, context))
    assert found == {"aten::_local_scalar_dense": recipe.epochs}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_wait_is_seen(waits, slip):
    values = torch.arange(4.0)
    assert waits(lambda: slip(values))
    assert not waits(lambda: values.add(1).gather(0, torch.tensor([0])))


@pytest.mark.parametrize("slip", SLIPS)
def test_a_question_to_another_device_is_seen(slip):
    with pytest.raises((RuntimeError, NotImplementedError)):
        slip(torch.zeros(4, device=META))
