"""Layers that are computed again backwards: the same bits, less memory, the same count of FLOPs."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from transformers.modeling_layers import GradientCheckpointingLayer

from objbench.engine.encoder.build import build_encoder
from objbench.engine.encoder.recomputed_layers import recompute_layers
from objbench.engine.measuring.fake_step import FakeStep
from objbench.engine.measuring.objective_size import made_up_vocabulary
from objbench.engine.measuring.step_cost import take_step
from objbench.engine.measuring.step_memory import step_memory
from objbench.engine.training.session import Session
from objbench.engine.training.trainer import pretrain
from objbench.errors import ConfigError
from objbench.plugins.loading import load_plugins
from objbench.study.settings import EncoderSection

REGISTRY = load_plugins()
OURS = [n for n in REGISTRY.objectives if REGISTRY.origin(n).project == "objbench"]
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 16,
}


def gradients_of(model, ids):
    """Name of a parameter -> its gradient, and how often the first layer has run."""
    runs = []
    layer = next(m for m in model.modules() if isinstance(m, GradientCheckpointingLayer))
    dense = next(m for m in layer.modules() if isinstance(m, torch.nn.Linear))
    hook = dense.register_forward_hook(lambda *_: runs.append(1))
    torch.manual_seed(7)
    model(input_ids=ids).last_hidden_state.square().sum().backward()
    hook.remove()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found, len(runs)


def test_every_family_has_the_same_gradients_with_dropout(families):
    ids = torch.randint(5, 60, (3, 12), generator=torch.Generator().manual_seed(0))
    for family, settings in families.FAMILIES.items():
        section = EncoderSection(model_type=family, config={**SMALL, **dict(settings.extra)})
        model = build_encoder(section, made_up_vocabulary(60), 12, seed=0)
        model.train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.3
        if family == "albert":
            with pytest.raises(ConfigError, match="cannot recompute the layers of 'albert'"):
                recompute_layers(model)
            continue
        plain, once = gradients_of(model, ids)
        recompute_layers(model)
        again, twice = gradients_of(model, ids)
        assert (once, twice) == (1, 2), family
        assert plain.keys() == again.keys(), family
        assert all(torch.equal(again[name], plain[name]) for name in plain), family
        recompute_layers(model, False)
        assert gradients_of(model, ids)[1] == 1


def step_of(tiny, folder, kind, **options):
    """What one step of an objective finds: the session, its losses and its gradients."""
    job = tiny.tiny_job(folder, **options)
    if kind not in tiny.OBJECTIVES:
        objective = REGISTRY.objective(kind)
        pieces = tuple(f"##{t}" if i > 4 and i % 4 == 0 else t for i, t in enumerate(tiny.TOKENS))
        job = tiny.dataclasses.replace(
            job,
            objective=objective,
            config=objective.Config(),
            vocabulary=tiny.dataclasses.replace(tiny.VOCABULARY, tokens=pieces),
        )
    session = Session(job)
    losses = session.gradients(3)
    grads = {n: p.grad for n, p in session.module.named_parameters() if p.grad is not None}
    return session, losses, grads


@pytest.mark.parametrize("name", [*OURS, "tiny-both"])
def test_every_objective_has_the_same_losses_gradients_and_flops(tiny, tmp_path, name):
    options = {"micro_batches": 2}
    if name in tiny.OBJECTIVES:
        options = {"objective": name, "precision": "bf16"}
    plain, losses, grads = step_of(tiny, tmp_path, name, **options)
    options["activation_checkpointing"] = True
    again, same_losses, same_grads = step_of(tiny, tmp_path, name, **options)
    assert torch.equal(losses, same_losses)
    assert grads.keys() == same_grads.keys()
    assert all(torch.equal(same_grads[n], grads[n]) for n in grads)
    assert again.flops_per_step == plain.flops_per_step > 0


def test_a_run_has_the_same_losses_and_continues_with_or_without_it(
    tiny, tmp_path, silent, weights
):
    plain = pretrain(tiny.tiny_job(tmp_path / "plain"), silent)
    assert plain.status == "ok"

    def stop(done, total, text):
        if done == 15:
            raise KeyboardInterrupt

    begun = tiny.tiny_job(tmp_path / "other", activation_checkpointing=True, checkpoint_every=0)
    with pytest.raises(KeyboardInterrupt):
        pretrain(begun, stop)
    ended = pretrain(tiny.tiny_job(tmp_path / "other"), silent)
    assert [p.loss for p in ended.log] == [p.loss for p in plain.log]
    assert [p.heldout for p in ended.points] == [p.heldout for p in plain.points]
    one, other = (
        weights(tmp_path / folder, points[-1].encoder)
        for folder, points in (("plain", plain.points), ("other", ended.points))
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("parts", [1, 4])
def test_memory_is_what_lives_in_a_real_step_and_less_than_without(tiny, tmp_path, parts):
    peaks = []
    for again in (False, True):
        job = tiny.tiny_job(
            tmp_path,
            batch=32,
            micro_batches=parts,
            activation_checkpointing=again,
            num_hidden_layers=6,
        )
        session = Session(job)
        take_step(session, 0, None)
        real, _ = step_memory(session, partial(take_step, session, 1, None))
        made = FakeStep(
            job.objective, job.config, job.encoder, job.training, job.vocabulary, job.length
        )
        assert made.peak(32, parts) == pytest.approx(real, rel=0.15)
        assert made.peak(32, parts, recomputes=False) >= made.peak(32, parts, recomputes=True)
        # Counted without the second pass, of which the whole has about a third more.
        assert made.flops(32) == pytest.approx(
            session.flops_per_step if parts == 1 else 4 * made.flops(8)
        )
        more = made.whole(32).flops / made.flops(32)
        assert 1.1 < more < 1.4 if again else more == 1
        peaks.append(real - made.held)
    assert peaks[1] < 0.6 * peaks[0]
