"""A process that dies costs its cell an attempt and nobody else anything; an interrupt leaves none.

The cells are stand-ins that take no torch, so that many deaths and interrupts take little time.
"""

import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from objbench.errors import ObjbenchError
from objbench.runs.executors import supervision
from objbench.runs.executors.attempts import Attempts
from objbench.runs.executors.supervision import Supervision

STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture(scope="module")
def stand_in():
    """The module, under a name that the processes can import as well."""
    sys.path.insert(0, str(STAND_IN.parent))
    yield importlib.import_module(STAND_IN.stem)
    sys.path.remove(str(STAND_IN.parent))


@pytest.fixture
def supervised(stand_in, tmp_path):
    """(names of cells, **settings) -> what became of them."""

    def run(*names, slots=({}, {}), memory=True, **settings):
        cells = stand_in.Cells([stand_in.cell(name) for name in names], Attempts(memory))
        report = settings.pop("report", lambda *event: None)
        Supervision(slots, stand_in.Start(tmp_path), report, **settings).run(cells)
        return cells

    return run


def seen(folder, name):
    """What the attempts at a cell kept."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob(f"{name}.*"))]


def test_deaths_cost_their_cells_attempts_and_stop_nobody(supervised, tmp_path):
    heard = []
    names = ["kill-2", "plain-1", "segv-9", "term-1", "exit-1", "fails", "plain-2"]
    cells = supervised(*names, report=lambda *event: heard.append(event))
    assert {name: one.status for name, one in cells.outcomes.items()} == {
        **dict.fromkeys(["kill-2", "plain-1", "term-1", "exit-1", "plain-2"], "ok"),
        "segv-9": "failed",
        "fails": "failed",
    }
    assert sorted(cells.losses) == [
        ("exit-1", "crashed"),
        ("kill-2", "killed"),
        ("kill-2", "killed"),
        ("segv-9", "crashed"),
        ("segv-9", "crashed"),
        ("term-1", "lost"),
    ]
    # What a cell does by itself is not repeated, and a healthy process goes on with the next cell.
    assert len(seen(tmp_path, "fails")) == 1
    assert ("kill-2", 3, 9, "") in heard


def test_a_process_sees_the_gpu_of_its_slot_from_its_first_moment(supervised, tmp_path):
    slots = [{"CUDA_VISIBLE_DEVICES": "GPU-5"}, {"CUDA_VISIBLE_DEVICES": "7"}]
    names = [f"sleep-0.{n}" for n in range(1, 7)]
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    supervised(*names, slots=slots)
    # Each process was begun with the variable, so torch cannot have been imported before.
    by_process = {}
    for name in names:
        (one,) = seen(tmp_path, name)
        (gpu,) = [word for word in one["begun_with"] if word.startswith("CUDA_VISIBLE_DEVICES=")]
        by_process.setdefault(one["pid"], set()).add(gpu)
    assert sorted(by_process.values(), key=str) == [
        {"CUDA_VISIBLE_DEVICES=7"},
        {"CUDA_VISIBLE_DEVICES=GPU-5"},
    ]
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == before


def test_a_gpu_that_met_an_error_is_used_by_a_new_process(supervised, tmp_path):
    supervised("fails", "plain", slots=[{}], fresh_after_failure=True)
    (one,), (two,) = seen(tmp_path, "fails"), seen(tmp_path, "plain")
    assert one["pid"] != two["pid"]


def test_a_death_is_noticed_though_a_process_of_a_plugin_lives_on(supervised):
    started = time.monotonic()
    cells = supervised("child-15", slots=[{}])
    assert cells.losses == [("child-15", "crashed")]
    assert cells.outcomes["child-15"].status == "ok"
    assert time.monotonic() - started < 15


def test_a_cell_beyond_reach_is_ended_with_its_process(supervised, monkeypatch):
    monkeypatch.setattr(supervision, "LATE", 0.5)
    cells = supervised("deaf-1", "plain", slots=[{}], cell_timeout=0.5)
    assert cells.losses == [("deaf-1", "hung")]
    assert cells.outcomes["deaf-1"].status == "failed"
    assert cells.outcomes["plain"].status == "ok"


def test_what_stops_a_worker_stops_the_study(stand_in, tmp_path):
    cells = stand_in.Cells([stand_in.cell("plain")])
    with pytest.raises(ObjbenchError, match=r"^the plugin is not there$"):
        Supervision([{}], stand_in.Unable("refuses"), print).run(cells)
    with pytest.raises(RuntimeError, match=r"ZeroDivisionError: of the cell's runner"):
        Supervision([{}], stand_in.Start(tmp_path), print).run(
            stand_in.Cells([stand_in.cell("bug")])
        )


def test_processes_that_cannot_begin_are_no_cells_fault(stand_in):
    cells = stand_in.Cells([stand_in.cell("plain")], Attempts(shares_memory=False))
    with pytest.raises(ObjbenchError, match=r"before they could begin .*SIGKILL.* fewer --jobs"):
        Supervision([{}], stand_in.Unable("killed"), print).run(cells)


# -- interrupts

INTERRUPTS = [
    (signal.SIGINT, "the supervisor", False),
    (signal.SIGINT, "the group", False),
    (signal.SIGTERM, "the supervisor", False),
    (signal.SIGTERM, "the group", False),
    # As a shell without job control starts what runs in the background.
    (signal.SIGINT, "the group", True),
    (signal.SIGTERM, "the supervisor", True),
]


def started(folder, *names, ignored=False):
    """A program that supervises cells in a group of its own."""
    shell = "trap '' INT; " if ignored else ""
    command = [sys.executable, str(STAND_IN), str(folder), "2", *names]
    return subprocess.Popen(
        ["/bin/sh", "-c", f'{shell}exec "$@"', "sh", *command],
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )


def left_in(session):
    """The processes of a session that have not ended."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (OSError, psutil.Error):
            continue
    return found


def is_empty(session):
    end = time.monotonic() + 10
    while left_in(session) and time.monotonic() < end:
        time.sleep(0.1)
    return not left_in(session)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "to", "ignored"), INTERRUPTS)
def test_an_interrupt_at_any_moment_ends_everything(number, to, ignored, tmp_path):
    dice = random.Random(f"{number} {to} {ignored}")
    names = ["kill-1", "sleep-60", *(f"plain-{n}" for n in range(20)), "sleep-61"]
    program = started(tmp_path, *names, ignored=ignored)
    # After the first process has begun, so that the program has set its own handlers.
    while not any(tmp_path.iterdir()):
        time.sleep(0.02)
    time.sleep(dice.uniform(0, 1.5))
    send = os.killpg if to == "the group" else os.kill
    for _ in range(dice.choice([1, 3])):
        send(program.pid, number)
    _, said = program.communicate(timeout=15)
    assert program.returncode == 130, said
    assert said == ""
    assert is_empty(program.pid)


@pytest.mark.slow
def test_a_process_that_does_not_answer_is_killed_at_the_second_interrupt(tmp_path):
    program = started(tmp_path, "deaf-1", "sleep-60")
    while len(list(tmp_path.iterdir())) < 2:
        time.sleep(0.02)
    time.sleep(0.3)
    os.kill(program.pid, signal.SIGTERM)
    time.sleep(1.5)
    assert program.poll() is None, "it waits for what may still keep its state"
    os.kill(program.pid, signal.SIGTERM)
    program.communicate(timeout=10)
    assert program.returncode == 130
    assert is_empty(program.pid)


@pytest.mark.slow
def test_no_process_outlives_a_killed_supervisor(tmp_path):
    program = started(tmp_path, "sleep-60", "deaf-1")
    while len(list(tmp_path.iterdir())) < 2:
        time.sleep(0.02)
    program.kill()
    program.communicate(timeout=10)
    assert is_empty(program.pid)
