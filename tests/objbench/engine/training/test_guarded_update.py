"""The guarded update: AdamW as torch's, clipping as torch's, and a latch that holds."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from objbench.engine.training.devices import make_accelerator
from objbench.engine.training.guarded_update import GuardedUpdate
from objbench.engine.training.optimizer import OptimizerBuilder, build_optimizer
from objbench.engine.training.parameter_groups import parameter_groups
from objbench.errors import ConfigError
from objbench.study.settings import OptimizerSettings, TrainingSection


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 1))


def loss_of(module: nn.Module, step: int, scale: float = 1.0) -> torch.Tensor:
    inputs = torch.randn(5, 4, generator=torch.Generator().manual_seed(step))
    return module(inputs).square().mean() * scale


def build(training: TrainingSection) -> tuple[nn.Module, GuardedUpdate]:
    module = network()
    update = GuardedUpdate(
        make_accelerator("cpu", "fp32"), module, build_optimizer(module, training), training
    )
    return module, update


def advance(module, update, step, scale=1.0, rate=1e-2):
    loss = loss_of(module, step, scale)
    update.guarded(loss, loss.detach()[None]).backward()
    return update.apply(rate)


def plain_adamw(module, training):
    """An optimizer that knows nothing of ``found_inf``."""
    groups = parameter_groups(module).values()
    own = [{"params": list(found), "rate": 1.0} for found in groups]
    return torch.optim.AdamW(own, lr=training.learning_rate, foreach=False, fused=False)


@pytest.fixture(params=[True, False], ids=["fused", "plain"])
def optimizer_kind(request, monkeypatch):
    """The optimizer that is built is torch's fused AdamW, or one without ``found_inf``."""
    if not request.param:
        builder = OptimizerBuilder(plain_adamw, supports_found_inf=False)
        for module in ("optimizer", "guarded_update"):
            place = f"objbench.engine.training.{module}.OPTIMIZERS"
            monkeypatch.setattr(place, {"adamw": builder})


@pytest.mark.usefixtures("optimizer_kind")
@pytest.mark.parametrize("clip", [0.0, 0.05, 1e3])
def test_updates_are_those_of_torch(clip):
    training = TrainingSection(optimizer=OptimizerSettings(weight_decay=0.1), clip=clip)
    module, update = build(training)
    reference = network()
    optimizer = build_optimizer(reference, training)
    for step in range(5):
        rate = 1e-2 / (step + 1)
        norm = advance(module, update, step, rate=rate)
        loss_of(reference, step).backward()
        expected = nn.utils.clip_grad_norm_(reference.parameters(), clip or math.inf)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()
        torch.testing.assert_close(norm, expected)
    for left, right in zip(module.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(left, right)


@pytest.mark.usefixtures("optimizer_kind")
@pytest.mark.parametrize("scale", [math.nan, math.inf, 1e30])
def test_a_step_that_is_not_finite_and_all_after_it_change_nothing(scale):
    module, update = build(TrainingSection())
    advance(module, update, 0)
    assert not update.latched
    optimizer = update._optimizer
    before = [p.clone() for p in module.parameters()]
    moments = [value.clone() for s in optimizer.state.values() for value in s.values()]
    # 1e30 is a finite loss whose gradient norm overflows.
    advance(module, update, 1, scale)
    advance(module, update, 2)
    assert update.latched
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    after = [value for s in optimizer.state.values() for value in s.values()]
    assert all(torch.equal(a, b) for a, b in zip(moments, after, strict=True))


def test_fp16_on_a_cpu_is_refused():
    with pytest.raises(ConfigError, match="bf16"):
        make_accelerator("cpu", "fp16")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_refused():
    with pytest.raises(ConfigError, match="no CUDA device"):
        make_accelerator("cuda", "fp32")


def test_one_process_may_change_precision():
    assert make_accelerator("cpu", "bf16").mixed_precision == "bf16"
    assert make_accelerator("cpu", "fp32").mixed_precision == "no"


class FakeScaler:
    """Stands for accelerate's GradScaler path, which needs a GPU."""


def test_in_fp16_the_latch_turns_the_loss_into_nan(monkeypatch):
    module, update = build(TrainingSection())
    update._scaled = FakeScaler()
    assert update.skips_overflow
    loss = loss_of(module, 0)
    assert torch.equal(update.guarded(loss, torch.ones(2)), loss)
    assert update.guarded(loss, torch.tensor([1.0, math.inf])).isnan()
    update.guarded(loss, torch.ones(2)).backward()
    assert all(p.grad.isnan().all() for p in module.parameters())
