"""Two workers on one study: what one loses the other continues, and who has lost a cell stores nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from objbench.results.atomic_files import sweep
from objbench.results.local_store import LocalStore
from objbench.results.plan import PlannedCell
from objbench.runs.executors import leased_cells
from objbench.runs.executors.leased_cells import LeasedCells
from objbench.runs.executors.leases import Leases

PROGRAM = Path(__file__).with_name("stand_in_worker.py")
STEPS = 12


class Workers:
    """Programs that work on one folder, each in a group of its own."""

    def __init__(self, folder):
        self.folder, self.started = folder, []
        for name in ("taken", "records"):
            (folder / name).mkdir()

    def start(self, stale, *names):
        command = [sys.executable, str(PROGRAM), str(self.folder), str(stale), *names]
        program = subprocess.Popen(
            command, start_new_session=True, stdout=subprocess.PIPE, stderr=2, text=True
        )
        self.started.append(program)
        return program

    def until(self, what):
        end = time.monotonic() + 120
        while not (found := what()):
            assert time.monotonic() < end
            time.sleep(0.02)
        return found

    def step(self, name):
        """The step of a cell's checkpoint, as far as it is there at this moment."""
        path = self.folder / "checkpoints" / name / "step"
        return int(path.read_text()) if path.exists() else 0

    def by(self, name):
        """The processes that took a step of a cell -> their steps."""
        found = {}
        for path in (self.folder / "taken").glob(f"{name}.*"):
            _, step, process = path.name.split(".")
            found.setdefault(process, []).append(int(step))
        return {process: sorted(steps) for process, steps in found.items()}

    def record(self, name):
        path = self.folder / "records" / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def workers(tmp_path):
    made = Workers(tmp_path)
    yield made
    for program in made.started:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGCONT)
            os.killpg(program.pid, signal.SIGKILL)


@pytest.mark.slow
def test_two_workers_share_the_cells_and_a_poison_cell_stops_neither(workers):
    names = ["poison", *(f"c{number}" for number in range(6))]
    both = [workers.start(60, *names) for _ in range(2)]
    said = [program.communicate(timeout=120)[0] for program in both]
    assert [program.returncode for program in both] == [0, 0]
    for name in names[1:]:
        assert workers.record(name).startswith("ok")
        (steps,) = workers.by(name).values()
        assert steps == [*range(1, STEPS + 1)]
        assert sum(f"{name} ok" in one for one in said) == 1
    assert workers.record("poison") == (
        "failed its process was ended by SIGSEGV, at the last of 2 attempts"
    )
    assert not list(workers.folder.glob("leases/*"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR2])
def test_the_cell_of_a_worker_that_ends_is_continued_by_another(workers, number):
    # A killed worker is given up after a while, one that was asked to end has given back at once.
    first = workers.start(2, "long") if number == signal.SIGKILL else workers.start(600, "long")
    workers.until(lambda: workers.step("long") >= 3)
    second = workers.start(2 if number == signal.SIGKILL else 600, "long")
    os.kill(first.pid, number)
    first.communicate(timeout=60)
    assert first.returncode == (-9 if number == signal.SIGKILL else 130)
    second.communicate(timeout=120)
    assert second.returncode == 0
    assert workers.record("long").startswith("ok")
    one, two = sorted(workers.by("long").values())
    assert one[0] == 1 and two[-1] == STEPS
    assert one[-1] - 1 <= two[0] - 1 <= one[-1], "it goes on from the checkpoint"


def test_a_worker_that_has_nothing_to_run_says_once_what_it_waits_for(tmp_path, monkeypatch):
    monkeypatch.setattr(leased_cells, "IDLE", 0.0)
    cells = [
        PlannedCell(id=name, kind="pretrain", key="0" * 64, objective=name, seed=0) for name in "ab"
    ]
    leases, said = Leases(LocalStore(tmp_path), 300), []
    folder = SimpleNamespace(ended_cells=lambda cells: {}, read_record=lambda cell: None)
    own = LeasedCells(
        cells,
        {},
        folder,
        leases,
        refuse=print,
        leave=print,
        say=said.append,
        ended=print,
        shares_memory=False,
        owner="here:1",
        look=0.0,
    )
    others = [leases.take(one, "elsewhere:2") for one in cells]
    assert [own.next(running) for running in (1, 0, 0)] == [None, None, None]
    line = (
        "waiting: other workers have {}; those of one that is lost are taken over after 300 seconds"
    )
    assert said == [line.format("2 cells")]
    leases.give_back(others[0])
    assert own.next(0).cell.id == "a"
    assert own.next(0) is None
    assert said[1:] == [line.format("1 cell")]


@pytest.mark.slow
def test_a_worker_that_was_stopped_for_too_long_stores_nothing_more(workers):
    first = workers.start(1.5, "long")
    workers.until(lambda: workers.step("long") >= 3)
    os.killpg(first.pid, signal.SIGSTOP)
    (loser,) = workers.by("long")
    second = workers.start(1.5, "long", "other")
    workers.until(lambda: len(workers.by("long")) == 2)
    os.killpg(first.pid, signal.SIGCONT)
    said, _ = first.communicate(timeout=60)
    assert "long: another worker has taken it over" in said
    second.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (0, 0)
    (winner,) = set(workers.by("long")) - {loser}
    assert workers.record("long") == f"ok {winner}"
    assert (workers.folder / "checkpoints" / "long" / "by").read_text() == winner
    # It computed the step that it was stopped in, and stored no other.
    assert max(workers.by("long")[loser]) <= min(workers.by("long")[winner]) + 1
    # What it was writing when it was stopped is under a temporary name, which the next run removes.
    sweep(workers.folder)
    left = [path for path in workers.folder.rglob(".*") if "swaps" not in path.name]
    assert not left, "nothing half written"
