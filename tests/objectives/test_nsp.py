"""Next sentence prediction: rows against loops, nothing tells the answer but the text, the loss."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.contract.batch import Batch, Rows
from objbench.contract.composition import ComposedConfig, Composition
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass
from objbench.errors import ConfigError
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.nsp import NextSentencePrediction
from objbench_objectives.sop import SentenceOrderPrediction

D = 16


@pytest.fixture(scope="session")
def composed(build):
    """(terms) -> the objective mlm+terms."""
    encoder_spec = build(MaskedLanguageModeling).objective.encoder_spec

    def make(*kinds):
        parts = {kind.name: kind.Config() for kind in (MaskedLanguageModeling, *kinds)}
        torch.manual_seed(0)
        return Composition(MaskedLanguageModeling, kinds)(ComposedConfig(parts), encoder_spec)

    return make


@pytest.fixture(scope="session")
def nsp(composed):
    return composed(NextSentencePrediction).terms[-1]


def rows_in_loops(batch, streams, cls_sep_pad):
    """Ids, what is real, changed and counted of each row, by plain Python."""
    _, sep, pad = cls_sep_pad
    total, width = batch.input_ids.shape
    changed = [lot < 0.5 for lot in streams.uniform("nsp.changed").tolist()]
    steps = streams.integers("nsp.other", total - 1).tolist()
    cuts = streams.uniform("nsp.cut").tolist()
    words = [ids[real].tolist() for ids, real in zip(batch.input_ids, batch.real, strict=True)]
    rows, real, counted = [], [], []
    for own in range(total):
        other = [row for row in range(total) if row != own][steps[own]]
        length = min(len(words[own]), len(words[other]))
        counted.append(length >= 4)
        row = words[own]
        if length >= 4:
            first = 1 + int(cuts[own] * (length - 3))
            source = words[other] if changed[own] else words[own]
            row = [*words[own][: 1 + first], sep, *source[1 + first : length - 1]]
            assert len(row) == length
        rows.append(row + [pad] * (width - len(row)))
        real.append([True] * len(row) + [False] * (width - len(row)))
    return rows, real, changed, counted


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), padded=st.booleans())
def test_rows_are_those_of_loops(seed, padded, tiny, nsp, batch_of):
    batch = batch_of(padded=padded, seed=seed)
    if padded:  # and one that is too short to be cut
        ids, real = batch.input_ids.clone(), batch.attention.clone()
        ids[2, 3:], real[2, 3:] = 0, False
        batch = Batch(ids, ids < 5, real, batch.rows)
    before = batch.input_ids.clone()
    made = nsp.arrange(batch, Streams(seed, rows=6))
    rows, real, changed, counted = rows_in_loops(batch, Streams(seed, rows=6), (2, 3, 0))
    assert made.input_ids.tolist() == rows
    assert made.real.tolist() == real
    assert made.extras["nsp.changed"].tolist() == changed
    assert made.extras["nsp.counted"].tolist() == counted
    assert all(counted) == (not padded)
    assert torch.equal(made.special, made.input_ids < 5)
    assert (made.attention is None) == (not padded)
    assert torch.equal(batch.input_ids, before) and not batch.extras


def test_two_processes_make_the_rows_of_one(nsp, batch_of):
    batch = batch_of(padded=True)
    whole = nsp.arrange(batch, Streams(4, rows=6))
    lengths = batch.real.sum(dim=1)
    for first in (0, 3):
        own = slice(first, first + 3)
        told = {torch.Size([3]): lengths, torch.Size([3, 12]): batch.input_ids}
        rows = Rows(first, 6, lambda tensor, told=told: told[tensor.shape])
        part = Batch(batch.input_ids[own], batch.special[own], batch.attention[own], rows)
        made = nsp.arrange(part, Streams(4, rows=6, first=first, count=3))
        assert torch.equal(made.input_ids, whole.input_ids[own])
        assert torch.equal(made.attention, whole.attention[own])


@pytest.mark.parametrize("kind", [NextSentencePrediction, SentenceOrderPrediction])
@pytest.mark.parametrize("padded", [False, True])
def test_neither_the_place_of_sep_nor_a_length_tells_the_answer(composed, kind, padded, tiny):
    """Chi square of the places of [SEP], and of lengths, by class: equal up to chance."""
    term, count = composed(kind).terms[-1], 6000
    ids = torch.full((count, tiny.LENGTH), 9)  # words that tell nothing
    ids[:, 0] = 2
    real = torch.arange(tiny.LENGTH) < torch.randint(
        5, tiny.LENGTH + 1, (count, 1), generator=torch.Generator().manual_seed(0)
    )
    ids = ids.masked_fill(~real, 0) if padded else ids
    batch = Batch(ids, ids < 5, real if padded else None, Rows.alone(count))
    made = term.arrange(batch, Streams(0, rows=count))
    changed = made.extras[f"{kind.name}.changed"]
    assert abs(changed.double().mean().item() - 0.5) < 0.03
    assert torch.equal((made.input_ids == 3).sum(dim=1), torch.ones(count, dtype=torch.int64))
    # Segments have at least a token each.
    places = (made.input_ids == 3).long().argmax(dim=1)
    lengths = made.real.sum(dim=1)
    assert places.min() == 2 and (lengths - places).min() == 2
    joint = places * (tiny.LENGTH + 1) + lengths
    counts = torch.stack([torch.bincount(joint[c], minlength=200) for c in (changed, ~changed)])
    counts = counts[:, counts.sum(dim=0) > 0].double()
    expected = counts.sum(dim=1, keepdim=True) * counts.sum(dim=0) / count
    statistic = ((counts - expected).square() / expected).sum().item()
    freedom = counts.shape[1] - 1
    assert freedom == (43 if padded else 8)
    assert statistic < freedom + 4 * math.sqrt(2 * freedom)


def test_uncut_rows_are_other_rows_equally_often(nsp, tiny):
    count = 3000
    ids = torch.arange(3).repeat(count // 3).unsqueeze(1) + torch.full((1, tiny.LENGTH), 10)
    ids[:, 0] = 2
    made = nsp.arrange(Batch(ids, ids < 5, None, Rows.alone(count)), Streams(1, rows=count))
    changed = made.extras["nsp.changed"]
    last, first = made.input_ids[:, -1], made.input_ids[:, 1]
    assert torch.equal(last[~changed], first[~changed])
    differ = (last != first)[changed].double().mean().item()
    assert differ == pytest.approx(2 / 3, abs=0.05)


@pytest.mark.parametrize("kind", [NextSentencePrediction, SentenceOrderPrediction])
def test_the_loss_is_the_formula_in_loops(composed, kind, batch_of):
    term = composed(kind).terms[-1].double()
    batch = batch_of(padded=True)
    ids, real = batch.input_ids.clone(), batch.attention.clone()
    ids[5, 3:], real[5, 3:] = 0, False
    batch = term.arrange(Batch(ids, ids < 5, real, batch.rows), Streams(2, rows=6))
    states = torch.randn(6, 12, D, dtype=torch.float64)
    expected, count = 0.0, 0
    for row in range(6):
        if not batch.extras[f"{kind.name}.counted"][row]:
            continue
        pooled = [
            math.tanh(sum(w * x for w, x in zip(weights, states[row, 0].tolist(), strict=True)) + b)
            for weights, b in zip(term.dense.weight.tolist(), term.dense.bias.tolist(), strict=True)
        ]
        scores = [
            sum(w * x for w, x in zip(weights, pooled, strict=True)) + b
            for weights, b in zip(
                term.classes.weight.tolist(), term.classes.bias.tolist(), strict=True
            )
        ]
        label = int(batch.extras[f"{kind.name}.changed"][row])
        expected -= scores[label] - math.log(sum(math.exp(score) for score in scores))
        count += 1
    loss = term(EncoderPass(batch, states), None)
    assert 0 < count < 6 and loss.count == count
    assert loss.total.item() == pytest.approx(expected, rel=1e-6)


def test_separators_are_not_masked(composed, batch_of):
    objective = composed(NextSentencePrediction)
    arranged = objective.terms[-1].arrange(batch_of(), Streams(0, rows=6))
    for step in range(20):
        corrupted = objective.corrupt(arranged, Streams(0, step, rows=6))
        assert not (corrupted.predicted & (arranged.input_ids == 3)).any()


@pytest.mark.parametrize(
    "kinds",
    [
        (NextSentencePrediction, SentenceOrderPrediction),
        (SentenceOrderPrediction, NextSentencePrediction),
    ],
)
def test_two_terms_that_rearrange_segments_are_refused(composed, kinds):
    with pytest.raises(ConfigError, match="both rearrange"):
        composed(*kinds)


def test_one_sequence_and_short_ones_are_refused(nsp, batch_of):
    with pytest.raises(ConfigError, match="at least 2"):
        nsp.arrange(batch_of(rows=1), Streams(0, rows=1))
    batch = batch_of()
    short = Batch(batch.input_ids[:, :3], batch.special[:, :3], None, batch.rows)
    with pytest.raises(ConfigError, match="at least 4 tokens"):
        nsp.arrange(short, Streams(0, rows=6))


@pytest.mark.parametrize("weight", [-1.0, float("nan")])
def test_options_out_of_range_are_refused(weight):
    with pytest.raises(ConfigError):
        NextSentencePrediction.Config(weight=weight)
