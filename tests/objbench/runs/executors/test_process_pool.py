"""A pool of worker processes gives what one process gives, also where it loses some of them."""

import multiprocessing
import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from objbench.plugins.loading import load_plugins
from objbench.results.run_folder import RunFolder, read_plan
from objbench.runs.progress import Lines

DEADLY = """
    import os
    from objbench import Average, Column, Suite, hookimpl

    class Deadly(Suite):
        name = "deadly"
        summary = "ends its process"
        version = 1
        protocol = "none"
        def tasks(self):
            return ("only",)
        def columns(self):
            return (Column("only", "only", ("accuracy",)),)
        def average(self):
            return Average("only", (("only",),))
        def fingerprint(self, task):
            return "0"
        def evaluate(self, encoder, task, seed, context):
            os._exit(3)

    @hookimpl
    def register_suites(register):
        register(Deadly)
"""


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
def test_a_killed_worker_costs_its_cell_an_attempt_and_changes_no_number(
    make_study, run, tmp_path, monkeypatch, capsys
):
    study = make_study(
        objectives=["mlm"],
        seeds=[0, 1],
        training={"batch": 4, "log_every": 1, "checkpoint_every": 0},
        evaluation={"suites": ["heldout"], "points": 1, "heldout_batches": 1},
    )
    update, killed = Lines.update, []

    def kill(self, cell, done, *rest):
        update(self, cell, done, *rest)
        if done == 3 and not killed:
            killed.append(cell)
            for process in multiprocessing.active_children():
                os.kill(process.pid, signal.SIGKILL)

    monkeypatch.setattr(Lines, "update", kill)
    assert run(study, tmp_path / "killed", jobs=2).complete
    said = capsys.readouterr().err
    assert (
        f"{killed[0]}: its process was killed by SIGKILL (out of memory?); attempt 2 follows"
        in said
    )
    assert run(study, tmp_path / "whole").complete
    for cell in read_plan(tmp_path / "whole").cells:
        ours, theirs = (
            folder.with_log(folder.read_record(cell))
            for folder in (RunFolder(tmp_path / name) for name in ("killed", "whole"))
        )
        assert ours.status == theirs.status == "ok"
        if cell.kind == "pretrain":
            assert [point.digest for point in ours.points] == [p.digest for p in theirs.points]
            assert [point.terms for point in ours.log] == [point.terms for point in theirs.log]


@pytest.mark.slow
def test_a_cell_that_always_kills_its_process_stops_nobody(
    make_study, run, tmp_path, monkeypatch, projects
):
    projects.add("deadly", deadly=DEADLY)
    monkeypatch.setattr("objbench.runs.executors.attempts.FIRST_DELAY", 0.0)
    study = make_study(
        objectives=["mlm"],
        evaluation={"suites": ["deadly", "heldout"], "points": 1, "heldout_batches": 1},
    )
    end = run(study, tmp_path, jobs=2, registry=load_plugins())
    assert (end.complete, end.exit_code) == (False, 1)
    reason = "its process ended with exit code 3, at the last of 2 attempts"
    records = {cell.id: RunFolder(tmp_path).read_record(cell) for cell in read_plan(tmp_path).cells}
    # The evaluation and that of the untrained encoder.
    assert len(end.failures) == 2
    for failure in end.failures:
        assert failure.id.startswith("deadly.")
        assert (failure.text, records.pop(failure.id).reason) == (reason, reason)
    assert {record.status for record in records.values()} == {"ok"}
    assert {record.kind for record in records.values()} == {"pretrain", "evaluation", "floor"}
