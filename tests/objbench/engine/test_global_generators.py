"""The global generators: those of one device are kept and seeded, and no other GPU is touched."""

import ast
from pathlib import Path

import pytest
import torch

import objbench
from objbench.engine.evaluation import finetune
from objbench.engine.global_generators import forked_generators, seed_global_generators
from objbench.engine.measuring.step_comparison import compare_steps
from objbench.engine.measuring.step_cost import calibrate
from objbench.engine.training import session
from objbench.engine.training.trainer import pretrain

# It asks whether a step touches the global generators, of whatever device.
ASKS_FOR_ALL = "side_effects.py"


@pytest.fixture
def gpus(monkeypatch):
    """Three generators in the place of those of three GPUs, of which number 1 is the current."""
    made = tuple(torch.Generator().manual_seed(9) for _ in range(3))
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "default_generators", made)
    return made


@pytest.fixture
def forked(monkeypatch):
    """What ``fork_rng`` was called with."""
    seen = []
    plain = torch.random.fork_rng

    def noted(devices=None, **options):
        seen.append(devices)
        return plain(devices=[], **options)

    monkeypatch.setattr(torch.random, "fork_rng", noted)
    return seen


@pytest.mark.parametrize(("device", "own"), [("cpu", []), ("cuda", [1]), ("cuda:2", [2])])
def test_only_the_device_in_use_is_kept(device, own, gpus, forked):
    with forked_generators(device):
        pass
    assert forked == [own]


@pytest.mark.parametrize(("device", "own"), [("cpu", []), ("cuda", [1]), ("cuda:0", [0])])
def test_only_the_device_in_use_is_seeded_and_draws_what_torchs_seed_gives(device, own, gpus):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        expected = torch.rand(3)
        seed_global_generators(5, torch.device(device))
        assert torch.equal(torch.rand(3), expected)
    for number, generator in enumerate(gpus):
        assert generator.initial_seed() == (5 if number in own else 9)


def test_measuring_and_training_keep_no_gpu_that_they_do_not_use(tiny, tmp_path, silent, forked):
    job = tiny.tiny_job(tmp_path, steps=2, export_steps=(2,))
    calibrate([job], timed=False)
    compare_steps([job])
    pretrain(job, silent)
    assert forked and all(devices == [] for devices in forked)


def test_training_and_fine_tuning_seed_by_device(tiny, tmp_path, monkeypatch):
    def refuse(seed):
        raise AssertionError("every GPU would be seeded")

    monkeypatch.setattr(torch, "manual_seed", refuse)
    built = session.Session(tiny.tiny_job(tmp_path))
    built.gradients(0)
    built.close()
    assert finetune.seed_global_generators is seed_global_generators


def test_nothing_else_forks_or_seeds_the_generators_of_every_gpu():
    found = []
    for path in sorted(Path(objbench.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            name = ast.unparse(node.func)
            everywhere = {"torch.manual_seed", "torch.cuda.manual_seed_all"}
            open_fork = name.endswith(".fork_rng") and "devices" not in {
                keyword.arg for keyword in node.keywords
            }
            if open_fork or name in everywhere:
                found.append(path.name)
    assert set(found) == {ASKS_FOR_ALL, "global_generators.py"}
    assert len(found) == 2
