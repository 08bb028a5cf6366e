"""Causal then masked: the phases, both losses against plain loops, one head, and the trunk refused."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from objbench.contract.batch import IGNORE_INDEX
from objbench.contract.composition import ComposedConfig, Composition
from objbench.contract.objective import TokenReading
from objbench.contract.phases import has_phases
from objbench.contract.random_streams import Streams
from objbench.engine.training.flops import count_training_flops
from objbench.engine.training.schedule import plan_route
from objbench.engine.training.session import Session
from objbench.engine.training.trainer import pretrain
from objbench.errors import ConfigError
from objbench.plugins.loading import load_plugins
from objbench.runs.planning.configured_plugins import configure_plugins
from objbench.study.settings import TrainingSection
from objbench.study.study import Study
from objbench_objectives.clm import CausalLanguageModeling
from objbench_objectives.clm_mlm import CausalThenMasked
from objbench_objectives.hybrid import CAUSAL, MASKED
from objbench_objectives.mlm import MaskedLanguageModeling

BERT = {"rate": 0.15, "mask_share": 0.8, "random_share": 0.1}


def streams(step=0, rows=6):
    return Streams(0, step, rows=rows)


def losses(step, batch):
    """Name of a term -> its sum and count."""
    with torch.no_grad():
        totals, counts = step(batch, streams())
    pairs = zip(totals.tolist(), counts.tolist(), strict=True)
    return dict(zip((term.name for term in step.objective.terms), pairs, strict=True))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
@pytest.mark.parametrize("steps", [40, 200])
def test_the_first_share_of_the_steps_is_causal_and_no_later_one(build, batch_of, share, steps):
    objective, batch = build(CausalThenMasked, causal_share=share).objective, batch_of(rows=1)
    route = plan_route(steps, (steps,), TrainingSection())
    causal = [
        objective.corrupt(replace(batch, progress=route.progress(0, step)), streams(step, 1)).causal
        for step in range(steps)
    ]
    switch = round(share * steps)
    assert causal == [True] * switch + [False] * (steps - switch)
    # What the cost of a step is counted with.
    assert objective.modes == pytest.approx({MASKED: 1 - share, CAUSAL: share})


def test_an_early_point_has_spent_more_than_its_share(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(tiny.OBJECTIVES, "clm_mlm", CausalThenMasked)
    job = tiny.tiny_job(tmp_path, "clm_mlm", steps=20, log_every=1, export_steps=(2, 20))
    early, end = (point.meters for point in pretrain(job, lambda *told: None).points)
    causal, masked = (
        Session(tiny.tiny_job(tmp_path / str(share), "clm_mlm", causal_share=share)).flops_per_step
        for share in (1.0, 0.0)
    )
    assert early.flops == 2 * causal
    assert end.flops == 5 * causal + 15 * masked
    assert early.flops / end.flops > 2 / 20


def test_alternating_batches_have_the_same_share_at_any_time(build, batch_of):
    objective, batch = build(CausalThenMasked, alternate=True).objective, batch_of(rows=1)
    for progress in (0.0, 1.0):
        now = replace(batch, progress=progress)
        causal = [objective.corrupt(now, streams(step, 1)).causal for step in range(1000)]
        assert sum(causal) / 1000 == pytest.approx(0.25, abs=4 * 0.0137)


def test_held_out_text_is_masked_and_either_mode_can_be_asked_for(build, batch_of):
    objective, batch = build(CausalThenMasked).objective, batch_of()
    assert not objective.corrupt(batch, streams()).causal
    for progress in (0.0, 1.0):
        for mode in (MASKED, CAUSAL):
            asked = replace(batch, progress=progress, mode=mode)
            assert objective.corrupt(asked, streams()).causal == (mode == CAUSAL)


def test_the_masked_phase_is_mlm_with_its_masks(build, batch_of):
    step, other = build(CausalThenMasked, **BERT).eval(), build(MaskedLanguageModeling).eval()
    other.encoder.load_state_dict(step.encoder.state_dict())
    other.objective.token_head.load_state_dict(step.objective.token_head.state_dict())
    batch = replace(batch_of(padded=True), progress=0.5)
    found = losses(step, batch)
    assert found["mlm"] == pytest.approx(losses(other, batch)["mlm"], rel=1e-6)
    assert found["clm"] == (0, 0)


def test_by_default_two_in_five_tokens_are_hidden_by_the_mask(build, batch_of, tiny):
    objective, batch = build(CausalThenMasked).objective, batch_of(rows=300)
    made = objective.corrupt(batch, streams(rows=300))
    used = made.targets != IGNORE_INDEX
    assert used.sum() / (~batch.special).sum() == pytest.approx(0.4, abs=0.01)
    assert (made.input_ids.gather(1, made.positions)[used] == tiny.VOCABULARY.mask).all()


@pytest.mark.parametrize(("progress", "name"), [(0.1, "clm"), (0.9, "mlm")])
def test_the_loss_of_each_phase_is_that_of_plain_loops(build, batch_of, progress, name):
    step = build(CausalThenMasked).eval()
    batch = replace(batch_of(padded=True), progress=progress)
    found = losses(step, batch)
    read = step.objective.corrupt(batch, streams()).input_ids
    step, expected = step.double(), []
    words = step.encoder.get_input_embeddings().weight
    for row in range(6):
        length = int(batch.real[row].sum())
        with torch.no_grad():
            states = step.encoder(input_ids=read[row, :length][None]).last_hidden_state[0]
        for position in range(1, length):
            target = int(batch.input_ids[row, position])
            if name == "clm":
                with torch.no_grad():
                    state = last_state(step.encoder, read[row, :position])
            elif read[row, position] != target:
                state = states[position]
            else:
                continue
            logits = step.objective.token_head(state, words).detach()
            expected.append(-float(logits[target] - logits.exp().sum().log()))
    total, count = found[name]
    assert count == len(expected) > 6
    assert total == pytest.approx(sum(expected), rel=1e-5)


def last_state(encoder, ids):
    """The state of the last of (t,) ids, each of which has seen those before it."""
    seen = torch.ones(1, 1, len(ids), len(ids), dtype=torch.bool).tril()
    return encoder(input_ids=ids[None], attention_mask=seen).last_hidden_state[0, -1]


@pytest.mark.parametrize("mode", [MASKED, CAUSAL])
def test_both_phases_train_one_head_and_all_of_the_encoder(build, batch_of, mode):
    step, mlm = build(CausalThenMasked), build(MaskedLanguageModeling)
    sizes = [sum(p.numel() for p in each.objective.parameters()) for each in (step, mlm)]
    assert sizes[0] == sizes[1]
    totals, _ = step(replace(batch_of(), mode=mode), streams())
    totals.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in step.parameters())


def test_its_flops_are_those_of_its_steps_over_the_whole_budget(build, batch_of):
    def flops(kind, **options):
        return count_training_flops(build(kind, **options), batch_of(), streams()).flops

    masked, causal = flops(MaskedLanguageModeling, rate=0.4), flops(CausalLanguageModeling)
    assert causal > masked
    assert flops(CausalThenMasked) == (3 * masked + causal) / 4


@pytest.mark.parametrize(("share", "terms"), [(0.0, ["mlm"]), (1.0, ["clm"])])
def test_a_phase_without_a_share_is_not_there(build, batch_of, share, terms):
    objective = build(CausalThenMasked, causal_share=share).objective
    assert [term.name for term in objective.terms] == terms
    assert objective.token_reading.is_left_to_right == (share == 1)
    early = [replace(batch_of(), progress=progress) for progress in (0.0, 1.0)]
    assert {objective.corrupt(batch, streams()).causal for batch in early} == {share == 1}
    assert not has_phases(CausalThenMasked, objective.config)


def test_the_finished_encoder_is_read_as_a_masked_language_model(build):
    assert build(CausalThenMasked).objective.token_reading == TokenReading()


@pytest.mark.parametrize("schedule", ["linear", "trunk"])
@pytest.mark.parametrize("alternate", [False, True])
def test_a_trunk_is_refused_because_its_points_share_no_budget(schedule, alternate):
    study = Study(
        objectives=("mlm", "clm_mlm"),
        budget="10-steps",
        training={"schedule": schedule},
        options={"clm_mlm": {"alternate": alternate}},
    )
    if schedule == "trunk" and not alternate:
        with pytest.raises(ConfigError, match="clm_mlm goes from one kind of batch to another"):
            configure_plugins(study, load_plugins())
    else:
        assert set(configure_plugins(study, load_plugins()).objectives) == {"mlm", "clm_mlm"}


def test_a_composition_has_the_phases_of_its_objective():
    term = SimpleNamespace(name="x")
    for base, config, found in [
        (CausalThenMasked, CausalThenMasked.Config(), True),
        (CausalThenMasked, CausalThenMasked.Config(alternate=True), False),
        (MaskedLanguageModeling, MaskedLanguageModeling.Config(), False),
    ]:
        options = ComposedConfig({base.name: config, "x": None})
        assert has_phases(Composition(base, (term,)), options) == found


@pytest.mark.parametrize("options", [{"causal_share": -0.1}, {"causal_share": 1.1}, {"rate": 0.0}])
def test_shares_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        CausalThenMasked.Config(**options)
