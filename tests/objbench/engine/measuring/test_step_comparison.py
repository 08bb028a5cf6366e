"""The steps of several objectives side by side: time, FLOPs and memory."""

from __future__ import annotations

import pytest
import torch

from objbench.engine.measuring import step_cost
from objbench.engine.measuring.step_comparison import compare_steps
from objbench.engine.measuring.step_memory import ELSEWHERE
from objbench.engine.training.session import Session

NAMES = ["tiny", "tiny-both"]


@pytest.mark.parametrize("options", [{}, {"micro_batches": 2}, {"precision": "bf16"}])
def test_all_is_measured_and_the_generator_left_alone(tiny, tmp_path, options):
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    jobs = [tiny.tiny_job(tmp_path, name, clip=0.5, **options) for name in NAMES]
    found = compare_steps(jobs)
    assert torch.equal(torch.rand(2), expected)
    assert [step.objective for step in found] == NAMES
    for step, job in zip(found, jobs, strict=True):
        assert 0 < step.shortest <= step.seconds <= step.longest
        assert step.flops == Session(job).flops_per_step
        assert step.memory_kind == ELSEWHERE
    assert found[1].peak_memory > found[0].peak_memory
    assert not any(tmp_path.iterdir())


def test_the_median_and_the_range_are_kept(tiny, tmp_path, monkeypatch):
    def made(session, number):
        # A slow step among the timed ones, and slow ones before them.
        slow = number < step_cost.WARM_UP_STEPS or number == 4
        return 9.0 if slow else 1.0 + number / 100

    monkeypatch.setattr(step_cost, "_seconds_of_step", made)
    # Memory wants an optimizer that has stepped or has not: both will do.
    found = compare_steps([tiny.tiny_job(tmp_path, name) for name in NAMES])[0]
    # Steps 3 to 17: 1.03, 9, 1.05, ..., 1.17; the median is the eighth.
    assert (found.shortest, found.seconds, found.longest) == (1.03, 1.11, 9.0)


def test_sessions_are_closed_when_a_job_fails(tiny, tmp_path, monkeypatch):
    closed = []
    plain = Session.close
    monkeypatch.setattr(Session, "close", lambda self: (closed.append(1), plain(self)))

    def broken(session, number):
        raise RuntimeError("planted fault")

    monkeypatch.setattr(step_cost, "_seconds_of_step", broken)
    with pytest.raises(RuntimeError, match="planted fault"):
        compare_steps([tiny.tiny_job(tmp_path, name) for name in NAMES])
    assert len(closed) == 2
