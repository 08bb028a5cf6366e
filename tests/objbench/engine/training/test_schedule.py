"""Routes: every exported model is finished, and has taken the steps that its budget pays for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objbench.engine.training.schedule import Leg, plan_route
from objbench.results.evaluation_points import export_steps
from objbench.study.settings import TrainingSection


def training(schedule="trunk", **settings):
    return TrainingSection(schedule=schedule, learning_rate=2.0, **settings)


def test_a_linear_schedule_is_one_leg():
    route = plan_route(100, [50, 100], training("linear", warmup=0.0))
    assert route.legs == (Leg(0, 100, (50, 100)),)
    assert (route.total, route.extra(0)) == (100, 0)
    assert route.learning_rate(0, 24) == pytest.approx(2.0 * (1 - 0.245))


def test_a_trunk_branches_off_before_every_export():
    route = plan_route(220, [110, 220], training(warmup=0.0))
    assert route.legs == (
        Leg(0, 100),
        Leg(100, 110, (110,), branch=True),
        Leg(100, 200),
        Leg(200, 220, (220,), branch=True),
    )
    assert route.total == 100 + 10 + 100 + 20
    assert [route.extra(leg) for leg in range(4)] == [0, 0, 10, 10]
    assert [route.done(leg, step) for leg, step in ((1, 105), (2, 100), (3, 220))] == [
        105,
        110,
        230,
    ]


def test_the_rate_is_constant_on_the_trunk_and_falls_to_zero_on_a_branch():
    route = plan_route(220, [110, 220], training(warmup=0.1))
    assert route.learning_rate(0, 10) == pytest.approx(2.0 * 10.5 / 22)
    assert route.learning_rate(0, 99) == route.learning_rate(2, 150) == 2.0
    assert [route.learning_rate(1, step) for step in (100, 109)] == pytest.approx([1.9, 0.1])
    assert route.learning_rate(3, 219) == pytest.approx(2.0 * 0.5 / 20)


def test_a_point_within_the_warm_up_is_a_run_of_its_own():
    route = plan_route(1000, [11, 22, 1000], training(warmup=0.1))
    assert route.legs[:3] == (
        Leg(0, 11, (11,), branch=True),
        Leg(0, 22, (22,), branch=True),
        Leg(0, 909),
    )
    assert route.legs[3] == Leg(909, 1000, (1000,), branch=True)
    for leg, steps in ((0, 11), (1, 22)):
        alone = plan_route(steps, [steps], training(warmup=0.1))
        for step in range(steps):
            own = next(n for n, part in enumerate(alone.legs) if step < part.stop)
            assert route.learning_rate(leg, step) == alone.learning_rate(own, step)
            assert route.progress(leg, step) == alone.progress(own, step)
    # The peak is reached, and the trunk keeps the warm-up of the whole budget.
    assert max(route.learning_rate(1, step) for step in range(22)) == 2.0
    assert route.learning_rate(2, 49) == pytest.approx(2.0 * 49.5 / 100)


def test_progress_is_that_of_the_cooldown_on_a_trunk_and_of_the_budget_elsewhere():
    route = plan_route(220, [110, 220], training(warmup=0.1))
    assert {route.progress(leg, step) for leg in (0, 2) for step in (0, 99)} == {0.0}
    assert [route.progress(1, step) for step in (100, 105, 109)] == [0.05, 0.55, 0.95]
    assert route.progress(3, 219) == pytest.approx(0.975)
    plain = plan_route(100, [100], training("linear"))
    assert [plain.progress(0, step) for step in (0, 99, 150)] == [0.005, 0.995, 1.0]


@pytest.mark.parametrize(("steps", "branch"), [(1, 1), (11, 1), (16, 1), (17, 2), (220, 20)])
def test_a_branch_is_the_documented_share_of_its_point(steps, branch):
    # c = max(1, round(F * cooldown / (1 + cooldown))): 16 / 11 is 1.45, and 17 / 11 is 1.55.
    *_, last = plan_route(steps, [steps], training(cooldown=0.1)).legs
    assert last.stop - last.start == branch


@given(st.integers(1, 400), st.integers(1, 20), st.floats(0.01, 1.0))
def test_a_trunk_finishes_every_export_once_and_walks_without_gaps(steps, points, cooldown):
    exports = export_steps(steps, points)
    route = plan_route(steps, exports, training(cooldown=cooldown))
    assert [step for leg in route.legs for step in leg.exports] == exports
    assert route.legs[0].start == 0
    position = 0
    for leg in route.legs:
        assert leg.start == position < leg.stop
        # A branch is taken back; what follows starts where it started.
        position = leg.start if leg.branch else leg.stop
        for step in leg.exports:
            # Its own steps are the trunk's and the branch's: what such a run alone would take.
            assert step == leg.stop
            # Every point is a finished model, whose rate has fallen to the end of its schedule.
            assert leg.branch
    assert route.legs[-1].stop == steps
