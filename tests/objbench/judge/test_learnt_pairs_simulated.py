"""Why pairs with a stuck run are left out: simulated studies of two equal objectives, from records.

A run that learnt ends at 3.0 nats -+ 0.1, a stuck one at 5.2. "All pairs" is what a judge would say
who does not ask whether runs learnt.
"""

from dataclasses import replace

import numpy as np
import pytest

from objbench.judge.evidence import gain_evidence
from objbench.judge.obstacles import few_learnt
from objbench.judge.score_source import COMMON, Pair
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.judge.verdict import judge_gain
from objbench.results.training_points import CommonLoss

PAIR = Pair("taco", "mlm")
SEEDS = (1, 2, 3, 4, 5)
REPETITIONS = 1000


@pytest.fixture
def simulate(make_study):
    """(generator, shares of stuck runs, advantage of taco) -> the losses and the results."""
    study = make_study(seeds=SEEDS, points=1, finetune=(0,))
    study.measure_learning()
    results = study.results()

    def one(generator, stuck, advantage=0.0):
        losses, records = {}, dict(results.records)
        for name in (PAIR.baseline, PAIR.objective):
            is_stuck = generator.random(len(SEEDS)) < stuck.get(name, 0.0)
            own = 3.0 + 0.1 * generator.normal(size=len(SEEDS))
            own -= advantage * (name == PAIR.objective)
            losses[name] = np.where(is_stuck, 5.2, own)
            for seed, loss, plateau in zip(SEEDS, losses[name], is_stuck, strict=True):
                record = records[f"{name}.seed-{seed}"]
                common = CommonLoss(
                    of="masked",
                    loss=float(loss),
                    order_gain=0.0 if plateau else 2.0,
                    error=0.01,
                    tokens=1000,
                )
                points = [record.points[0].model_copy(update={"common": common})]
                records[record.id] = record.model_copy(update={"points": points})
        return losses, replace(results, records=records)

    return one


def said(simulated):
    """What all pairs say, and what the judge says of those that learnt."""
    losses, results = simulated
    everything = judge_gain(losses[PAIR.baseline] - losses[PAIR.objective], 0.0).comparison
    found = gain_evidence(results, PAIR, COMMON)
    if few_learnt(results, PAIR, found.seeds, found.left_out):
        assert len(found.seeds) < MIN_RUNS
        return everything, "unclear"
    return everything, judge_gain(found.differences, 0.0).comparison


def test_stuck_baselines_confirm_nothing(simulate):
    generator = np.random.default_rng(13)
    verdicts = [said(simulate(generator, {"mlm": 0.8})) for _ in range(REPETITIONS)]
    everything, learnt = zip(*verdicts, strict=True)
    # At least four of five stuck: 5 * 0.8^4 * 0.2 + 0.8^5 = 0.737.
    assert everything.count("better") / REPETITIONS == pytest.approx(0.737, abs=0.05)
    assert learnt.count("better") / REPETITIONS <= 0.005
    assert learnt.count("worse") / REPETITIONS <= 0.005


@pytest.mark.parametrize("stuck", [{"mlm": 0.1}, {"mlm": 0.3, "taco": 0.3}])
def test_the_pairs_that_learnt_keep_their_level(simulate, stuck):
    generator = np.random.default_rng(17)
    verdicts = [said(simulate(generator, stuck))[1] for _ in range(REPETITIONS)]
    for side in ("better", "worse"):
        bound = 0.025 + 3 * np.sqrt(0.025 * 0.975 / REPETITIONS)
        assert verdicts.count(side) / REPETITIONS <= bound


def test_nothing_is_lost_where_every_run_learnt(simulate):
    generator = np.random.default_rng(19)
    verdicts = [said(simulate(generator, {}, advantage=0.3)) for _ in range(200)]
    assert all(everything == learnt for everything, learnt in verdicts)
    assert sum(learnt == "better" for _, learnt in verdicts) / 200 > 0.9
