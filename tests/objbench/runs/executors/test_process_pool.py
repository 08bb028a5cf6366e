"""A pool of worker processes that loses one says so, and keeps what was finished."""

import multiprocessing
import os
import signal

import pytest

from objbench.errors import ObjbenchError
from objbench.results.run_folder import RunFolder
from objbench.runs.progress import Lines


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
