"""A tracker that fails, hangs or is missing never ends a cell, and is said once."""

import threading

import pytest

from objbench.errors import ConfigError
from objbench.results.training_log import TrainingLine, read_training_log
from objbench.runs.cells.cell_log import CellLog
from objbench.runs.tracking.tracked_cell import TrackedCell
from objbench.runs.tracking.tracker import Tracker
from objbench.runs.tracking.trackers import TRACKERS


class Planted(Tracker):
    """Takes lines until it fails in some way."""

    name = "planted"
    package = "pytest"

    def __init__(self, fail):
        self.fail = fail
        self.taken = []

    def start(self, run, done):
        print("a banner")
        if self.fail == "start":
            raise ValueError("no\nserver")
        return self

    def log(self, values, step):
        if self.fail == "hang":
            threading.Event().wait(5)
        if self.fail == step:
            raise SystemExit("gone")
        self.taken.append((step, values["train/loss"]))

    def finish(self):
        if self.fail == "finish":
            raise OSError("no route")

    def where(self, study, folder):
        return ""

    def _try(self):
        if self.fail == "try":
            raise OSError("not\nnow")

    def _options(self, run, done):
        return "", {}


def line(done):
    return TrainingLine(
        time="2026-11-29T12:00:00+00:00",
        done=done,
        total=30,
        step=done,
        tokens=8,
        flops=1e9,
        seconds=1.0,
        loss=2.0,
        terms={"mlm": 2.0},
        gradient_norm=1.0,
        learning_rate=1e-3,
        tokens_per_second=10.0,
    )


@pytest.mark.parametrize(
    ("fail", "taken", "fault"),
    [
        (None, [5, 10, 15], None),
        ("start", [], "no server"),
        (10, [5], "gone"),
        ("finish", [5, 10, 15], "no route"),
    ],
)
def test_a_tracker_that_fails_is_said_once_and_the_cell_goes_on(
    tmp_path, capsys, fail, taken, fault
):
    said, tracker, path = [], Planted(fail), tmp_path / "a.jsonl"
    with CellLog(path, lambda *given: said.append(given), [TrackedCell(tracker, None)]) as log:
        log.begin(0, 30)
        for done in (5, 10, 15):
            log.add(line(done))
    assert [step for step, _ in tracker.taken] == taken
    assert [text for *_, text, _ in said] == (
        [f"no longer tracked by planted: {fault}"] if fault else []
    )
    assert [each.done for each in read_training_log(path)] == [5, 10, 15]
    assert capsys.readouterr().out == ""


def test_a_tracker_that_hangs_is_left(tmp_path):
    cell = TrackedCell(Planted("hang"), None)
    cell.begin(0)
    cell.add(line(5))
    cell.close(0.05)
    assert cell.fault == "it did not take the last lines within 0 s"


def test_a_fault_at_the_start_is_one_line(monkeypatch):
    with pytest.raises(ConfigError, match=r"--track planted: it does not take runs \(not now\)"):
        Planted("try").require()
    tracker = TRACKERS["wandb"]
    monkeypatch.setattr(type(tracker), "package", "no_such_package_at_all")
    with pytest.raises(ConfigError, match=r"is not installed; pip install 'objbench\[wandb\]'"):
        tracker.require()
