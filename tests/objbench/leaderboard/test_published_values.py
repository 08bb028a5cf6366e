"""Every number that a committed page shows is the one that was first published of its records.

``tests/data/published_values.json`` holds them to ten digits, as the judge's own test has them; here
they come out of the report that pages are written from.
"""

import json
from pathlib import Path

import pytest

from objbench.leaderboard.analysis import analyse
from objbench.results.study_results import read_study_results

ROOT = Path(__file__).parents[3]
PUBLISHED = json.loads((ROOT / "tests/data/published_values.json").read_text())


@pytest.fixture(scope="module", params=PUBLISHED)
def study(request):
    """The report of a committed study, and the numbers published of it."""
    report = analyse(read_study_results(ROOT / "leaderboard" / request.param))
    return report, PUBLISHED[request.param]


def test_every_committed_study_is_covered():
    assert {path.parent.name for path in ROOT.glob("leaderboard/*/plan.json")} == set(PUBLISHED)


def test_verdicts(study):
    report, published = study
    found = [
        {
            "claim": item.title,
            "source": item.source,
            "verdict": item.verdict,
            "finding": finding(item.finding),
            "by_axis": {axis: finding(own) for axis, own in item.by_axis.items()},
            "seeds": list(item.seeds),
        }
        for item in report.verdicts
        # Claims that ship since are judged too.
        if item.title in {old["claim"] for old in published["verdicts"]}
    ]
    same(found, published["verdicts"])


def test_rankings_gains_and_noise(study):
    report, published = study
    suites = {item.suite.name: item for item in report.suites}
    same({name: ranking(suite) for name, suite in suites.items()}, published["ranking"])
    same({name: gains(suite) for name, suite in suites.items()}, published["gains"])
    noise = {
        name: {column.name: reseeding(column.noise, report.seeds) for column in suite.columns}
        for name, suite in suites.items()
    }
    same(noise, published["noise"])
    middle = {
        name: {
            objective: [item.estimate.value, item.low and [item.low.value, item.high.value]]
            for objective, item in suite.interquartile.items()
        }
        for name, suite in suites.items()
    }
    same(middle, published["interquartile_means"])


def test_speedups_and_targets(study):
    report, published = study
    speedups = {
        curve.source.name: {
            name: {axis: finding(own) for axis, own in item.headline.items()}
            for name, item in curve.speedups.items()
        }
        for curve in report.curves
    }
    same(speedups, published["speedups"])
    targets = {
        curve.source.name: {
            name: [at_target(at) for at in item.targets[1:]]
            for name, item in curve.speedups.items()
            if item.targets
        }
        for curve in report.curves
    }
    same(targets, published["targets"])


def test_heldout_losses_and_costs(study):
    report, published = study
    losses = {
        objective: {term: estimate(found) for term, found in own.items()}
        for objective, own in report.heldout.items()
    }
    same(losses, published["heldout"])
    costs = {}
    for cost in report.costs:
        means = {name: cost.mean(name) for name in ("flops_per_step", "tokens_per_second")}
        peak = {"peak_memory": max(item.peak_memory for item in cost.costs)}
        costs[cost.objective] = {"seeds": cost.seeds, **cost.meters, **means, **peak}
    same(costs, published["costs"])


def ranking(suite):
    return [
        {
            "objective": row.objective,
            "rank": row.rank,
            "group": row.group,
            "ranks": row.ranks and list(row.ranks),
            "score": estimate(row.score),
            "gain": estimate(row.gain),
            "is_significant": row.is_significant,
            "better": row.improvement
            and [row.improvement.share, row.improvement.interval and [*row.improvement.interval]],
        }
        for row in suite.rows
    ]


def gains(suite):
    return {
        item.objective: {
            "columns": {
                column.name: {
                    "gain": estimate(column.gain),
                    "p": column.p_value,
                    "significant": column.is_significant,
                }
                for column in item.columns
                if column.gain is not None
            },
            "average": estimate(item.average),
            # One number for each group, which its first column has too.
            "without": [
                estimate(column.without)
                for column in item.columns
                if column.group[:1] == (column.name,) and column.without is not None
            ],
        }
        for item in suite.gains
    }


def reseeding(noise, seeds):
    if noise is None or len(seeds) < 2:
        return None
    return {name: getattr(noise, name) for name in ("pretrain", "finetune", "deviation", "floor")}


def at_target(at):
    speedups = {
        axis: [bound(found.estimate), bound(found.low), bound(found.high)]
        for axis, found in at.speedups.items()
    }
    return {"target": at.score, "speedups": speedups}


def bound(found):
    return None if found is None else [found.side, found.value]


def estimate(found):
    if found is None:
        return None
    return {
        "mean": found.mean,
        "low": found.least,
        "high": found.greatest,
        "runs": found.runs,
        "interval": found.interval and list(found.interval),
    }


def finding(found):
    if found is None:
        return None
    ends = {name: bound(getattr(found, name)) for name in ("estimate", "low", "high")}
    fields = ("verdict", "claimed", "seeds")
    values = {name: getattr(found, name) for name in fields}
    more = found.more_seeds and [found.more_seeds.low, found.more_seeds.high]
    return {**ends, **values, "more_seeds": more, "direction": found.comparison}


def same(found, old, where=""):
    """Fail where the two differ, in numbers by more than a relative 1e-8."""
    if isinstance(old, dict):
        assert found.keys() == old.keys(), where
        for key, value in old.items():
            same(found[key], value, f"{where} {key}")
    elif isinstance(old, list):
        assert len(found) == len(old), where
        for number, (one, other) in enumerate(zip(found, old, strict=True)):
            same(one, other, f"{where} {number}")
    elif isinstance(old, float):
        assert found == pytest.approx(old, rel=1e-8, abs=1e-9), where
    else:
        assert found == old, where
