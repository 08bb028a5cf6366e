"""Every number on the committed pages, computed again from their records by the judge alone.

``tests/data/published_values.json`` holds them as they were first computed, to ten digits; they
may only change together with the records, or with a ``JUDGE_VERSION`` that says so.
"""

from pathlib import Path

import numpy as np
import pytest
from published_values import PUBLISHED, WITHOUT_STUCK_RUNS

from objbench.judge.evidence import curve_evidence
from objbench.judge.judgement import judge_claim
from objbench.judge.papers.claims import read_claims
from objbench.judge.score_arrays import final_scores
from objbench.judge.score_source import Pair, curve_side
from objbench.judge.statistics.aggregates import (
    improvement_interval,
    paired_improvement,
    pooled_interquartile_mean,
)
from objbench.judge.statistics.bootstrap import bootstrap_interval
from objbench.judge.statistics.estimate import estimate, paired_difference
from objbench.judge.statistics.gain_by_task import (
    average,
    average_gain,
    group_means,
    leave_one_out,
    task_gains,
)
from objbench.judge.statistics.noise_floor import noise_floors
from objbench.judge.statistics.ranks import rank_objectives
from objbench.judge.statistics.seed_curves import isotonic
from objbench.judge.statistics.speedup import speedup_function
from objbench.judge.verdict import NO_SPEEDUP, judge_speedup
from objbench.results.study_results import read_study_results

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", params=WITHOUT_STUCK_RUNS)
def study(request):
    """A committed study, joined with its records, and the numbers published of it."""
    return read_study_results(ROOT / "leaderboard" / request.param), PUBLISHED[request.param]


def test_every_committed_study_is_covered():
    assert {path.parent.name for path in ROOT.glob("leaderboard/*/plan.json")} == set(PUBLISHED)


def test_verdicts(study):
    results, published = study
    for old in published["verdicts"]:
        name, claim_id = old["claim"].split()
        file = read_claims(name)
        claim = next(claim for claim in file.claims if claim.id == claim_id)
        found = judge_claim(results, file, claim, old["source"])
        assert _close(
            {
                "claim": found.title,
                "source": found.source,
                "verdict": found.verdict,
                "finding": _finding(found.finding),
                "by_axis": {axis: _finding(item) for axis, item in found.by_axis.items()},
                "seeds": list(found.seeds),
            },
            old,
        )


def test_rankings(study):
    results, published = study
    for suite, old in published["ranking"].items():
        found = final_scores(results, _suite(results, suite))
        ranked = [row for row in old if row["score"] is not None]
        scores = np.array([found.scores[_place(results, row["objective"])] for row in ranked])
        baseline = found.scores[_place(results, results.plan.baseline)]
        sign = 1.0 if found.suite.direction == "max" else -1.0
        ranks = rank_objectives(scores, found.suite.direction)
        names = [row["objective"] for row in ranked]
        for index, row in enumerate(ranked):
            own, other = scores[index], names.index(results.plan.baseline)
            better = [
                float(paired_improvement(sign * own, sign * baseline)),
                improvement_interval(sign * own, sign * baseline),
            ]
            is_candidate = index != other
            assert _close(
                {
                    "score": _estimate(estimate(own)),
                    "gain": _estimate(paired_difference(own, baseline)) if is_candidate else None,
                    "better": better if is_candidate else None,
                    "group": ranks.letters[index],
                    "ranks": None if ranks.intervals is None else list(ranks.intervals[index]),
                    "is_significant": bool(ranks.better[index, other] or ranks.better[other, index])
                    and is_candidate,
                },
                {key: value for key, value in row.items() if key not in ("objective", "rank")},
            )


def test_gains_by_column(study):
    results, published = study
    for suite, old in published["gains"].items():
        found = final_scores(results, _suite(results, suite))
        groups = _groups(found.suite)
        baseline = found.values[_place(results, results.plan.baseline)]
        for objective, expected in old.items():
            candidate = found.values[_place(results, objective)]
            whole = np.isfinite(candidate).all(axis=(0, 2)) & np.isfinite(baseline).all(axis=(0, 2))
            there = np.flatnonzero(whole)
            gains = task_gains(candidate[:, there], baseline[:, there])
            columns = {
                found.suite.columns[number].name: {
                    "gain": _estimate(gain.gain),
                    "p": gain.p_value,
                    "significant": gain.significant,
                }
                for number, gain in zip(there.tolist(), gains, strict=True)
            }
            without = leave_one_out(candidate, baseline, groups) if len(groups) > 1 else []
            assert _close(
                {
                    "columns": columns,
                    "average": _estimate(average_gain(candidate, baseline, groups)),
                    "without": [_estimate(item) for item in without],
                },
                expected,
            )


def test_interquartile_means(study):
    results, published = study
    for suite, old in published["interquartile_means"].items():
        found = final_scores(results, _suite(results, suite))
        baseline = found.columns[_place(results, results.plan.baseline)]
        for objective, (value, interval) in old.items():
            columns = found.columns[_place(results, objective)] - baseline
            gains = group_means(columns, _groups(found.suite))
            stream = np.random.SeedSequence(
                list(f"{found.suite.name} {objective} pooled_middle".encode())
            )
            generator = np.random.Generator(np.random.Philox(stream))
            assert _close(float(pooled_interquartile_mean(gains)), value)
            assert _close(bootstrap_interval(pooled_interquartile_mean, gains, generator), interval)


def test_noise(study):
    results, published = study
    for suite, old in published["noise"].items():
        found = final_scores(results, _suite(results, suite))
        values = {
            column.name: found.values[:, :, number]
            for number, column in enumerate(found.suite.columns)
        }
        if found.suite.average_groups:
            values["average"] = average(found.values, _groups(found.suite), axis=-2)
        assert values.keys() == old.keys()
        for name, scores in values.items():
            whole = scores[np.isfinite(scores).all(axis=(1, 2))]
            if old[name] is None:
                assert scores.shape[1] < 2 or not len(whole)
                continue
            noise = noise_floors(whole[:, :, None])[0]
            assert _close({field: getattr(noise, field) for field in old[name]}, old[name])


def test_speedups(study):
    results, published = study
    for source, old in published["speedups"].items():
        means = isotonic(curve_side(results, results.plan.baseline, source).scores.mean(axis=0))
        targets = [means[0] + part * (means[-1] - means[0]) for part in (0.75, 0.5, 0.25)]
        for objective, expected in old.items():
            found = curve_evidence(results, Pair(objective, results.plan.baseline), source)
            if found.left_out:
                assert expected == {}
                continue
            headline = {
                axis: _finding(judge_speedup(*curves, NO_SPEEDUP))
                for axis, curves in found.curves.items()
            }
            assert _close(headline, expected)
            # What is better when lower is judged negated.
            for item, target in zip(published["targets"][source][objective], targets, strict=True):
                assert _close(abs(target), item["target"])
                made = {
                    axis: speedup_function(*curves, targets=np.array([target]))
                    for axis, curves in found.curves.items()
                }
                speedups = {
                    axis: [_bound(at[0].estimate), _bound(at[0].low), _bound(at[0].high)]
                    for axis, at in made.items()
                    if at
                }
                assert _close(speedups, item["speedups"])


def test_heldout_losses_and_costs(study):
    results, published = study
    for objective, old in published["heldout"].items():
        records = results.pretrained(objective)
        ends = [record.points[-1].heldout for record in records if record.points]
        for term, expected in old.items():
            values = np.array([end[term] for end in ends if term in end])
            assert _close(_estimate(estimate(values)), expected)
    for objective, old in published["costs"].items():
        records = results.pretrained(objective)
        assert len(records) == old["seeds"]
        last = [record.points[-1].meters for record in records if record.points]
        costs = [record.cost for record in records if record.cost is not None]
        for field, value in old.items():
            if field in ("steps", "tokens", "flops", "seconds"):
                assert _close(np.mean([getattr(meters, field) for meters in last]), value)
            elif field in ("flops_per_step", "tokens_per_second"):
                assert _close(np.mean([getattr(cost, field) for cost in costs]), value)
            elif field == "peak_memory":
                assert max(cost.peak_memory for cost in costs) == value


def _close(found, old):
    """Whether the two agree, with numbers to a relative 1e-8; names where they do not."""
    if isinstance(old, dict):
        assert found.keys() == old.keys()
        return all(_close(found[key], value) or pytest.fail(f"{key}") for key, value in old.items())
    if isinstance(old, list):
        assert len(found) == len(old)
        return all(_close(one, other) for one, other in zip(found, old, strict=True))
    if isinstance(old, float):
        assert found == pytest.approx(old, rel=1e-8, abs=1e-9)
    else:
        assert found == old
    return True


def _bound(bound):
    return None if bound is None else [bound.side, bound.value]


def _estimate(found):
    return {
        "mean": found.mean,
        "interval": None if found.interval is None else list(found.interval),
        "low": found.least,
        "high": found.greatest,
        "runs": found.runs,
    }


def _finding(finding):
    if finding is None:
        return None
    ends = {name: _bound(getattr(finding, name)) for name in ("estimate", "low", "high")}
    fields = ("verdict", "claimed", "seeds")
    values = {name: getattr(finding, name) for name in fields}
    more = finding.more_seeds and [finding.more_seeds.low, finding.more_seeds.high]
    return {**ends, **values, "more_seeds": more, "direction": finding.comparison}


def _suite(results, name):
    return next(suite for suite in results.suites if suite.name == name)


def _groups(suite):
    place = {column.name: index for index, column in enumerate(suite.columns)}
    return [[place[name] for name in group] for group in suite.average_groups]


def _place(results, objective):
    return [item.name for item in results.plan.objectives].index(objective)
