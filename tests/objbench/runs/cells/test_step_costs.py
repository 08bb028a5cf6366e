"""The stored cost of a step: what it is of, and where it was timed."""

import pytest

from objbench.results.run_folder import RunFolder
from objbench.results.step_cost import StepCost
from objbench.runs.cells import step_costs as module
from objbench.runs.cells.prepared_study import prepare
from objbench.runs.cells.step_costs import cost_key, step_cost_keys, timed_on
from objbench.runs.finished_part import stored_costs
from objbench.runs.planning.configured_plugins import configure_plugins


@pytest.fixture
def keys(make_study, cache, registry, tmp_path):
    """(timed, device) -> the keys of the costs."""
    study = make_study()

    def make(timed, device="cpu"):
        prepared = prepare(study, registry, RunFolder(tmp_path), cache=cache, device=device)
        return step_cost_keys(prepared, timed)

    return make


@pytest.fixture
def named(monkeypatch):
    """Devices have names without being there."""
    names = {"cuda:0": "NVIDIA H200", "cuda:1": "NVIDIA A100", "cuda:2": "NVIDIA H200"}
    monkeypatch.setattr(module, "device_name", lambda device: names.get(device, "a CPU"))


def test_seconds_belong_to_the_kind_of_device_that_took_them(keys, named):
    on = {device: keys(True, device) for device in ("cpu", "cuda:0", "cuda:1", "cuda:2")}
    assert on["cuda:0"] == on["cuda:2"], "the same kind of device"
    for name in ("mlm", "taco"):
        assert len({keys[name] for keys in on.values()}) == 3


def test_seconds_belong_to_torchs_version_and_the_number_of_processes(keys, named, monkeypatch):
    before = keys(True, "cuda:0")
    monkeypatch.setattr(module, "processes", lambda: 8)
    eight = keys(True, "cuda:0")
    monkeypatch.setattr(module, "versions", lambda: {"torch": "9.9"})
    assert len({before["mlm"], eight["mlm"], keys(True, "cuda:0")["mlm"]}) == 3


def test_what_is_only_counted_is_the_same_everywhere(keys, named, monkeypatch):
    before = keys(False, "cpu")
    monkeypatch.setattr(module, "versions", lambda: {"torch": "9.9"})
    assert keys(False, "cuda:0") == before


def test_a_cost_timed_elsewhere_is_not_found(make_study, registry, tmp_path, named):
    study = make_study(budget="10-seconds")
    folder = RunFolder(tmp_path)
    chosen = configure_plugins(study, registry)
    data = {"key": "a" * 64, "vocabulary": 400}
    for name in study.objectives:
        key = cost_key(study, chosen, name, data, timed_on("cuda:0"))
        folder.write_cost(name, key, StepCost(tokens=64.0, flops=1e6, seconds=0.01))
    for device, there in (("cuda:0", True), ("cuda:2", True), ("cuda:1", False), ("cpu", False)):
        costs, unmeasured = stored_costs(study, chosen, folder, data, device)
        assert bool(costs) == there
        assert unmeasured == (set() if there else {"mlm", "taco"})
