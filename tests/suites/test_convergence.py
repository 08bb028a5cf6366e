"""The convergence suite: what it follows, and speedups on every meter."""

import pytest

from objbench.contract.meters import AXES
from objbench.contract.options import configure
from objbench.contract.suite import CurvePoint
from objbench.errors import ConfigError, UnknownNameError
from objbench_suites.convergence import ConvergenceSuite


def _suite(**options):
    return ConvergenceSuite(configure(ConvergenceSuite, options))


def _points(*scored, **price):
    return [
        CurvePoint({axis: steps * price.get(axis, 1.0) for axis in AXES}, score)
        for steps, score in scored
    ]


def test_what_it_follows():
    assert _suite().follows(["glue", "toy"]) == "glue"
    assert _suite().follows(["convergence", "toy"]) == "toy"
    assert _suite(of="toy").follows(["glue", "toy"]) == "toy"
    with pytest.raises(ConfigError, match="has no suite to follow"):
        _suite().follows(["convergence"])
    with pytest.raises(UnknownNameError, match="did you mean 'glue'"):
        _suite(of="gleu").follows(["glue", "toy"])


def test_options():
    assert _suite().seeds_per_point == 1 and _suite(seeds="2").seeds_per_point == 2
    with pytest.raises(ConfigError, match="at least 1"):
        _suite(seeds=0)
    assert tuple(column.name for column in _suite().columns()) == AXES
    assert all(column.scale == 1.0 for column in _suite().columns())


def test_each_meter_has_its_own_speedup():
    baseline = _points((10, 50.0), (20, 60.0), (40, 70.0))
    # Reaches 70 at step 20; a step of it costs twice the FLOPs and 1.25 times the seconds.
    candidate = _points((10, 60.0), (30, 80.0), flops=2.0, seconds=1.25)
    found = _suite().measure(baseline, candidate, "max")
    assert {axis: value.value for axis, value in found.items()} == {
        "steps": 2.0,
        "tokens": 2.0,
        "flops": 1.0,
        "seconds": 1.6,
    }
    assert {value.note for value in found.values()} == {""}


def test_notes():
    baseline = _points((10, 50.0), (20, 60.0))
    never = _suite().measure(baseline, _points((10, 40.0), (20, 59.9)), "max")
    assert all(value.value is None and value.note == "not reached" for value in never.values())
    early = _suite().measure(baseline, _points((10, 61.0), (20, 62.0)), "max")
    assert all(value.value == 2.0 and value.note == "at least" for value in early.values())
    itself = _suite().measure(baseline, baseline, "max")
    assert all(value.value == 1.0 and value.note == "" for value in itself.values())


def test_smaller_may_be_better():
    baseline = _points((10, 3.0), (20, 2.0))
    candidate = _points((5, 3.0), (15, 1.0))
    assert _suite().measure(baseline, candidate, "min")["steps"].value == 2.0


def test_what_is_not_there():
    baseline = _points((10, 2.0), (20, 3.0))
    assert (
        _suite().measure(baseline, [], "max")["steps"].note == "the objective has no scored point"
    )
    assert _suite().measure([], baseline, "max")["steps"].note == "the baseline has no scored point"
    untimed = _points((10, 2.0), (20, 3.0), seconds=0.0)
    found = _suite().measure(baseline, untimed, "max")
    assert found["seconds"].note == "no seconds measured for the objective"
    assert found["steps"].value == 1.0


def test_a_curve_that_falls_again_is_made_to_rise_as_in_verdicts():
    baseline = _points((10, 0.0), (30, 0.0))
    # 3 and -1 are pooled to 1: the target 0 is reached on the way to 1, at 15, not to 3.
    candidate = _points((10, -1.0), (20, 3.0), (30, -1.0))
    found = _suite().measure(baseline, candidate, "max")
    assert {value.value for value in found.values()} == {30 / 15}
    mirrored = [CurvePoint(point.spend, -point.score) for point in candidate]
    assert _suite().measure(baseline, mirrored, "min") == found
