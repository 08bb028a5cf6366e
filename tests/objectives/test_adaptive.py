"""Adaptive masking: the weights in plain loops, whose masks follow them, parts, processes, resuming."""

from dataclasses import replace

import pytest
import torch

from objbench.contract.batch import IGNORE_INDEX, Rows
from objbench.contract.random_streams import Streams
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.training.checkpoint_files import read_checkpoint
from objbench.engine.training.flops import count_training_flops
from objbench.engine.training.heldout_loss import heldout_losses
from objbench.engine.training.session import Session
from objbench.engine.training.step import TrainingStep
from objbench.engine.training.trainer import pretrain
from objbench.errors import ConfigError
from objbench.study.settings import EncoderSection
from objbench_objectives.adaptive import AdaptiveMasking, TokenDifficulty, select_by_weight
from objbench_objectives.mlm import MaskedLanguageModeling

STATE = ("weights", "right", "made", "passes")


def streams(step=0, rows=6):
    return Streams(0, step, rows=rows)


def state_of(objective):
    return {name: getattr(objective.difficulty, name).clone() for name in STATE}


def alike(one, other):
    return all(torch.equal(one[name], other[name]) for name in STATE)


# -- the weights


def test_weights_are_those_of_plain_loops():
    words, window, decay, floor, rate = 7, 3, 0.2, 0.05, 0.15
    difficulty = TokenDifficulty(words, window, decay, floor)
    draw = torch.Generator().manual_seed(0)
    weights, right, made = [1.0] * words, [0] * words, [0] * words
    for number in range(1, 8):
        targets = torch.randint(0, 5, (4, 3), generator=draw)
        targets[torch.rand(4, 3, generator=draw) < 0.2] = IGNORE_INDEX
        hits = (torch.rand(4, 3, generator=draw) < 0.9) & (targets != 2)
        difficulty.count(targets, hits, 1, rate)
        for row, hit in zip(targets.tolist(), hits.tolist(), strict=True):
            for target, was_right in zip(row, hit, strict=True):
                if target != IGNORE_INDEX:
                    made[target] += 1
                    right[target] += was_right
        if number % window == 0:
            for word in range(words):
                wrong = 1 - (right[word] + 0.5) / (made[word] + 1)
                weights[word] = max(floor / rate, decay * weights[word] + (1 - decay) * wrong)
            mean = sum(weights) / words
            weights = [weight / mean for weight in weights]
            right, made = [0] * words, [0] * words
        assert difficulty.weights.tolist() == pytest.approx(weights, rel=1e-5)
        assert difficulty.right.tolist() == right and difficulty.made.tolist() == made
    assert weights[2] == max(weights) and min(weights) < 0.7


def test_predictions_are_counted_beyond_what_a_float32_can_count():
    difficulty = TokenDifficulty(3, 10**6, 0.2, 0.005)
    difficulty.made += torch.tensor([2**24, 2**40, 0])
    difficulty.right += torch.tensor([2**24, 0, 0])
    before = difficulty.weights.clone()
    for _ in range(5):
        hits = torch.tensor([[True, False]])
        difficulty.count(torch.tensor([[0, 1]]), hits, 1, 0.15)
    assert difficulty.made.tolist() == [2**24 + 5, 2**40 + 5, 0]
    assert difficulty.right.tolist() == [2**24 + 5, 0, 0]
    assert torch.equal(difficulty.weights, before)


def test_a_batch_in_parts_counts_once():
    whole, parts = TokenDifficulty(7, 2, 0.2, 0.005), TokenDifficulty(7, 2, 0.2, 0.005)
    targets = torch.randint(0, 7, (4, 4, 3), generator=torch.Generator().manual_seed(0))
    hits = targets % 2 == 0
    for number in range(4):
        whole.count(targets[number], hits[number], 1, 0.15)
        before = parts.weights.clone()
        parts.count(targets[number, :2], hits[number, :2], 2, 0.15)
        # Every part of a batch is masked by the same weights.
        assert torch.equal(parts.weights, before)
        parts.count(targets[number, 2:], hits[number, 2:], 2, 0.15)
        assert torch.equal(parts.weights, whole.weights)
        assert torch.equal(parts.made, whole.made)
    assert (whole.weights != 1).any()


# -- the masks


def test_masks_are_those_of_mlm_at_the_start_and_on_heldout_text(build, batch_of):
    objective, mlm = (
        build(kind, rate=0.3).objective for kind in (AdaptiveMasking, MaskedLanguageModeling)
    )
    for padded in (False, True):
        batch = batch_of(rows=200, padded=padded)
        theirs = mlm.corrupt(batch, streams(rows=200))
        for progress in (0.0, 0.5, 1.0):
            ours = objective.corrupt(replace(batch, progress=progress), streams(rows=200))
            assert torch.equal(ours.input_ids, theirs.input_ids)
            assert torch.equal(ours.positions, theirs.positions)
            assert torch.equal(ours.targets, theirs.targets)
    objective.difficulty.weights.copy_(torch.rand(65) + 0.01)
    ours = objective.corrupt(replace(batch, progress=1.0), streams(rows=200))
    assert torch.equal(ours.input_ids, theirs.input_ids)
    ours = objective.corrupt(replace(batch, progress=0.5), streams(rows=200))
    assert not torch.equal(ours.positions, theirs.positions)


@pytest.mark.parametrize("rate", [0.15, 0.4])
def test_tokens_are_masked_in_proportion_to_their_weights(rate):
    weights = torch.tensor([0.4, 0.6, 0.8, 1.0, 1.0, 1.1, 1.2, 1.3, 1.3, 1.3, 9.0, 9.0])
    maskable = torch.ones(12, dtype=torch.bool)
    maskable[10:] = False
    rows = 40_000
    columns, used = select_by_weight(
        maskable.expand(rows, -1), weights.expand(rows, -1), rate, streams(rows=rows), 5
    )
    chosen = torch.zeros(rows, 12).scatter_add_(1, columns, used.float()).mean(dim=0).tolist()
    assert chosen[10:] == [0, 0]
    for place in range(10):
        expected = rate * 10 * float(weights[place]) / float(weights[:10].sum())
        # Five standard errors, and the error of Pareto sampling.
        assert chosen[place] == pytest.approx(expected, abs=0.0125 + 0.02 * expected)
    assert sum(chosen) == pytest.approx(rate * 10, rel=0.01)


def test_the_rate_is_kept_where_one_token_would_exceed_certainty():
    weights = torch.tensor([100.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    every = torch.ones(1000, 10, dtype=torch.bool)
    columns, used = select_by_weight(every, weights.expand(1000, -1), 0.3, streams(rows=1000), 4)
    numbers = used.sum(dim=1)
    assert numbers.min() >= 2 and numbers.max() <= 4
    assert numbers.float().mean() == pytest.approx(3, abs=0.05)
    assert ((columns == 0) & used).any(dim=1).float().mean() > 0.99


def test_sequences_without_words_and_full_rates_work(build, batch_of):
    objective = build(AdaptiveMasking, rate=1.0).objective
    batch = replace(batch_of(), progress=0.5)
    assert torch.equal(objective.corrupt(batch, streams()).predicted, ~batch.special)
    nothing = replace(batch, special=torch.ones_like(batch.special))
    assert not objective.corrupt(nothing, streams()).predicted.any()


# -- training


def test_only_training_changes_the_state(build, batch_of):
    step = build(AdaptiveMasking, window=1)
    before, batch = state_of(step.objective), batch_of()
    step(batch, streams())
    with torch.no_grad():
        step(replace(batch, progress=0.5), streams())
    step.eval()(replace(batch, progress=0.5), streams())
    count_training_flops(step, batch, streams())
    assert alike(before, state_of(step.objective))
    step.train()(replace(batch, progress=0.5), streams())
    assert not alike(before, state_of(step.objective))


def test_the_loss_is_that_of_mlm_and_right_predictions_are_counted(build, batch_of):
    step, mlm = build(AdaptiveMasking), build(MaskedLanguageModeling)
    mlm.load_state_dict(step.state_dict(), strict=False)
    for module in (step.encoder, mlm.encoder):
        module.eval()
    batch = replace(batch_of(padded=True), progress=0.5)
    ours, theirs = step(batch, streams()), mlm(batch, streams())
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-5, atol=0)
    assert torch.equal(ours[1], theirs[1])
    made = step.objective.corrupt(batch, streams())
    right, tried = [0] * 65, [0] * 65
    states = step.encoder(
        input_ids=made.input_ids, attention_mask=batch.real.long()
    ).last_hidden_state
    words = step.encoder.get_input_embeddings().weight
    for row in range(6):
        for slot, target in enumerate(made.targets[row].tolist()):
            if target != IGNORE_INDEX:
                logits = step.objective.token_head(states[row, made.positions[row, slot]], words)
                tried[target] += 1
                right[target] += int(logits.argmax()) == target
    assert step.objective.difficulty.made.tolist() == tried
    assert step.objective.difficulty.right.tolist() == right


def test_a_process_counts_the_rows_of_all(build, batch_of):
    batch, seen = replace(batch_of(rows=6), progress=0.5), []
    step = build(AdaptiveMasking)
    step.encoder.eval()

    def gather(rows):
        seen.append(rows.shape)
        return torch.cat([rows, rows])

    step(replace(batch, rows=Rows(0, 12, gather)), Streams(0, 0, rows=12, count=6))
    assert seen == [(6, 2, 2)]
    assert step.objective.difficulty.made.sum() % 2 == 0
    assert step.objective.difficulty.made.sum() >= 12


def test_runs_resume_with_their_state(tiny, tmp_path):
    def stopping_at(stop):
        def report(done, total, text):
            if done == stop:
                raise KeyboardInterrupt

        return report

    runs = tmp_path / "whole", tmp_path / "cut"
    options = {"steps": 12, "export_steps": (12,), "log_every": 1, "rate": 0.3, "window": 2}
    whole = pretrain(tiny.tiny_job(runs[0], "adaptive", **options), stopping_at(-1))
    job = tiny.tiny_job(runs[1], "adaptive", checkpoint_every=0, **options)
    with pytest.raises(KeyboardInterrupt):
        pretrain(job, stopping_at(6))
    stored = read_checkpoint(job.checkpoints, job.key).tensors["weights"]
    held = [name for name in stored if "difficulty" in name]
    assert len(held) == len(STATE)
    assert (stored[next(name for name in held if name.endswith("weights"))] != 1).any()
    again = pretrain(tiny.tiny_job(runs[1], "adaptive", **options), stopping_at(-1))
    assert [point.terms for point in whole.log] == [point.terms for point in again.log]
    assert [point.heldout for point in whole.points] == [point.heldout for point in again.points]
    assert whole.points[0].heldout.keys() == {"mlm", "loss"}


@pytest.mark.parametrize("micro_batches", [2, 4])
def test_parts_are_one(tiny, tmp_path, micro_batches):
    """Without dropout, parts of a batch in one process count what the whole batch does."""
    plain = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "window": 2}
    sessions = [
        Session(tiny.tiny_job(tmp_path, "adaptive", micro_batches=parts, rate=0.3, **plain))
        for parts in (1, micro_batches)
    ]
    for number in range(5):
        for session in sessions:
            session.gradients(number)
            session.update.apply(1e-3)
        one, other = (session.module.objective.difficulty for session in sessions)
        assert torch.equal(one.made, other.made)
        torch.testing.assert_close(one.weights, other.weights)
    assert (one.weights != 1).any()
    before = state_of(sessions[1].module.objective)
    heldout_losses(sessions[1])
    assert alike(before, state_of(sessions[1].module.objective))


def test_a_step_costs_what_one_of_mlm_costs(build, batch_of):
    found = [
        count_training_flops(build(kind), batch_of(), streams()).flops
        for kind in (AdaptiveMasking, MaskedLanguageModeling)
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "family", ["electra", "distilbert", "roberta", "albert", "deberta-v2", "modernbert", "eurobert"]
)
def test_families_of_encoders(family, tiny, batch_of):
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    extra = {"embedding_size": 8} if family in ("electra", "albert") else {}
    section = EncoderSection(
        model_type=family,
        config={**size, "intermediate_size": 32, "max_position_embeddings": 16, **extra},
    )
    encoder = build_encoder(section, tiny.VOCABULARY, tiny.LENGTH, seed=0)
    spec = encoder_spec_of(encoder, tiny.VOCABULARY)
    objective = build_objective(AdaptiveMasking, AdaptiveMasking.Config(window=1), spec, seed=0)
    step = TrainingStep(encoder, objective).train()
    for progress in (0.2, 0.4):
        with torch.autocast("cpu", torch.bfloat16):
            totals, _ = step(replace(batch_of(padded=True), progress=progress), streams())
        totals.sum().backward()
    assert totals.isfinite().all() and totals.dtype == torch.float32
    weights = objective.difficulty.weights
    assert weights.mean() == pytest.approx(1, abs=1e-5) and (weights != 1).any()


@pytest.mark.parametrize(
    "options",
    [{"window": 0}, {"decay": 1.5}, {"floor": -0.1}, {"rate": 0.0}, {"decay": float("nan")}],
)
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        AdaptiveMasking.Config(**options)
