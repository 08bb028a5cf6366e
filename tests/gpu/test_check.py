"""The check of a GPU runs, here at toy size on a CPU, and says what became of each part."""

import importlib.util
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

HERE = Path(__file__).parent
SCRIPT = HERE / "check.py"


def called(*words, **environment):
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.fixture(scope="module")
def own_process():
    spec = importlib.util.spec_from_file_location("own_process", HERE / "own_process.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["own_process"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["own_process"]


@pytest.fixture
def entry_of(own_process, tmp_path):
    """(work, limit, left) -> the entry of a part that does ``work``."""
    setting = SimpleNamespace(device=torch.device("cpu"), dry=False, folder=tmp_path)

    def run(work, limit=30.0, left=60.0):
        return own_process.run_part(own_process.Part("planted", work, limit), setting, left)

    return run


@pytest.mark.slow
def test_every_part_runs_dry(tmp_path):
    out = tmp_path / "made" / "check.json"
    code, said, wrong = called("--dry", "--out", str(out))
    assert code == 0, said + wrong
    found = json.loads(out.read_text())
    assert found["schema"] == 1 and found["dry"] and found["device"]["versions"]["torch"]
    assert found["unwritten"] == ["whole-step CUDA graphs"]
    parts = {part["name"]: part for part in found["parts"]}
    assert {name: part["status"] for name, part in parts.items()} == dict.fromkeys(parts, "ok")
    assert all(part["rows"] for part in parts.values())
    assert sum(part["limit"] for part in parts.values()) <= 470, "and some seconds for imports"

    rows = {name: part["rows"] for name, part in parts.items()}
    # What a CPU can already show.
    assert [row["outcome"] for row in rows["gpu tests"]] == ["skipped"] * len(rows["gpu tests"])
    assert all(row["error"] < 1e-5 for row in rows["kernels"])
    assert all(row["equal_bits"] for row in rows["exactness"])
    (kill,) = rows["kill and resume"]
    assert kill["killed_in_the_middle"] and kill["equal"]
    for row in rows["presets"]:
        assert row["memory_ratio"] == pytest.approx(1, abs=0.005)
        assert 0 < row["share_of_peak"] < 1
    assert {row["processes"] for row in rows["sharing"]} == {1, 2}


def test_without_a_gpu_it_says_so_in_one_line(tmp_path):
    out = tmp_path / "check.json"
    code, said, _ = called("--out", str(out), CUDA_VISIBLE_DEVICES="")
    assert code == 0
    (line,) = said.splitlines()
    assert line.startswith("check-gpu: torch sees no GPU here")
    assert not out.exists()


def test_a_part_keeps_its_rows_and_skips_with_a_reason(own_process, entry_of):
    def work(setting, row):
        row(what="one", number=1.23456, bad=float("nan"), inner=[0.1 + 0.2])
        raise own_process.Skip("there is nothing more")

    entry = entry_of(work)
    assert entry["status"] == "skipped: there is nothing more" and not entry["error"]
    assert entry["rows"] == [{"what": "one", "number": 1.235, "bad": "nan", "inner": [0.3]}]


def test_a_part_that_fails_says_how(entry_of):
    def fails(setting, row):
        row(what="before")
        raise ValueError("planted")

    entry = entry_of(fails)
    assert entry["status"] == "failed" and entry["error"].endswith("ValueError: planted\n")
    assert entry["rows"] == [{"what": "before"}]


def test_a_part_that_dies_leaves_its_last_words(entry_of):
    def dies(setting, row):
        os.write(1, b"last words\n")
        os._exit(7)

    entry = entry_of(dies)
    assert entry["status"] == "failed"
    assert entry["error"] == "last words\n\nthe process ended with 7"


@pytest.mark.parametrize(("limit", "left"), [(0.5, 60.0), (60.0, 0.5)])
def test_a_part_is_cut_at_its_limit_with_all_that_it_started(entry_of, tmp_path, limit, left):
    def hangs(setting, row):
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        row(child=child)
        time.sleep(60)

    entry = entry_of(hangs, limit, left)
    assert entry["status"] == "cut" and entry["seconds"] < 30
    child = Path(f"/proc/{entry['rows'][0]['child']}/stat")
    until = time.monotonic() + 20
    while runs(child):
        assert time.monotonic() < until
        time.sleep(0.05)


def runs(stat):
    """Whether there is such a process, and it is no zombie of whoever inherited it."""
    try:
        return stat.read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_where_the_host_waits_is_told_by_torchs_warnings(monkeypatch):
    """torch warns at each wait; here a warning of the same words stands for one."""
    monkeypatch.syspath_prepend(str(HERE))
    modes = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
    watched = importlib.import_module("part_waits").watched
    with watched(torch.device("cuda")) as places:
        for _ in range(2):
            warnings.warn("called a synchronizing CUDA operation", UserWarning, stacklevel=1)
        warnings.warn("something else", UserWarning, stacklevel=1)
        warnings.warn("is a prototype that detects not all synchronizing operations", stacklevel=1)
    assert modes == ["warn", "default"]
    assert len(places) == 2
    with watched(torch.device("cpu")) as places:
        pass
    assert places == [] and len(modes) == 2
