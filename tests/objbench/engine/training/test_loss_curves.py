"""The curves of a fixed small run: what the engine's fast paths may not move, and stored numbers.

A change that moves the stored numbers by more than their tolerance raises ``ENGINE_VERSION``.
"""

from __future__ import annotations

from dataclasses import replace
from shutil import which

import pytest
import torch
from torch.nn import functional

from objbench.blocks.heads import TokenHead
from objbench.engine.training import session as module
from objbench.engine.training.session import Session
from objbench.plugins.loading import load_plugins

STEPS, RATE = 40, 3e-3
MLM = load_plugins().objectives["mlm"]
# Means of ten steps each, with dropout 0.1; written down when ENGINE_VERSION was 3.
STORED = {
    "fp32": [4.1821, 4.1544, 4.1105, 4.1121],
    "bf16": [4.1821, 4.1541, 4.1097, 4.1119],
}
TOLERANCE = {"fp32": 2e-4, "bf16": 1e-3}


def curve(tiny, run, precision, dropout, **options):
    """(4,) means of ten losses each."""
    job = tiny.tiny_job(
        run,
        precision=precision,
        learning_rate=RATE,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        **options,
    )
    session = Session(replace(job, objective=MLM, config=MLM.Config(), steps=STEPS))
    # Where it was asked for and does not compute the same, the engine goes on without it.
    assert (session.module.encoder._compiled_call_impl is not None) is options.get("compile", False)
    losses = []
    for step in range(STEPS):
        losses.append(session.gradients(step)[0])
        session.update.apply(RATE)
    return torch.stack(losses).view(4, 10).mean(1)


@pytest.fixture
def plainly(monkeypatch):
    """The engine without fast paths: torch's dropout and attention, logits and cross-entropy."""

    def loss(self, states, words, targets):
        logits = self(states, words).flatten(0, -2).float()
        return functional.cross_entropy(logits, targets.flatten(), reduction="sum")

    monkeypatch.setattr(module, "use_cpu_kernels", lambda *arguments: None)
    monkeypatch.setattr(TokenHead, "cross_entropy", loss)


@pytest.fixture
def both(tiny, tmp_path, monkeypatch, request):
    """(precision, dropout) -> the curve as the engine trains, and as it would plainly."""

    def curves(precision, dropout):
        fast = curve(tiny, tmp_path, precision, dropout)
        request.getfixturevalue("plainly")
        return fast, curve(tiny, tmp_path, precision, dropout)

    return curves


@pytest.mark.parametrize("precision", TOLERANCE)
def test_fast_paths_train_as_plain_ones_without_dropout(both, precision):
    fast, plain = both(precision, dropout=0.0)
    torch.testing.assert_close(fast, plain, rtol=TOLERANCE[precision], atol=0)
    assert fast[-1] < fast[0] - 0.05


@pytest.mark.parametrize("precision", TOLERANCE)
def test_with_dropout_other_coins_change_little(both, precision):
    fast, plain = both(precision, dropout=0.1)
    assert not torch.equal(fast, plain)
    torch.testing.assert_close(fast, plain, rtol=0.01, atol=0)


@pytest.mark.skipif(not which("g++"), reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("precision", TOLERANCE)
def test_a_compiled_encoder_trains_as_an_eager_one(tiny, tmp_path, precision):
    eager, compiled = (
        curve(tiny, tmp_path, precision, dropout=0.0, compile=compiled)
        for compiled in (False, True)
    )
    torch.testing.assert_close(compiled, eager, rtol=TOLERANCE[precision], atol=0)


@pytest.mark.parametrize("precision", TOLERANCE)
def test_the_curve_is_the_stored_one(tiny, tmp_path, precision):
    found = curve(tiny, tmp_path, precision, dropout=0.1)
    torch.testing.assert_close(
        found, torch.tensor(STORED[precision]), rtol=TOLERANCE[precision], atol=0
    )
