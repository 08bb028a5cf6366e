"""A study whose run is in an object store, on machines that share nothing else."""

from __future__ import annotations

import shutil

import pytest

from objbench.cli.main import main
from objbench.cli.run_place import run_place
from objbench.results.object_store import ObjectStore
from objbench.results.published_study import read_published
from objbench.results.records import EvaluationRecord
from objbench.results.run_folder import RunFolder


def measured(record):
    """What does not depend on when and where a record was made."""
    fields = record.model_dump(mode="json", exclude={"provenance", "seconds"})

    def timeless(value):
        if isinstance(value, dict):
            return {
                key: timeless(one)
                for key, one in value.items()
                if "second" not in key and key not in ("peak_memory", "values")
            }
        return [timeless(one) for one in value] if isinstance(value, list) else value

    return timeless(fields)


@pytest.fixture(scope="module")
def remote(bucket, make_study, run, tmp_path_factory):
    """A finished run in a store, whose first machine is gone."""
    store = ObjectStore(f"{bucket}/studies/first")
    scratch = tmp_path_factory.mktemp("machine") / "first"
    assert run(make_study(), scratch, store=store).complete
    assert not list(scratch.glob("records/**/*.json"))
    shutil.rmtree(scratch)
    return store


def test_the_records_are_those_of_a_run_in_a_folder(remote, make_study, run, tmp_path):
    assert run(make_study(), tmp_path / "first").complete
    local = RunFolder(tmp_path / "first").read_records()
    found = RunFolder(tmp_path / "nothing", remote).read_records()
    assert [measured(record) for record in found] == [measured(record) for record in local]


def test_another_machine_goes_on_with_the_encoders_of_the_first(remote, make_study, run, tmp_path):
    folder = RunFolder(tmp_path / "second", remote)
    before = {record.id: record for record in folder.read_records()}
    gone = next(r for r in before.values() if isinstance(r, EvaluationRecord) and r.upstream)
    cell = next(cell for cell in folder.read_plan().cells if cell.id == gone.id)
    remote.delete(folder.where(cell).removeprefix(f"{remote.url}/"))
    assert run(make_study(), folder.path, store=remote).complete
    after = {record.id: record for record in folder.read_records()}
    assert measured(after[gone.id]) == measured(gone)
    assert {id for id, record in after.items() if record != before[id]} == {gone.id}
    assert len(list(folder.path.glob("encoders/*/step-*"))) == 1


def test_a_page_is_made_from_the_store_and_kept_there(remote, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    assert main(["leaderboard", remote.url]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-2].endswith("first/leaderboard/README.md")
    assert said[-1] == f"stored: {remote.url}/leaderboard/"
    page = run_place(remote).folder / "leaderboard" / "README.md"
    assert remote.read("leaderboard/README.md") == page.read_bytes()
    assert b"first" in page.read_bytes()
    assert not list(run_place(remote).folder.glob("losses/*"))


def test_a_run_in_a_store_is_published_with_its_logs(remote, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = tmp_path / "published"
    assert main(["leaderboard", remote.url, "--out", str(out), "--with-records"]) == 0
    run = RunFolder(tmp_path / "nothing", remote)
    published = {record.id: record for record in read_published(out)}
    assert published == {record.id: run.with_log(record) for record in run.read_records()}
    assert any(getattr(record, "log", None) for record in published.values())


def test_a_run_in_a_store_can_be_sent(remote, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert main(["submit", remote.url, "--out", str(tmp_path / "sent")]) == 0
    assert "digest: " in capsys.readouterr().out
    assert main(["accept", str(tmp_path / "sent"), "--check-only"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["leaderboard", "s3://bucket"], "names no run in a bucket: write it as s3://BUCKET/RUN"),
        (["leaderboard", "s3:///run"], "names no run in a bucket"),
        (["leaderboard", "s3://other/run"], "s3://other/run cannot be used: "),
        (["leaderboard", "s3://bucket/nothing"], "error: s3://bucket/nothing holds no plan.json"),
        (["verify", "s3://bucket/nothing"], "error: s3://bucket/nothing holds no plan.json"),
        (["run", "--objectives", "mlm", "--out", "s3://bucket"], "names no run in a bucket"),
        (["work", "--run", "s3://bucket"], "names no run in a bucket"),
        (["work", "--run", "s3://bucket/nothing"], "nothing holds no plan.json"),
        (
            ["submit", "s3://bucket/nothing", "--out", "sent"],
            "error: s3://bucket/nothing holds no plan.json",
        ),
    ],
)
def test_a_wrong_url_is_told_in_one_line(bucket, words, message, command_line):
    assert message in command_line.refusal(words)
