"""Sentence order prediction: rows against loops; what it shares with nsp is tested there."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.contract.batch import Batch
from objbench.contract.composition import ComposedConfig, Composition
from objbench.contract.random_streams import Streams
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.sop import SentenceOrderPrediction


@pytest.fixture(scope="session")
def sop(build):
    encoder_spec = build(MaskedLanguageModeling).objective.encoder_spec
    parts = {kind.name: kind.Config() for kind in (MaskedLanguageModeling, SentenceOrderPrediction)}
    kind = Composition(MaskedLanguageModeling, (SentenceOrderPrediction,))
    return kind(ComposedConfig(parts), encoder_spec).terms[-1]


def rows_in_loops(batch, streams, sep, pad):
    """Ids, what is real, changed and counted of each row, by plain Python."""
    changed = [lot < 0.5 for lot in streams.uniform("sop.changed").tolist()]
    cuts = streams.uniform("sop.cut").tolist()
    rows, real, counted = [], [], []
    for own, (ids, there) in enumerate(zip(batch.input_ids, batch.real, strict=True)):
        row = ids[there].tolist()
        counted.append(len(row) >= 4)
        if len(row) >= 4:
            cut = 1 + int(cuts[own] * (len(row) - 3))
            one, two = row[1 : 1 + cut], row[1 + cut : -1]
            first, second = (two, one) if changed[own] else (one, two)
            row = [row[0], *first, sep, *second]
        rows.append(row + [pad] * (len(ids) - len(row)))
        real.append([True] * len(row) + [False] * (len(ids) - len(row)))
    return rows, real, changed, counted


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), padded=st.booleans())
def test_rows_are_those_of_loops(seed, padded, sop, batch_of):
    batch = batch_of(padded=padded, seed=seed)
    if padded:  # and one that is too short to be cut
        ids, real = batch.input_ids.clone(), batch.attention.clone()
        ids[2, 3:], real[2, 3:] = 0, False
        batch = Batch(ids, ids < 5, real, batch.rows)
    before = batch.input_ids.clone()
    made = sop.arrange(batch, Streams(seed, rows=6))
    rows, real, changed, counted = rows_in_loops(batch, Streams(seed, rows=6), 3, 0)
    assert made.input_ids.tolist() == rows
    assert made.real.tolist() == real
    assert made.extras["sop.changed"].tolist() == changed
    assert made.extras["sop.counted"].tolist() == counted
    assert counted == [not padded or row != 2 for row in range(6)]
    assert torch.equal(made.special, made.input_ids < 5)
    assert (made.attention is None) == (not padded)
    assert torch.equal(batch.input_ids, before)


def test_one_sequence_is_enough(sop, batch_of):
    made = sop.arrange(batch_of(rows=1), Streams(0, rows=1))
    assert made.extras["sop.counted"].all()


def test_what_is_changed_is_what_the_stream_says_whatever_the_objective(sop, batch_of):
    batch = batch_of()
    streams = Streams(9, rows=6)
    streams.uniform("mask", 12)
    again = sop.arrange(batch, streams)
    assert torch.equal(again.input_ids, sop.arrange(batch, Streams(9, rows=6)).input_ids)
