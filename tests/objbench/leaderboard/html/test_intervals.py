"""Intervals as drawn: places worked out by hand, and nothing where nothing is known."""

import math

import pytest

from objbench.judge.statistics.speedup import Bound
from objbench.leaderboard.html.intervals import (
    BAR,
    CARD,
    Scale,
    bar,
    card_drawing,
    scale_bar,
    scale_of,
)
from objbench.leaderboard.quantity import Quantity, quantity


def made(estimate, low=None, high=None, notation="gain"):
    return Quantity(estimate=estimate, low=low, high=high, notation=notation)


LINEAR = Scale(-10.0, 10.0, False, "gain", 0.0)
# From 1/4 to 4, so that 1 is in the middle and 2 at three quarters.
FACTORS = Scale(0.25, 4.0, True, "speedup", 1.0)


def test_places():
    # 9 at either side is kept free: 182 are left of 200.
    assert [LINEAR.place(value) for value in (-10, 0, 5, 10)] == [9, 100, 145.5, 191]
    assert [FACTORS.place(value) for value in (0.25, 1, 2, 4)] == pytest.approx(
        [9, 100, 145.5, 191]
    )
    # Beyond the scale, at its end.
    assert LINEAR.place(99) == 191


def test_a_scale_has_room_for_everything_and_for_no_effect():
    found = [made(Bound(2.0), Bound(1.5), Bound(3.0), "speedup")]
    scale = scale_of(found, "speedup", also=[5.0])
    # From 1 to 5, and 6% of that beyond, by logarithms.
    assert scale.low == pytest.approx(math.exp(-0.06 * math.log(5)))
    assert scale.high == pytest.approx(5 * math.exp(0.06 * math.log(5)))
    flat = scale_of([made(Bound(0.0))], "gain")
    assert flat.low < 0 < flat.high


def shapes(tree):
    return [
        (node.tag, node.attributes.get("class"), node.attributes)
        for node in tree.all()
        if node.tag not in ("svg", "title", "text")
    ]


def test_an_interval_is_a_line_with_a_dot(parsed):
    tree = parsed(bar(made(Bound(5.0), Bound(0.0), Bound(10.0)), LINEAR))
    assert next(tree.all("title")).text == "+5.00 [0.00, +10.00]"
    (_, _, zero), (_, kind, line), (tag, _, dot) = shapes(tree)
    assert (zero["x1"], zero["x2"]) == ("100", "100")
    assert (kind, line["x1"], line["x2"]) == ("range", "100", "191")
    assert (tag, dot["cx"]) == ("circle", "145.5")


def test_without_an_interval_there_is_no_line(parsed):
    kinds = [kind for _, kind, _ in shapes(parsed(bar(quantity(5, "gain"), LINEAR)))]
    assert kinds == ["zero", "estimate"]


def test_an_end_that_was_not_measured_is_an_arrow_to_the_edge(parsed):
    found = made(Bound(2.0), Bound(1.0), Bound(4.0, "above"), "speedup")
    marks = shapes(parsed(bar(found, FACTORS)))
    assert [kind for _, kind, _ in marks] == ["zero", "end", "range", "estimate"]
    assert marks[2][2]["x2"] == "196"
    found = made(Bound(0.5, "below"), Bound(0.25, "below"), Bound(1.0), "speedup")
    marks = shapes(parsed(bar(found, FACTORS)))
    assert [kind for _, kind, _ in marks] == ["zero", "end", "range", "bound"]
    assert marks[2][2]["x1"] == "4"


@pytest.mark.parametrize("claimed", [-9.9, 0.0, 9.9])
def test_labels_of_a_card_are_within_it(parsed, claimed):
    scale = Scale(-10.0, 10.0, False, "gain", 0.0, CARD)
    tree = parsed(card_drawing(made(Bound(1.0)), claimed, scale, "0: no gain"))
    for label in tree.all("text"):
        half = 3.2 * len(label.text)
        assert half <= float(label.attributes["x"]) <= CARD - half


def test_labels_of_a_scale_do_not_run_into_each_other(parsed):
    tree = parsed(scale_bar(Scale(-1.0, 90.0, False, "gain", 0.0)))
    labels = [(float(node.attributes["x"]), node.text) for node in tree.all("text")]
    assert [text for _, text in labels] == ["0.00", "+90.00"]
    assert labels[0][0] < labels[1][0] < BAR
