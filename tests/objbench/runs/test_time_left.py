"""The line for all cells: how many are done, and how long those of each sort still take."""

import io

import pytest
from rich.console import Console

from objbench.runs import progress
from objbench.runs.progress import Bars, Lines
from objbench.runs.time_left import TimeLeft

CELLS = {"a.0": "long", "a.1": "long", "t.0": "short", "t.1": "short", "t.2": "short"}


@pytest.fixture
def clock(monkeypatch):
    """The time, in a list of one."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_every_sort_is_counted_by_what_its_own_cells_took(clock):
    left = TimeLeft(CELLS, total=7, jobs=1)
    assert left.words == "2 of 7 cells"
    left.update("a.0", 0.0)
    clock[0] += 60
    left.update("a.0", 0.25)
    # 180 s of this one and 240 s of the next, and nothing is known of the short ones.
    assert left.words == "2 of 7 cells, at least 7 min left"
    clock[0] += 140
    left.end("a.0")
    left.update("t.0", 0.0)
    clock[0] += 10
    left.end("t.0")
    left.end("t.0")
    # One of 200 s and two of 10 s.
    assert left.words == "4 of 7 cells, 4 min left"
    left.update("a.1", 0.0)
    clock[0] += 150
    # What runs is expected to take as long as the one before, not as long as its share says.
    left.update("a.1", 0.1)
    assert left.words == "4 of 7 cells, 70 s left"
    for cell in ("a.1", "t.1", "t.2", "unknown"):
        left.end(cell)
    assert left.words == "7 of 7 cells"


def test_a_cell_that_is_left_to_others_is_still_to_be_run(clock):
    left = TimeLeft(CELLS, total=7, jobs=1, expected={"long": 600.0, "short": 60.0})
    before = left.words
    left.update("a.0", 0.5)
    clock[0] += 60
    left.update("a.0", 0.9)
    left.leave("a.0")
    left.leave("a.0")
    left.leave("unknown")
    assert left.words == before


def test_cells_that_others_run_are_timed_from_the_first_sight_to_the_end(clock):
    left = TimeLeft(CELLS, total=5, jobs=1, expected={"long": 600.0, "short": 60.0})
    for _ in range(3):  # At every look it is there again.
        left.begin("a.0")
        left.begin("a.1")
        clock[0] += 50
    # Two at a time: 450 s of both, and 180 s for the three short ones.
    assert left.words == "0 of 5 cells, 9 min left"
    left.end("a.0")
    left.begin("a.0")  # Its lease is there for another moment.
    left.begin("elsewhere")
    # What it took says what the other takes, which is as far; then the short ones, one at a time.
    assert left.words == "1 of 5 cells, 3 min left"


def test_until_a_cell_of_a_sort_has_ended_the_forecast_counts(clock):
    left = TimeLeft(CELLS, total=5, jobs=1, expected={"long": 600.0, "short": 60.0})
    assert left.words == "0 of 5 cells, 23 min left"
    left.update("a.0", 0.0)
    clock[0] += 120
    assert left.words == "0 of 5 cells, 21 min left"
    clock[0] += 60
    left.end("a.0")
    # The other long one takes three minutes too; of the short ones nothing new is known.
    assert left.words == "1 of 5 cells, 6 min left"
    some = TimeLeft(CELLS, total=5, jobs=1, expected={"long": 600.0})
    assert some.words == "0 of 5 cells, at least 20 min left"


def test_work_that_is_about_done_has_no_time_left(clock):
    left = TimeLeft({"a": "sort"}, total=2, jobs=1, expected={"sort": 10.0})
    left.update("a", 0.0)
    clock[0] += 9.4
    assert left.words == "1 of 2 cells, 1 s left"
    clock[0] += 0.3
    assert left.words == "1 of 2 cells"


def test_cells_side_by_side_take_their_share_of_the_time(clock):
    left = TimeLeft({str(n): "sort" for n in range(5)}, total=5, jobs=2)
    left.update("0", 0.0)
    clock[0] += 3600
    left.end("0")
    assert left.words == "1 of 5 cells, 2.0 h left"


def test_the_last_cell_is_not_shared(clock):
    left = TimeLeft({"0": "sort", "1": "sort", "2": "other"}, total=3, jobs=2)
    left.update("0", 0.0)
    clock[0] += 60
    left.end("0")
    left.end("2")
    assert left.words == "2 of 3 cells, 60 s left"
    left.update("1", 0.0)
    assert left.words == "2 of 3 cells, 60 s left"


def test_a_cell_that_goes_on_is_no_faster(clock):
    left = TimeLeft({"0": "sort", "1": "sort"}, total=2, jobs=1)
    left.update("0", 0.8)
    clock[0] += 60
    left.update("0", 0.9)
    # A tenth took 60 s: 60 s of this one and 600 s of the next.
    assert left.words == "0 of 2 cells, 11 min left"
    clock[0] += 60
    left.end("0")
    assert left.words == "1 of 2 cells, 10 min left"


def test_lines_say_it_when_a_cell_ends_but_not_too_often(clock, capsys):
    shown = Lines()
    shown.plan({"a": "sort", "b": "sort", "c": "sort"}, total=3, jobs=1)
    for cell, seconds in (("a", 10), ("b", 10), ("c", 5)):
        shown.update(cell, 0, 1, "")
        clock[0] += seconds
        shown.end(cell, "done")
    assert capsys.readouterr().err.splitlines() == [
        "a: done",
        "b: done",
        "2 of 3 cells, 10 s left",
        "c: done",
    ]


def test_bars_have_a_line_for_all_cells(clock, monkeypatch):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(progress, "Console", lambda stderr: console)
    shown = Bars()
    console.print(shown._progress)
    assert "cells" not in screen.getvalue()
    shown.plan({"a": "sort", "b": "sort"}, total=12, jobs=1)
    shown.update("a", 0, 8, "")
    clock[0] += 100
    shown.update("a", 2, 8, "loss 5.1")
    console.print(shown._progress)
    assert "loss 5.1" in screen.getvalue()
    assert "10 of 12 cells, 12 min left" in screen.getvalue()
    shown.end("a", "held-out loss 4.2")
    console.print(shown._progress)
    assert "11 of 12 cells, 2 min left" in screen.getvalue()
