"""``objbench doctor`` finds what is wrong with an installation or a machine, and says what to do."""

import json
from collections import namedtuple
from importlib import metadata

import pytest

from objbench.cli import diagnosed_installation as installation
from objbench.cli import diagnosed_machine as machine
from objbench.cli.diagnosis import Diagnosis, diagnosis_lines
from objbench.cli.main import main

NEEDED = ["numpy>=2.0", "ruff>=0.9; extra == 'dev'", "Torch_Like>=1.5"]
TESTED = {"numpy": "2.1", "torch-like": "1.6"}
Disk = namedtuple("Disk", "total used free")


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


def versions(**found):
    def version_of(name):
        if name not in found:
            raise metadata.PackageNotFoundError(name)
        return found[name]

    return installation.versions(NEEDED, TESTED, version_of)


def test_everything_is_a_line_and_nothing_here_is_a_fault(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[1] for line in lines]
    assert names[:2] == ["versions", "cpu"]
    assert names[-6:] == ["threads", "disk", "cache", "plugins", "files", "hub"]
    assert all(line.split()[0] in ("ok", "warning") for line in lines)
    assert not list(tmp_path.iterdir())


def test_a_broken_plugin_is_a_fault_and_exit_code_2(projects, capsys):
    projects.add("objbench-broken", bad="import nowhere_to_be_found")
    assert main(["doctor", "--json"]) == 2
    found = {own["name"]: own for own in json.loads(capsys.readouterr().out)}
    assert set(found["disk"]) == {"name", "status", "what", "todo"}
    assert found["plugin bad"]["status"] == "fault"
    assert "ModuleNotFoundError" in found["plugin bad"]["what"]
    assert found["hub"]["status"] == "warning"
    assert found["hub"]["what"].startswith("http://127.0.0.1:9 is out of reach: ")


@pytest.mark.parametrize(
    ("found", "status", "what"),
    [
        ({"numpy": "2.1", "Torch_Like": "1.6+cpu"}, "ok", "; 2 libraries, all as tested"),
        ({"numpy": "2.2", "Torch_Like": "1.6"}, "warning", "as tested: numpy 2.2 (tested: 2.1)"),
        ({"numpy": "1.26", "Torch_Like": "1.6"}, "fault", "numpy 1.26 (needed: >=2.0)"),
        ({"numpy": "2.1"}, "fault", "Torch_Like is not installed (needed: >=1.5)"),
    ],
)
def test_versions(found, status, what):
    own = versions(**found)
    assert own.status == status
    assert what in own.what
    assert bool(own.todo) == (status != "ok")


def test_the_tested_versions_are_those_of_the_constraints(tmp_path):
    found = installation.tested_versions(installation.CHECKOUT / "constraints.txt")
    assert {"torch", "numpy", "huggingface-hub"} <= set(found)
    assert installation.tested_versions(tmp_path / "constraints.txt") == {}


@pytest.mark.parametrize(
    ("free", "status"), [(2**29, "fault"), (5 * 2**30, "warning"), (2**40, "ok")]
)
def test_disk(free, status, tmp_path, monkeypatch):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: Disk(0, 0, free))
    own = machine.disk("disk", tmp_path / "not" / "there")
    assert own.status == status
    assert "free" in own.what


def test_a_cache_that_is_a_file_is_a_fault(tmp_path):
    (tmp_path / "cache").write_text("")
    own = machine.cache(tmp_path / "cache")
    assert (own.status, own.todo) == ("fault", "name another with --cache")
    assert own.what.endswith("is a file")


def test_what_is_in_the_cache_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: Disk(0, 0, 2**40))
    (tmp_path / "tokens" / "one").mkdir(parents=True)
    (tmp_path / "tokens" / "one" / "train.bin").write_bytes(bytes(2**20))
    assert "1 tokenized text, 1.00 MiB in all" in machine.cache(tmp_path).what


def test_more_threads_than_cores_and_a_busy_machine_are_warnings(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 4)
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (1.0, 1.0, 1.0))
    monkeypatch.setattr("torch.get_num_threads", lambda: 4)
    assert machine.threads().status == "ok"
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (7.0, 1.0, 1.0))
    assert "7.0 processes want to run" in machine.threads().what
    monkeypatch.setattr("torch.get_num_threads", lambda: 5)
    assert machine.threads().todo == "set OMP_NUM_THREADS=4"


def test_a_driver_without_a_gpu_in_torch_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert [own.name for own in machine.devices()] == ["cpu"]
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(machine, "_DRIVER", (str(tmp_path / "nvidia0"),))
    *_, last = machine.devices()
    assert (last.name, last.status) == ("gpu", "warning")
    assert "sees no GPU" in last.what


def test_a_device_that_cannot_compute_is_a_fault(monkeypatch):
    def broken(*_, device):
        raise RuntimeError(f"no kernel\nfor {device}")

    monkeypatch.setattr("torch.ones", broken)
    first, *_ = machine.devices()
    assert (first.status, first.todo) == ("fault", "name another with --device")
    assert "no kernel for cpu" in first.line


def test_offline_is_no_warning(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert machine.hub().status == "ok"


def test_a_hub_that_does_not_answer_is_not_waited_for(monkeypatch):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        own = machine.hub(patience=0.2)
    assert own.status == "warning"


def test_the_files_that_the_readme_names_are_looked_for(tmp_path):
    (tmp_path / "README.md").write_text(
        "[page](leaderboard/README.md) [paper](https://x.org/a) `objectives/README.md`\n"
        "```sh\nobjbench leaderboard runs/demo --out runs/NAME\n```\n"
    )
    (tmp_path / "leaderboard").mkdir()
    (tmp_path / "leaderboard" / "README.md").touch()
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    own = installation.named_files(tmp_path, tmp_path)
    assert own.status == "warning"
    assert own.what == (
        f"1 of 2 that the README names are in {tmp_path}; of your own: runs/demo; missing: "
        "objectives/README.md"
    )
    # The whole of this repository is here.
    assert installation.named_files(installation.CHECKOUT, tmp_path).status == "ok"
    assert installation.named_files(tmp_path / "wheel", tmp_path).status == "ok"


def test_foreign_text_stays_on_its_line():
    (line,) = diagnosis_lines([Diagnosis("a", "fault", "b\n\x1b[2Jc", "d\ne")])
    assert line == "fault    a  b [2Jc; d e"
