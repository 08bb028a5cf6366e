"""A cell that takes no step is reported, again and again, until it does or ends."""

import time

import pytest

from objbench.runs.progress import Display
from objbench.runs.watch import TimeUp, Watch, time_limit


class Heard(Display):
    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)


@pytest.fixture
def watched(monkeypatch):
    """A watch, what it shows, and the time in seconds, which a test may change."""
    now, shown = [0.0], Heard()
    monkeypatch.setattr("objbench.runs.watch.time.monotonic", lambda: now[0])
    return Watch(shown), shown, now


def test_a_quiet_cell_is_reported_until_it_moves_or_ends(watched):
    watch, shown, now = watched
    watch.update("mlm.seed-0", 0, 1, "")
    watch.update("taco.seed-0", 0, 1, "")
    now[0] = 200.0
    watch.update("taco.seed-0", 5, 9, "")
    now[0] = 301.0
    watch.look()
    watch.look()
    assert len(shown.said) == 1
    assert shown.said[0].startswith("no step for 5 minutes: cell mlm.seed-0 (--cell-timeout")
    now[0] = 602.0
    watch.look()
    assert [line.partition("(")[0] for line in shown.said[1:]] == [
        "no step for 10 minutes: cell mlm.seed-0 ",
        "no step for 7 minutes: cell taco.seed-0 ",
    ]
    watch.update("mlm.seed-0", 5, 9, "")
    watch.end("taco.seed-0", "")
    now[0] = 700.0
    watch.look()
    assert len(shown.said) == 3


def test_nothing_is_expected_of_a_cell_that_is_left_to_another_worker(watched):
    watch, shown, now = watched
    watch.update("mlm.seed-0", 5, 9, "")
    watch.leave("mlm.seed-0", "another worker has taken it over")
    now[0] = 1000.0
    watch.look()
    assert shown.said == []
    watch.update("mlm.seed-0", 6, 9, "")
    now[0] = 1301.0
    watch.look()
    assert len(shown.said) == 1


def test_the_limit_interrupts_python_code_and_is_lifted_after():
    with pytest.raises(TimeUp), time_limit(0.05):
        try:
            time.sleep(5)
        except Exception:  # noqa: BLE001 - what a plugin may do
            pytest.fail("a plugin can catch it by accident")
    with time_limit(0.05):
        pass
    time.sleep(0.1)
