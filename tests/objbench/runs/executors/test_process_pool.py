"""A pool of worker processes that loses one says so, and keeps what was finished."""

import multiprocessing
import os
import queue
import signal

import pytest

from objbench.errors import ObjbenchError
from objbench.results.run_folder import RunFolder
from objbench.runs.executors.process_pool import _show
from objbench.runs.progress import Display, Lines


@pytest.mark.slow
def test_a_killed_worker_is_one_line_and_the_next_run_continues(
    make_study, run, tmp_path, monkeypatch
):
    end = Lines.end
    ended = []

    def kill(self, cell, text):
        end(self, cell, text)
        ended.append(cell)
        for process in multiprocessing.active_children():
            os.kill(process.pid, signal.SIGKILL)

    monkeypatch.setattr(Lines, "end", kill)
    with pytest.raises(ObjbenchError, match=r"a worker process was killed.*with fewer --jobs"):
        run(make_study(), tmp_path, jobs=2)
    monkeypatch.setattr(Lines, "end", end)
    folder = RunFolder(tmp_path)
    finished = folder.finished_cells(folder.read_plan().cells)
    assert finished.keys() >= set(ended) != set()
    assert len(finished) < len(folder.read_plan().cells)
    assert run(make_study(), tmp_path, jobs=2).complete


def test_progress_that_arrives_after_the_end_of_its_cell_is_not_shown():
    class Heard(Display):
        def __init__(self):
            self.seen = []

        def update(self, *event):
            self.seen.append(event)

    events, shown = queue.Queue(), Heard()
    events.put(("ended", 9, 9, ""))
    events.put(("running", 1, 9, "loss"))
    _show(events, shown, {"running"})
    assert shown.seen == [("running", 1, 9, "loss")]
    assert events.empty()
