"""A pool of worker processes gives what one process gives; one that loses a worker says so."""

import multiprocessing
import os
import queue
import signal

import pytest
import torch
from safetensors.torch import load_file

from objbench.errors import ObjbenchError
from objbench.results.run_folder import RunFolder, read_plan
from objbench.runs.executors.process_pool import _show
from objbench.runs.progress import Display, Lines


@pytest.mark.slow
def test_two_workers_give_what_one_process_gives(make_study, run, tmp_path):
    # One of the objectives learns from the other, so a worker waits for its teacher.
    study = make_study(objectives=["mlm", "tacl"])
    one, two = tmp_path / "one", tmp_path / "two"
    assert run(study, one).complete
    assert run(study, two, jobs=2).complete
    cells = read_plan(two).cells
    assert next(cell for cell in cells if cell.id == "tacl.seed-0").needs == ("mlm.seed-0",)
    pretrained = [cell for cell in cells if cell.kind == "pretrain"]
    evaluated = [cell for cell in cells if cell.kind == "evaluation"]
    assert (len(pretrained), len(evaluated)) == (2, 4)
    for cell in pretrained:
        ours, theirs = (weights_of(folder, cell) for folder in (one, two))
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    for cell in evaluated:
        ours, theirs = (RunFolder(folder).read_record(cell) for folder in (one, two))
        assert ours.scores == theirs.scores


def weights_of(folder, cell):
    (last,) = (folder / "encoders").glob(f"{cell.id}.{cell.key[:12]}/step-{cell.step}")
    return load_file(last / "model.safetensors")


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
    assert run(make_study(), tmp_path).complete


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
