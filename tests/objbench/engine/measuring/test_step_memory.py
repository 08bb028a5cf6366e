"""Peak memory of a step: its tensors counted while they live."""

from __future__ import annotations

import pytest
import torch

from objbench.engine.measuring.step_memory import ELSEWHERE, LiveTensors, step_memory, uncompiled
from objbench.engine.training.session import Session


def test_live_tensors_by_hand():
    given = torch.zeros(1000)
    with LiveTensors() as live:
        first = given + 1  # 4,000 bytes
        second = first.view(10, 100).t()  # a view
        first.add_(1)  # in place
        assert (live.live, live.peak) == (4000, 4000)
        third = torch.cat([first, first])  # 8,000 more
        del third
        assert (live.live, live.peak) == (4000, 12000)
        del first
        assert live.live == 4000  # the view keeps it
        del second
        assert live.live == 0
        given.mul_(2)
    assert (live.live, live.peak) == (0, 12000)


def test_what_the_backward_pass_keeps_counts_as_alive():
    weight = torch.ones(100, requires_grad=True)
    with LiveTensors() as live:
        loss = weight.exp().sum()  # exp keeps its result, 400 bytes
        assert live.live == 404
        loss.backward()
        assert weight.grad is not None
        del loss
        assert live.live == 400  # the gradient


def test_memory_counts_weights_moments_and_the_peak_on_top(tiny, tmp_path):
    session = Session(tiny.tiny_job(tmp_path))
    weights = sum(4 * parameter.numel() for parameter in session.module.parameters())
    buffers = sum(b.numel() * b.element_size() for b in session.module.buffers())
    assert step_memory(session, lambda: None) == (weights + buffers, ELSEWHERE)
    session.gradients(0)
    session.update.apply(1e-3)
    stepped = len([p for p in session.module.parameters() if p in session.optimizer.state])
    held = 3 * weights + buffers + 4 * stepped  # two moments, and a count of steps each
    assert step_memory(session, lambda: None)[0] == held
    assert step_memory(session, lambda: torch.zeros(250))[0] == held + 1000


def test_a_compiled_encoder_is_watched_uncompiled_and_given_back(tiny, tmp_path):
    encoder = Session(tiny.tiny_job(tmp_path)).module.encoder
    encoder._compiled_call_impl = compiled = object()
    with pytest.raises(KeyError), uncompiled(encoder):
        assert encoder._compiled_call_impl is None
        raise KeyError
    assert encoder._compiled_call_impl is compiled
