"""What a corruption predicts, counted: declared or not, by schedule, for any objective."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from objbench.contract.batch import IGNORE_INDEX
from objbench.engine.measuring.realised_rate import realised_rate
from objbench.engine.measuring.step_cost import calibrate
from objbench.engine.training.session import Session


def declaring(job, *rates):
    """``job`` with an objective that declares the first rate at the start, the last at the end."""

    class Declaring(job.objective):
        def declared_rate(self, progress):
            return (1 - progress) * rates[0] + progress * rates[-1]

    return dataclasses.replace(job, objective=Declaring)


def test_it_is_the_share_of_tokens_that_are_predicted(tiny, tmp_path):
    session = Session(declaring(tiny.tiny_job(tmp_path), 0.15))
    found = realised_rate(session)
    # One slot of three is always in use and two half the time, of 11 words.
    assert found.predicted == pytest.approx(2 / 11, rel=0.04)
    assert found.declared == pytest.approx(0.15)
    assert found.tokens % (8 * 11) == 0
    assert found.is_said
    predicted = tokens = 0
    for number in range(found.tokens // (8 * 11)):
        batch, streams = session.begin(number)
        made = session.module.objective.corrupt(batch, streams)
        predicted += sum(int(t != IGNORE_INDEX) for row in made.targets.tolist() for t in row)
        tokens += sum(int(not s) for row in made.special.tolist() for s in row)
    assert (predicted / tokens, tokens) == (found.predicted, found.tokens)
    session.close()


def test_a_rate_that_changes_is_compared_over_the_budget(tiny, tmp_path):
    session = Session(declaring(tiny.tiny_job(tmp_path), 0.30, 0.10))
    assert realised_rate(session).declared == pytest.approx(0.2)
    session.close()


def test_where_nothing_is_declared_nothing_is_counted(tiny, tmp_path):
    assert calibrate([tiny.tiny_job(tmp_path)], timed=False)[0].rate is None


@pytest.mark.parametrize("timed", [False, True])
def test_the_calibration_of_any_objective_counts_it(tiny, tmp_path, timed):
    jobs = [tiny.tiny_job(tmp_path, "rtd"), declaring(tiny.tiny_job(tmp_path), 0.5)]
    masked, foreign = (cost.rate for cost in calibrate(jobs, timed=timed))
    assert masked.off == 0
    assert foreign.off > 0.5


def test_the_option_rate_is_what_a_foreign_objective_declares(tiny, tmp_path):
    job = tiny.tiny_job(tmp_path)

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Config(job.objective.Config):
        rate: float = 0.6

    made = dataclasses.replace(job, config=Config())
    assert calibrate([made], timed=False)[0].rate.declared == pytest.approx(0.6)


def test_counting_moves_no_weight_and_leaves_training_mode(tiny, tmp_path):
    session = Session(declaring(tiny.tiny_job(tmp_path), 0.15))
    before = {name: value.clone() for name, value in session.module.state_dict().items()}
    realised_rate(session)
    after = session.module.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(p.grad is None for p in session.module.parameters())
    assert session.module.training
    session.close()
