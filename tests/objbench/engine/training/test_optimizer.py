"""Optimizers by name: their groups, Muon's update from its formula, and a resume bit for bit."""

from __future__ import annotations

import copy
from typing import get_args

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.training.devices import make_accelerator
from objbench.engine.training.guarded_update import GuardedUpdate
from objbench.engine.training.joined_optimizer import JoinedOptimizer
from objbench.engine.training.optimizer import OPTIMIZERS, build_optimizer
from objbench.engine.training.parameter_groups import parameter_groups, product_matrices
from objbench.engine.training.step import TrainingStep
from objbench.engine.training.trainer import pretrain
from objbench.study.settings import (
    EncoderSection,
    OptimizerSettings,
    ParameterGroup,
    TrainingSection,
)


def step_of(tiny, objective="tiny") -> TrainingStep:
    kind = tiny.OBJECTIVES[objective]
    encoder = build_encoder(tiny.encoder_section(), tiny.VOCABULARY, tiny.LENGTH, seed=0)
    spec = encoder_spec_of(encoder, tiny.VOCABULARY)
    return TrainingStep(encoder, build_objective(kind, kind.Config(), spec, seed=0))


def settings(**options) -> TrainingSection:
    return TrainingSection(optimizer=OptimizerSettings(**options))


def with_gradients(module: nn.Module, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=draw)


def test_every_optimizer_that_can_be_named_can_be_built(tiny):
    names = get_args(OptimizerSettings.model_fields["name"].annotation)
    assert set(names) == set(OPTIMIZERS)
    for name in names:
        optimizer = build_optimizer(step_of(tiny), settings(name=name))
        assert all(group["rate"] == 1.0 for group in optimizer.param_groups)


@pytest.mark.parametrize("objective", ["tiny", "rtd"])
def test_every_parameter_is_in_one_group(tiny, objective):
    module = step_of(tiny, objective)
    groups = parameter_groups(module)
    assert set(groups) <= set(get_args(ParameterGroup))
    found = [id(p) for group in groups.values() for p in group]
    assert sorted(found) == sorted({id(p) for p in module.parameters()})
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    assert all(p.ndim < 2 for p in groups["vectors"])
    assert all("_embeddings.weight" in names[id(p)] for p in groups["embeddings"])
    assert not any("_embeddings.weight" in names[id(p)] for p in groups["matrices"])
    assert all(names[id(p)].startswith("objective.") for p in groups["heads"])
    of_encoder = {n for n in names.values() if n.startswith("encoder.encoder.layer")}
    matrices = {names[id(p)] for p in groups["matrices"]}
    assert {n for n in of_encoder if n.endswith("dense.weight")} <= matrices


def test_a_group_has_its_own_decay_and_rate(tiny):
    groups = {"embeddings": {"rate": 0.5, "weight_decay": 0.0}, "vectors": {"weight_decay": 0.3}}
    training = settings(weight_decay=0.1, groups=groups)
    module = step_of(tiny)
    optimizer = build_optimizer(module, training)
    own = dict(zip(parameter_groups(module), optimizer.param_groups, strict=True))
    decays = {name: group["weight_decay"] for name, group in own.items()}
    assert decays == {"matrices": 0.1, "embeddings": 0.0, "heads": 0.1, "vectors": 0.3}
    update = GuardedUpdate(make_accelerator("cpu", "fp32"), module, optimizer, training)
    with_gradients(module, 0)
    update.apply(0.01)
    rates = {name: group["lr"] for name, group in own.items()}
    assert rates == {"matrices": 0.01, "embeddings": 0.005, "heads": 0.01, "vectors": 0.01}


def test_vectors_do_not_decay_unless_asked(tiny):
    module = step_of(tiny)
    optimizer = build_optimizer(module, settings(weight_decay=0.1))
    own = dict(zip(parameter_groups(module), optimizer.param_groups, strict=True))
    assert {name: group["weight_decay"] for name, group in own.items()} == {
        "matrices": 0.1,
        "embeddings": 0.1,
        "heads": 0.1,
        "vectors": 0.0,
    }


def orthogonalised(update: np.ndarray, steps: int) -> np.ndarray:
    """The quintic Newton-Schulz iteration of Jordan et al. 2024, in float64."""
    wide = update.shape[0] <= update.shape[1]
    x = update if wide else update.T
    x = x / max(np.linalg.norm(x), 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x if wide else x.T


def test_muon_moves_hidden_matrices_by_its_formula_and_the_rest_as_adamw(tiny):
    rate, decay, momentum = 0.02, 0.1, 0.9
    module, reference = step_of(tiny), step_of(tiny)
    training = settings(name="muon", weight_decay=decay, momentum=momentum)
    update = GuardedUpdate(
        make_accelerator("cpu", "fp32"), module, build_optimizer(module, training), training
    )
    groups = parameter_groups(module)
    moved = {id(p): [p.detach().double().numpy().copy(), 0.0] for p in groups["matrices"]}
    plain = build_optimizer(reference, settings(weight_decay=decay))
    for group in plain.param_groups:
        group["lr"] = rate
    for step in range(3):
        with_gradients(module, step)
        norm = torch.nn.utils.get_total_norm([p.grad for p in module.parameters()]).item()
        for p in groups["matrices"]:
            weights, moment = moved[id(p)]
            gradient = p.grad.double().numpy() / max(norm, 1.0)
            moment = momentum * moment + (1 - momentum) * gradient
            ahead = (1 - momentum) * gradient + momentum * moment
            scale = 0.2 * max(weights.shape) ** 0.5
            weights = weights * (1 - rate * decay)
            moved[id(p)] = [weights - rate * scale * orthogonalised(ahead, 5), moment]
        update.apply(rate)
        with_gradients(reference, step)
        nn.utils.clip_grad_norm_(reference.parameters(), 1.0)
        plain.step()
    for p in groups["matrices"]:
        # The iteration runs in bfloat16, which has three digits.
        np.testing.assert_allclose(p.detach().numpy(), moved[id(p)][0], atol=2e-3)
    for name, other in parameter_groups(reference).items():
        for mine, theirs in zip(groups[name], other, strict=True):
            assert torch.allclose(mine, theirs) == (name != "matrices")


CONVOLUTIONAL = {
    "convbert": {"conv_kernel_size": 3},
    "nystromformer": {"conv_kernel_size": 3, "num_landmarks": 4, "segment_means_seq_len": 16},
}


@pytest.mark.parametrize("kind", [*CONVOLUTIONAL, "bert"])
def test_muon_takes_matrices_of_products_and_leaves_kernels_and_biases(tiny, kind):
    config = {**tiny.encoder_section().config, **CONVOLUTIONAL.get(kind, {})}
    section = EncoderSection(model_type=kind, config=config)
    encoder = build_encoder(section, tiny.VOCABULARY, tiny.LENGTH, seed=0)
    own = tiny.OBJECTIVES["tiny"]
    objective = build_objective(
        own, own.Config(), encoder_spec_of(encoder, tiny.VOCABULARY), seed=0
    )
    module = TrainingStep(encoder, objective)
    # What a product multiplies by, found where the products are.
    linear = {id(part.weight) for part in encoder.modules() if isinstance(part, nn.Linear)}
    assert {id(parameter) for parameter in product_matrices(module)} == linear
    others = [
        parameter
        for parameter in parameter_groups(module)["matrices"]
        if id(parameter) not in linear
    ]
    assert bool(others) == (kind != "bert")
    optimizer = build_optimizer(module, settings(name="muon", weight_decay=0.1))
    assert isinstance(optimizer, JoinedOptimizer)
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in module.parameters())
    # Under AdamW they are in the groups that they have always been in, with that decay.
    of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert all(of[id(parameter)]["weight_decay"] == 0.1 for parameter in others)
    with_gradients(module, 0)
    before = [parameter.detach().clone() for parameter in module.parameters()]
    optimizer.step()
    assert not any(map(torch.equal, before, module.parameters()))


def test_parts_share_groups_and_moments_also_after_loading(tiny):
    module = step_of(tiny)
    optimizer = build_optimizer(module, settings(name="muon"))
    assert isinstance(optimizer, JoinedOptimizer)
    with_gradients(module, 0)
    optimizer.step()
    stored = copy.deepcopy(optimizer.state_dict())
    other = step_of(tiny)
    other.load_state_dict(module.state_dict())
    resumed = build_optimizer(other, settings(name="muon"))
    resumed.load_state_dict(stored)
    for each in (module, other):
        with_gradients(each, 1)
    optimizer.step()
    resumed.step()
    for mine, theirs in zip(module.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    with pytest.raises(ValueError, match="closure"):
        optimizer.step(lambda: 0.0)


def test_a_run_with_muon_is_the_same_after_an_interruption(tiny, tmp_path, silent, weights):
    options = {"name": "muon", "groups": {"embeddings": {"rate": 0.5}}}
    optimizer = OptimizerSettings(**options)
    whole = tiny.tiny_job(tmp_path / "whole", optimizer=optimizer)
    expected = pretrain(whole, silent)
    job = tiny.tiny_job(tmp_path / "cut", optimizer=optimizer, checkpoint_every=0, log_every=1)

    def stop(done, total, text):
        if done == 13:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        pretrain(job, stop)
    outcome = pretrain(job, silent)
    assert expected.status == outcome.status == "ok"
    for one, other in zip(expected.points, outcome.points, strict=True):
        assert one.heldout == other.heldout
        mine, theirs = (
            weights(run, point.encoder) for run, point in ((whole.run, one), (job.run, other))
        )
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert expected.points[-1].heldout["loss"] < expected.points[0].heldout["loss"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "sgd"}, "adamw"),
        ({"momentum": 0.5}, "momentum is an option of muon, not of adamw"),
        ({"newton_schulz_steps": 3}, "newton_schulz_steps is an option of muon"),
        ({"name": "muon", "newton_schulz_steps": 0}, "greater than or equal to 1"),
        ({"groups": {"norms": {}}}, "matrices"),
        ({"groups": {"heads": {"rate": 0.0}}}, "greater than 0"),
        ({"groups": {"heads": {"beta1": 0.5}}}, "not permitted"),
    ],
)
def test_what_does_not_belong_to_an_optimizer_is_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        OptimizerSettings(**options)
