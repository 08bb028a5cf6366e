"""The cost of a step: counted always, timed side by side when asked."""

from __future__ import annotations

import pytest
import torch

from objbench.engine.measuring import step_cost as module
from objbench.engine.measuring.step_cost import calibrate
from objbench.engine.training.session import Session
from objbench.engine.training.trainer import pretrain


def test_counted_costs_are_those_of_the_run(tiny, tmp_path, silent):
    jobs = [tiny.tiny_job(tmp_path, kind, steps=1) for kind in ("tiny", "tiny-both")]
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    costs = calibrate(jobs, timed=False)
    assert torch.equal(torch.rand(2), expected)
    assert [cost.tokens for cost in costs] == [96, 96]
    assert [cost.seconds for cost in costs] == [None, None]
    outcome = pretrain(jobs[0], silent)
    assert outcome.cost.flops_per_step == costs[0].flops
    assert costs[:1] == calibrate(jobs[:1], timed=False)


def test_timed_jobs_take_turns(tiny, tmp_path, monkeypatch):
    turns = []
    plain = module._seconds_of_step

    def noted(session, step):
        turns.append((step, session.job.objective.name))
        return plain(session, step)

    monkeypatch.setattr(module, "_seconds_of_step", noted)
    costs = calibrate([tiny.tiny_job(tmp_path, k) for k in ("tiny", "tiny-both")], timed=True)
    assert all(cost.seconds > 0 for cost in costs)
    assert turns[:4] == [(0, "tiny"), (0, "tiny-both"), (1, "tiny"), (1, "tiny-both")]
    assert len(turns) == 2 * (module.WARM_UP_STEPS + module.TIMED_STEPS)
    assert not any(tmp_path.iterdir())


def test_timed_steps_are_never_beyond_the_end_of_the_budget(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHORT", float("inf"))
    # The job is of one step, of which many are timed; schedules over the budget end at 1.
    seen = []
    plain = Session.begin

    def noted(session, step, mode=None):
        batch, streams = plain(session, step, mode)
        seen.append(batch.progress)
        return batch, streams

    monkeypatch.setattr(Session, "begin", noted)
    calibrate([tiny.tiny_job(tmp_path, steps=1)], timed=True)
    # Each step is taken twice.
    assert seen[:3] == [0.5, 0.5, 1.0]
    assert set(seen[2:]) == {1.0}


@pytest.mark.parametrize("slow_steps", [0, 5])
def test_a_few_slow_steps_do_not_count(tiny, tmp_path, monkeypatch, slow_steps):
    times = iter([9.0] * module.WARM_UP_STEPS + [9.0] * slow_steps + [1.0] * module.TIMED_STEPS)
    monkeypatch.setattr(module, "_seconds_of_step", lambda session, step: next(times))
    assert calibrate([tiny.tiny_job(tmp_path)], timed=True)[0].seconds == 1.0


def test_a_short_step_is_timed_after_one_of_its_own(tiny, tmp_path, monkeypatch):
    """As in a run, where no other objective's step comes between."""
    cold, warm = module.SHORT / 2, module.SHORT / 4
    times = iter([cold, warm] * (module.WARM_UP_STEPS + module.TIMED_STEPS))
    monkeypatch.setattr(module, "_timed", lambda session, step, mode: next(times))
    assert calibrate([tiny.tiny_job(tmp_path)], timed=True)[0].seconds == warm
    assert next(times, None) is None
    once = iter([2 * module.SHORT] * (module.WARM_UP_STEPS + module.TIMED_STEPS))
    monkeypatch.setattr(module, "_timed", lambda session, step, mode: next(once))
    assert calibrate([tiny.tiny_job(tmp_path)], timed=True)[0].seconds == 2 * module.SHORT
