"""How a cell ended follows from its record: who waits for it says of it what who ran it said."""

import time
from types import SimpleNamespace

from objbench.results.records import RECORD
from objbench.results.run_folder import RunFolder, read_records
from objbench.runs.cells.outcome import Outcome, outcome_of
from objbench.runs.executors import pull_workers
from objbench.runs.executors.place import Place


def test_the_records_of_others_say_what_was_said_here(make_study, run, tmp_path, capsys):
    folder = tmp_path / "run"
    assert run(make_study(), folder).complete
    said = capsys.readouterr().err.splitlines()
    records = read_records(folder)
    assert {record.kind for record in records} == {"pretrain", "evaluation", "floor", "curve"}
    for record in records:
        found = outcome_of(record)
        assert f"{record.id}: {found.text}" in said
        assert found.text != "done"
        assert "fixable" not in record.model_dump(mode="json")

    # An encoder that is gone is for the user to fix, whoever finds that.
    for path in (*folder.glob("encoders/taco.*/*/*"), *folder.glob("records/evaluation/*.taco.*")):
        if path.is_file():
            path.unlink()
    here = run(make_study(), folder)
    failed = [record for record in read_records(folder) if record.status == "failed"]
    again = [RECORD.validate_json(record.model_dump_json()) for record in failed]
    assert {outcome_of(record) for record in again} == {*here.failures}
    assert here.exit_code == 2


def test_a_failure_elsewhere_ends_the_run_as_one_here(make_study, run, tmp_path, monkeypatch):
    study, folder = make_study(objectives=["mlm"]), tmp_path / "run"
    assert run(study, folder).complete
    for path in (*folder.glob("encoders/*/*/*"), *folder.glob("records/evaluation/*")):
        if path.is_file():
            path.unlink()
    here = run(study, folder)
    failed = [record for record in read_records(folder) if record.status == "failed"]
    assert (here.exit_code, len(failed)) == (2, len(here.failures))

    def work_meanwhile(seconds):
        while failed:
            RunFolder(folder).write_record(failed.pop())

    monkeypatch.setattr(
        pull_workers, "time", SimpleNamespace(sleep=work_meanwhile, monotonic=time.monotonic)
    )
    there = run(study, folder, jobs=None, place=Place("workers"))
    assert there.exit_code == here.exit_code
    assert {*there.failures} == {*here.failures}
    assert all(isinstance(one, Outcome) and one.fixable for one in there.failures)
