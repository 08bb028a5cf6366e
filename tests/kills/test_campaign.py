"""The campaign of kills: what it does to whom, what it calls equal, and that it finds a difference."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from campaign import blows_from, chosen, deck, read_rounds, rows, table
from crews import CREWS, DRIVER, HEARTBEAT, WORKER, Place
from disturbed_run import SIGNALS
from left_behind import differences, leftovers, numbers, tracebacks
from processes import Command
from services import MARK, Service, heartbeats, jobs

from objbench.results.local_store import LocalStore
from objbench.results.object_store import ObjectStore
from objbench.results.remote_run import scratch_folder
from objbench.results.run_folder import RunFolder
from objbench.runs.executors.leases import Leases


def test_every_kind_of_process_gets_every_signal_in_turn():
    for crew in CREWS:
        blows = blows_from(crew, 0, 0, 2 * len(deck(crew, 0)))
        struck = [(blow.signal, blow.victim) for blow in blows]
        assert {*struck} == {(number, victim) for number in SIGNALS for victim in crew.victims}
        assert all(struck.count(each) == 2 for each in struck)
        # A round that goes on begins where the one before ended.
        assert blows_from(crew, 0, 3, 4) == blows[3:7]
    assert {victim for crew in CREWS for victim in crew.victims} == {DRIVER, HEARTBEAT, WORKER}


def test_members_are_started_in_their_order(tmp_path):
    place = Place(tmp_path / "study.toml", tmp_path / "run", tmp_path / "cache")
    members = {crew.name: [*crew.members(place)] for crew in CREWS}
    assert members["--executor workers"] == ["driver", "heartbeat 1"]
    assert members["two objbench work"] == ["heartbeat 1", "heartbeat 2"]
    assert members["--executor ray"] == ["driver"]


def test_executors_are_chosen_by_the_names_of_the_table():
    assert chosen(None) == [*CREWS]
    assert [crew.name for crew in chosen(["--executor ray", "in process"])] == [
        "--executor ray",
        "in process",
    ]
    with pytest.raises(SystemExit, match="there are: in process, --jobs 2"):
        chosen(["rai"])


def test_it_begins_as_make_begins_it():
    """Where nothing of the tests can be imported but what is beside it."""
    command = [sys.executable, "tests/kills/campaign.py", "--help"]
    root = Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "--kills" in ended.stdout


def test_the_table_counts_what_ended_equal():
    rounds = [
        {"executor": "in process", "blows": [["SIGINT", "driver"]] * 2, "differences": []},
        {"executor": "in process", "blows": [["SIGINT", "driver"]], "differences": ["a"]},
        {"executor": "--jobs 2", "blows": [["SIGKILL", "worker"]], "differences": []},
    ]
    assert [*rows(rounds)] == [
        ("in process", "SIGINT", "driver", 3, 2),
        ("--jobs 2", "SIGKILL", "worker", 1, 1),
    ]
    assert table(rounds).splitlines()[-1] == "| **all** | | | **4** | **3** |"


def test_rounds_of_other_code_are_not_counted(tmp_path):
    path = tmp_path / "rounds.json"
    assert read_rounds(path, "a") == []
    path.write_text(json.dumps({"code": "a", "rounds": [1]}))
    assert (read_rounds(path, "a"), read_rounds(path, "b")) == ([1], [])
    path.write_text("{")
    assert read_rounds(path, "a") == []


@pytest.fixture
def two(make_study, tmp_path):
    """Two folders of one study."""
    for name in ("whole", "killed"):
        make_study(seeds=(0, 1)).write(tmp_path / name)
        (tmp_path / name / "logs").mkdir()
    return tmp_path / "whole", tmp_path / "killed"


def test_what_a_run_took_is_no_difference_and_what_it_computed_is(two):
    whole, killed = two
    assert [*differences(whole, killed)] == []
    folder = RunFolder(killed)
    record = next(one for one in folder.read_records() if one.kind == "pretrain")
    changed = record.model_copy(update={"steps": record.steps + 1})
    next(killed.glob(f"records/pretrain/{record.id}.*")).unlink()  # It is written once.
    folder.write_record(changed)
    assert [*differences(whole, killed)] == [f"record {record.id} differs"]
    assert numbers({"a": [{"seconds": 1.0, "loss": 2.0}]}) == {"a": [{"loss": 2.0}]}


def test_leftovers_are_found(two):
    _, killed = two
    assert [*leftovers(killed)] == []
    gone = f"leases/.mlm.seed-1.abc.swaps-{'0' * 16}/3"  # Its file was removed.
    for name in (gone, "leases/mlm.seed-0.abc", "checkpoints/mlm.seed-0.abc/step-3/state.json"):
        (killed / name).parent.mkdir(parents=True, exist_ok=True)
        (killed / name).touch()
    found = [*leftovers(killed)]
    assert found == [
        "checkpoints/mlm.seed-0.abc/step-3/state.json is left",
        "leases/mlm.seed-0.abc is left",
    ]


def test_tracebacks_are_found_but_for_that_of_a_cancelled_job():
    frame = '  File "/venv/{}.py", line 16, in run\n    run()\n'
    trace = f"Traceback (most recent call last):\n{frame}"
    ours = trace.format("objbench/cli/main") + "OSError: no\n"
    job = trace.format("submitit/local/_local") + "KeyboardInterrupt\n"
    assert tracebacks(f"plan: 20 cells\n{job}done\n{ours}{job}") == ["OSError: no"]
    assert tracebacks("plan: 20 cells\n") == []


def test_a_process_that_began_at_another_time_is_no_worker(tmp_path):
    command = Command.__new__(Command)
    command._workers = tmp_path / "workers"
    command._workers.write_text(f"{os.getpid()} 1\n999999999 5\n")
    assert command.workers() == []


@contextmanager
def running(*words, **environment):
    """A process that does nothing."""
    idle = "import sys; print(); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", idle, *words],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()  # Its words are there once it has begun.
    try:
        yield process.pid
    finally:
        process.communicate()


def test_only_what_the_campaign_has_started_is_hurt(two, tmp_path, monkeypatch):
    monkeypatch.setenv(MARK, "here")
    monkeypatch.setattr("services.LEASE", 600.0)  # However busy the machine is.
    place = Place(tmp_path / "study.toml", two[1], tmp_path / "cache")
    cells = iter(RunFolder(two[1]).read_plan().cells)
    leases, job = Leases(LocalStore(two[1])), f"{two[1]}/slurm/workers-a"
    with running(job) as ours, running(job, **{MARK: "other"}) as foreign, running() as other:
        assert jobs(place) == [ours]
        for pid in (ours, foreign, 999_999_999):
            leases.take(next(cells), f"host:{pid}/name")
        assert heartbeats(place) == [ours]
        assert other not in jobs(place)
    assert (jobs(place), heartbeats(place)) == ([], [])


def test_what_is_in_a_store_is_fetched_for_the_comparison(two, tmp_path):
    whole, killed = two
    elsewhere = Service(bucket="s3://bucket", stores=lambda url: LocalStore(killed))
    place = elsewhere.place(Place(tmp_path / "study.toml", whole, tmp_path / "cache"), "round-3")
    assert place.driver()[3:5] == ["--out", "s3://bucket/round-3"]
    assert place.worker()[1:3] == ["--run", "s3://bucket/round-3"]
    logs = scratch_folder(ObjectStore(place.url), place.cache) / "logs"
    logs.mkdir(parents=True)
    (logs / "mlm.jsonl").touch()
    encoder = killed / "encoders" / "mlm" / "step-8"
    (encoder / ("0a" * 32)).mkdir(parents=True)
    (encoder / ("0a" * 32) / "config.json").touch()
    place.fetch()
    assert (place.run / "encoders" / "mlm" / "step-8" / "config.json").exists()
    shutil.rmtree(place.run / "encoders")
    assert (place.run / "logs" / "mlm.jsonl").exists()
    (place.run / "logs" / "mlm.jsonl").unlink()
    assert place.run == whole.with_name("round-3")
    assert [*differences(whole, place.run)] == []
