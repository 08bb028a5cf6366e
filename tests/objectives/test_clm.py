"""Causal language modelling: what is predicted from what, and the loss against plain loops."""

import pytest
import torch

from objbench.blocks.heads import word_logits
from objbench.contract.batch import IGNORE_INDEX, Batch, Rows
from objbench.contract.random_streams import Streams
from objbench_objectives.clm import CausalLanguageModeling, next_tokens

PAD, CLS, SEP = 0, 2, 3


def batch_of_ids(rows, padded=False):
    ids = torch.tensor(rows)
    return Batch(ids, ids < 5, ids != PAD if padded else None, Rows.alone(len(ids)))


def triples(corrupted, row):
    """(position, target, column that is read) of the slots in use."""
    columns = zip(
        corrupted.positions[row].tolist(),
        corrupted.targets[row].tolist(),
        corrupted.reads[row].tolist(),
        strict=True,
    )
    return [one for one in columns if one[1] != IGNORE_INDEX]


def prefix_losses(step, batch):
    """-log p of every token but the first and padding, one prefix at a time, in float64.

    For an encoder of one layer: there the state of the last token of a prefix is the same with
    and without a causal mask, so that no mask is needed to say what it should be.
    """
    step, losses = step.double(), []
    words = step.encoder.get_input_embeddings().weight
    for row, real in zip(batch.input_ids, batch.real, strict=True):
        for t in range(1, int(real.sum())):
            states = step.encoder(input_ids=row[None, :t]).last_hidden_state
            logits = step.objective.token_head(states[0, -1], words)
            losses.append(-float(logits[row[t]] - logits.exp().sum().log()))
    return losses


def test_every_token_is_predicted_from_the_one_before():
    made = next_tokens(batch_of_ids([[CLS, 10, 11, SEP, 12]]), CLS)
    assert triples(made, 0) == [(1, 10, 0), (2, 11, 1), (3, SEP, 2), (4, 12, 3)]
    assert made.causal
    assert made.input_ids.tolist() == [[CLS, 10, 11, SEP, 12]]


def test_padding_and_the_token_of_the_beginning_are_not_predicted():
    rows = [[CLS, 10, SEP, PAD, PAD], [CLS, PAD, PAD, PAD, PAD], [CLS, 10, CLS, 11, 12]]
    made = next_tokens(batch_of_ids(rows, padded=True), CLS)
    assert triples(made, 0) == [(1, 10, 0), (2, SEP, 1)]
    assert triples(made, 1) == []
    # Slots stay filled from the left where one in the middle is left out.
    assert triples(made, 2) == [(1, 10, 0), (3, 11, 2), (4, 12, 3)]
    assert made.targets[2, 3] == IGNORE_INDEX
    unused = made.targets == IGNORE_INDEX
    assert not made.positions[unused].any() and not made.reads[unused].any()
    assert made.positions.shape == (3, 4)


def test_sequences_of_one_token_predict_nothing():
    made = next_tokens(batch_of_ids([[CLS], [CLS]]), CLS)
    assert made.positions.shape == made.targets.shape == made.reads.shape == (2, 1)
    assert (made.targets == IGNORE_INDEX).all()
    assert not made.positions.any() and not made.reads.any()


@pytest.mark.parametrize("padded", [False, True])
def test_the_loss_is_that_of_plain_loops(tiny, build, batch_of, padded):
    section = tiny.encoder_section(num_hidden_layers=1)
    step = build(CausalLanguageModeling, section).eval()
    batch = batch_of(padded=padded)
    with torch.no_grad():
        totals, counts = step(batch, Streams(0, 0, rows=6))
        expected = prefix_losses(step, batch)
    assert counts.item() == len(expected) == int(batch.real.sum()) - 6
    assert (totals / counts).item() == pytest.approx(sum(expected) / len(expected), rel=1e-5)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_token_does_not_tell_on_itself_or_what_follows(build, batch_of, attention):
    """Losses up to t do not change with the tokens after t; those of t do with the token at t."""
    step = build(CausalLanguageModeling).eval().double()
    step.encoder.set_attn_implementation(attention)
    batch = batch_of(rows=1)

    def losses(ids):
        changed = Batch(ids, ids < 5, None, Rows.alone(1))
        with torch.no_grad():
            readings = step.corrupt(changed, Streams(0, 0, rows=1))
            logits = word_logits(step.objective.token_head, step.encode(readings))
        scores = logits.log_softmax(dim=-1)
        return scores[0].gather(1, ids[0, 1:, None]).squeeze(1)

    before = losses(batch.input_ids)
    for t in range(1, batch.input_ids.shape[1]):
        other = batch.input_ids.clone()
        other[0, t] = (other[0, t] - 5 + 1) % 60 + 5
        after = losses(other)
        assert torch.equal(after[: t - 1], before[: t - 1])
        assert (after[t - 1 :] != before[t - 1 :]).all()


def test_it_draws_nothing_and_leaves_the_batch_as_it_is(build, batch_of):
    step, batch = build(CausalLanguageModeling), batch_of(padded=True)
    before = batch.input_ids.clone(), batch.attention.clone()
    corrupted = step.objective.corrupt(batch, streams=None)
    assert torch.equal(batch.input_ids, before[0]) and torch.equal(batch.attention, before[1])
    assert torch.equal(corrupted.input_ids, before[0])


def test_it_says_how_its_head_is_read(build):
    objective = build(CausalLanguageModeling).objective
    assert objective.token_reading.is_left_to_right
    assert objective.slots(12) == 11
