"""GPT-BERT: modes and their shares, both losses against plain loops, one head for both."""

from dataclasses import replace

import pytest
import torch

from objbench.contract.batch import IGNORE_INDEX
from objbench.contract.random_streams import Streams
from objbench.engine.training.flops import count_training_flops
from objbench.errors import ConfigError
from objbench_objectives.clm import CausalLanguageModeling
from objbench_objectives.hybrid import CAUSAL, MASKED, HybridLanguageModeling
from objbench_objectives.mlm import MaskedLanguageModeling


def streams(step=0, rows=6):
    return Streams(0, step, rows=rows)


def losses(step, batch):
    """Name of a term -> its sum and count."""
    with torch.no_grad():
        totals, counts = step(batch, streams())
    pairs = zip(totals.tolist(), counts.tolist(), strict=True)
    return dict(zip((term.name for term in step.objective.terms), pairs, strict=True))


def test_a_sixteenth_of_the_batches_is_causal(build, batch_of):
    objective, batch = build(HybridLanguageModeling).objective, batch_of(rows=1)
    assert objective.modes == {MASKED: 15 / 16, CAUSAL: 1 / 16}
    causal = [objective.corrupt(batch, streams(step, rows=1)).causal for step in range(1500)]
    assert sum(causal) / 1500 == pytest.approx(1 / 16, abs=4 * 0.00625)
    # Every process draws for the whole batch, whichever rows it has.
    shared = [Streams(0, step, rows=8, first=4, count=1) for step in range(200)]
    assert [objective.corrupt(batch, s).causal for s in shared] == causal[:200]


def test_masks_are_those_of_mlm_and_are_read_from_the_state_before(build, batch_of):
    objective = build(HybridLanguageModeling, rate=0.15).objective
    mlm = build(MaskedLanguageModeling).objective
    for progress in (0.0, 0.3, 1.0):
        batch = replace(batch_of(padded=True), progress=progress, mode=MASKED)
        ours, theirs = (each.corrupt(batch, streams(3)) for each in (objective, mlm))
        for field in ("input_ids", "positions", "targets"):
            assert torch.equal(getattr(ours, field), getattr(theirs, field))
        assert not ours.causal
        used = ours.targets != IGNORE_INDEX
        assert used.any() and torch.equal(ours.reads[used], ours.positions[used] - 1)
        assert not ours.reads[~used].any()


def test_the_masking_rate_falls_to_half_in_the_same_slots(build, batch_of):
    objective, batch = build(HybridLanguageModeling).objective, batch_of(rows=400)
    made = [
        objective.corrupt(replace(batch, progress=p, mode=MASKED), streams(rows=400))
        for p in (0.0, 1.0)
    ]
    assert made[0].targets.shape == made[1].targets.shape
    words = (~batch.special).sum(dim=1).float()
    for corrupted, rate in zip(made, (0.3, 0.15), strict=True):
        share = ((corrupted.targets != IGNORE_INDEX).sum(dim=1) / words).mean()
        assert share.item() == pytest.approx(rate, abs=0.01)


@pytest.mark.parametrize("padded", [False, True])
def test_the_masked_loss_is_that_of_plain_loops(build, batch_of, padded):
    step = build(HybridLanguageModeling).eval()
    batch = replace(batch_of(padded=padded), progress=0.0, mode=MASKED)
    found = losses(step, batch)
    masked = step.objective.corrupt(batch, streams())
    step, expected = step.double(), []
    words = step.encoder.get_input_embeddings().weight
    for row in range(6):
        real = batch.real[row]
        with torch.no_grad():
            states = step.encoder(input_ids=masked.input_ids[row, real][None]).last_hidden_state
            for position, target in zip(masked.positions[row], masked.targets[row], strict=True):
                if target != IGNORE_INDEX:
                    logits = step.objective.token_head(states[0, position - 1], words)
                    expected.append(-float(logits[target] - logits.exp().sum().log()))
    total, count = found["mntp"]
    assert count == len(expected) > 6
    assert total == pytest.approx(sum(expected), rel=1e-5)
    assert found["clm"] == (0, 0)


def test_the_causal_loss_is_that_of_clm(build, batch_of):
    step, other = build(HybridLanguageModeling).eval(), build(CausalLanguageModeling).eval()
    other.encoder.load_state_dict(step.encoder.state_dict())
    other.objective.token_head.load_state_dict(step.objective.token_head.state_dict())
    batch = replace(batch_of(padded=True), mode=CAUSAL)
    found = losses(step, batch)
    assert found["clm"] == pytest.approx(losses(other, batch)["clm"], rel=1e-6)
    assert found["clm"][1] == int(batch.real.sum()) - 6
    assert found["mntp"] == (0, 0)


@pytest.mark.parametrize("mode", [MASKED, CAUSAL])
def test_both_modes_train_one_head_and_all_of_the_encoder(build, batch_of, mode):
    step, mlm = build(HybridLanguageModeling), build(MaskedLanguageModeling)
    sizes = [sum(p.numel() for p in each.objective.parameters()) for each in (step, mlm)]
    assert sizes[0] == sizes[1]
    totals, counts = step(replace(batch_of(), mode=mode), streams())
    assert not counts.requires_grad
    totals.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in step.parameters())


@pytest.mark.parametrize(("share", "terms"), [(0.0, ["mntp"]), (1.0, ["clm"])])
def test_a_mode_without_a_share_is_not_there(build, batch_of, share, terms):
    objective = build(HybridLanguageModeling, causal_share=share).objective
    assert [term.name for term in objective.terms] == terms
    assert objective.token_head is not None
    assert objective.token_reading.reads == "previous"
    assert objective.token_reading.is_left_to_right == (share == 1)
    assert {objective.corrupt(batch_of(), streams(s)).causal for s in range(20)} == {share == 1}
    assert objective.slots(12) == (11 if share == 1 else 4)


@pytest.mark.parametrize("rate", [0.15, 0.3, 1.0])
@pytest.mark.parametrize("share", [0.0, 1 / 16, 1.0])
def test_the_slots_declared_are_those_made(build, batch_of, rate, share):
    objective = build(HybridLanguageModeling, rate=rate, causal_share=share).objective
    batch, found = batch_of(), {}
    for mode in objective.modes:
        found[mode] = objective.corrupt(replace(batch, mode=mode), streams()).positions.shape[1]
        with objective.counting(mode):
            assert objective.slots(batch.input_ids.shape[1]) == found[mode]
    assert objective.slots(batch.input_ids.shape[1]) == max(found.values())


def test_its_flops_are_the_mean_of_those_of_masked_and_of_causal_batches(build, batch_of):
    def flops(kind, **options):
        return count_training_flops(build(kind, **options), batch_of(), streams()).flops

    masked = flops(HybridLanguageModeling, causal_share=0.0)
    causal = flops(CausalLanguageModeling)
    assert causal > masked
    assert flops(HybridLanguageModeling) == (15 * masked + causal) / 16
    half = flops(HybridLanguageModeling, causal_share=0.5)
    assert half == (masked + causal) / 2


def test_bfloat16_autocast_gives_finite_float32_losses(build, batch_of):
    step = build(HybridLanguageModeling)
    for attention in ("sdpa", "eager"):
        step.encoder.set_attn_implementation(attention)
        for mode in (MASKED, CAUSAL):
            with torch.autocast("cpu", torch.bfloat16):
                totals, counts = step(replace(batch_of(padded=True), mode=mode), streams())
            totals.sum().backward()
            assert totals.dtype == counts.dtype == torch.float32
            assert totals.isfinite().all()
            assert all(p.grad.isfinite().all() for p in step.parameters())


@pytest.mark.parametrize(
    "options",
    [
        {"causal_share": -0.1},
        {"causal_share": 1.1},
        {"causal_share": float("nan")},
        {"rate": 0.0},
        {"final_rate": 1.1},
    ],
)
def test_shares_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        HybridLanguageModeling.Config(**options)
