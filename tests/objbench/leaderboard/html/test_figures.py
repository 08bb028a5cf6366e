"""What the script draws is what the report says: recomputed here with plain loops."""

import json
from pathlib import Path

import pytest

from objbench.contract.meters import AXES
from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.html.curve_data import figure_data
from objbench.leaderboard.html.ranking import top_group
from objbench.leaderboard.ranking import Row
from objbench.results.study_results import read_study_results

PUBLISHED = Path(__file__).parents[4] / "leaderboard"
SIDES = {-1: "below", 0: "", 1: "above"}


def six(value):
    return pytest.approx(value, rel=1e-5)


def test_curves_are_means_over_the_runs_that_learnt(make_study, report_of):
    study = make_study(seeds=(1, 2, 3, 4), points=3)
    study.measure_learning(stuck={"taco": [2]})
    report = report_of(study)
    data = figure_data(report)
    assert data == json.loads(json.dumps(data, allow_nan=False))
    assert [own["name"] for own in data["objectives"]] == ["mlm", "taco"]
    assert data["baseline"] == 0
    assert data["seeds"] == [1, 2, 3, 4]
    assert [curve["words"] for curve in data["curves"]] == [c.source.words for c in report.curves]
    for written, curve in zip(data["curves"], report.curves, strict=True):
        mlm, taco = written["own"]
        assert mlm["stuck"] == []
        assert taco["stuck"] == [False, True, False, False]
        for own, name in ((mlm, "mlm"), (taco, "taco")):
            found = curve.curves[name]
            counted = [0, 1, 2, 3] if name == "mlm" else [0, 2, 3]
            for point in range(3):
                scores = [float(found.scores[point, seed]) for seed in range(4)]
                assert own["scores"][point] == six(scores)
                mean = sum(scores[seed] for seed in counted) / len(counted)
                assert own["mean"][point] == six(mean)
                for axis in range(len(AXES)):
                    spent = own["spend"][axis][point]
                    each = spent if isinstance(spent, list) else [spent] * 4
                    assert each == six([float(found.spend[point, seed, axis]) for seed in range(4)])
                    at = sum(each[seed] for seed in counted) / len(counted)
                    assert own["at"][axis][point] == six(at)
    common = next(curve for curve in data["curves"] if curve["lines"])
    assert ["bigram", 4.5, True] in common["lines"]
    assert common["lower"]
    assert common["end"] == six(common["own"][0]["mean"][-1])


def test_an_objective_of_stuck_runs_alone_has_no_mean(make_study, report_of):
    study = make_study(seeds=(1, 2, 3), points=2)
    study.measure_learning(stuck={"taco": [1, 2, 3]})
    for curve in figure_data(report_of(study))["curves"]:
        taco = curve["own"][1]
        assert taco["stuck"] == [True, True, True]
        assert taco["mean"] == []
        assert len(taco["scores"]) == 2


def test_speedups_keep_what_is_a_bound():
    report = analyse(read_study_results(PUBLISHED / "toy"))
    data = figure_data(report)
    kinds = set()
    for written, curve in zip(data["curves"], report.curves, strict=True):
        assert written["claims"][0]["words"] == "claimed: up to 5x"
        (own,) = written["speedups"]
        for axis, found in zip(AXES, own["by"], strict=True):
            # The clocks of the two objectives share no seconds here.
            function = curve.speedups["taco"].functions.get(axis, ())
            assert len(found or ()) == len(function)
            assert len(function) > 5 or axis == "seconds"
            for at, item in zip(function, found or (), strict=True):
                assert item[0] == six(curve.source.sign * at.target)
                for place, end in ((1, at.estimate), (3, at.low), (5, at.high)):
                    assert item[place] == six(end.value)
                    assert SIDES[item[place + 1]] == end.side
                    kinds.add(end.side)
    assert kinds == {"", "below", "above"}


def row(name, group="", ranks=None, rank=1):
    return Row(objective=name, rank=rank, group=group, ranks=ranks)


@pytest.mark.parametrize(
    ("rows", "top"),
    [
        ([row("x", "a"), row("y", "ab"), row("z", "b")], {"x", "y"}),
        ([row("x", "ab"), row("y", "bc"), row("z", "c")], {"x", "y"}),
        # Of many objectives there are rank intervals and no letters.
        ([row("x", ranks=(1, 2)), row("y", ranks=(1, 3)), row("z", ranks=(2, 3))], {"x", "y"}),
        ([row("x"), row("y")], set()),
        ([row("x", rank=None)], set()),
        ([], set()),
    ],
)
def test_the_top_group(rows, top):
    assert top_group(rows) == top
