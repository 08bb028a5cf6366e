"""SimCSE: the loss against the formula in loops, which views it asks for, and what it refuses."""

import math

import pytest
import torch

from objbench.contract.composition import ComposedConfig, Composition
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncodedView, EncoderPass
from objbench.engine.training.step import TrainingStep
from objbench.errors import ConfigError
from objbench_objectives.clm import CausalLanguageModeling
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.sequence_vector import sequence_vectors
from objbench_objectives.simcse import SequenceContrast

D = 16
WITHOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture
def build_with(tiny, build):
    """(fields of the encoder, options of the term) -> the step of mlm+simcse."""

    def make(fields=None, **options):
        step = build(MaskedLanguageModeling, tiny.encoder_section(**(fields or {})))
        kind = Composition(MaskedLanguageModeling, (SequenceContrast,))
        parts = {
            "mlm": MaskedLanguageModeling.Config(),
            "simcse": SequenceContrast.Config(**options),
        }
        torch.manual_seed(0)
        objective = kind(ComposedConfig(parts), step.objective.encoder_spec)
        return TrainingStep(step.encoder, objective).train()

    return make


def vector(term, states, end):
    """h of one sequence, by loops: states (T, D) float64."""
    if term.config.pooling == "mean":
        return [sum(states[t][d] for t in range(end)) / end for d in range(D)]
    weight, bias = term.dense.weight.tolist(), term.dense.bias.tolist()
    return [
        math.tanh(sum(w * x for w, x in zip(row, states[0], strict=True)) + b)
        for row, b in zip(weight, bias, strict=True)
    ]


def loss_in_loops(one, other, tau):
    def cosine(a, b):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))

    total = 0.0
    for own in range(len(one)):
        scores = [math.exp(cosine(one[own], key) / tau) for key in other]
        total -= math.log(scores[own] / sum(scores))
    return total


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("view", ["dropout", "crop"])
@pytest.mark.parametrize("padded", [False, True])
def test_the_loss_is_equation_4_in_loops(build_with, batch_of, pooling, view, padded):
    step = build_with(pooling=pooling, view=view, temperature=0.1)
    term = step.objective.terms[-1].double()
    readings = step.corrupt(batch_of(padded=padded), streams := Streams(0, rows=6))
    again = readings.views["simcse"]
    corrupted = readings.corrupted
    if view == "dropout":
        assert torch.equal(again.input_ids, corrupted.input_ids)
        assert again.attention is corrupted.attention
    else:
        assert again.input_ids.shape == (6, 1 + 9)  # 0.9 of 11
    states = torch.randn(*corrupted.input_ids.shape, D, dtype=torch.float64)
    others = torch.randn(*again.input_ids.shape, D, dtype=torch.float64)
    encoder_pass = EncoderPass(corrupted, states, views={"simcse": EncodedView(again, others)})
    loss = term(encoder_pass, streams)
    sides = [
        [vector(term, s.tolist(), int(r.sum())) for s, r in zip(given, batch.real, strict=True)]
        for given, batch in ((states, corrupted), (others, again))
    ]
    assert loss.total.item() == pytest.approx(loss_in_loops(*sides, 0.1), rel=1e-5)
    assert loss.count == 6


@pytest.mark.parametrize("padded", [False, True])
def test_beside_a_causal_objective_both_encodings_are_causal(build, batch_of, padded):
    step = build(CausalLanguageModeling)
    kind = Composition(CausalLanguageModeling, (SequenceContrast,))
    parts = {"clm": CausalLanguageModeling.Config(), "simcse": SequenceContrast.Config()}
    objective = kind(ComposedConfig(parts), step.objective.encoder_spec)
    step = TrainingStep(step.encoder, objective).eval()
    encoder_pass = step.encode(step.corrupt(batch_of(padded=padded), Streams(0, rows=6)))
    view = encoder_pass.views["simcse"]
    # Without dropout they are the same, and so is the vector that is read from them.
    assert torch.equal(view.last_hidden_state, encoder_pass.last_hidden_state)
    one, other = (
        sequence_vectors(states, batch)
        for states, batch in (
            (encoder_pass.last_hidden_state, encoder_pass.batch),
            (view.last_hidden_state, view.batch),
        )
    )
    assert torch.equal(one, other)


def test_an_encoder_without_dropout_is_read_once_and_its_vectors_are_dropped(build_with, batch_of):
    step = build_with(WITHOUT, dropout=0.25)
    term = step.objective.terms[-1].double()
    readings = step.corrupt(batch_of(), Streams(0, rows=6))
    assert not readings.views
    states = torch.randn(*readings.corrupted.input_ids.shape, D, dtype=torch.float64)
    loss = term(EncoderPass(readings.corrupted, states), Streams(1, rows=6))
    drawn, sides = Streams(1, rows=6), []
    for _ in range(2):
        lots = drawn.uniform("simcse.dropout", D).tolist()
        dropped = [
            [
                [
                    x / 0.75 if lot >= 0.25 else 0.0
                    for x, lot in zip(row[0].tolist(), own, strict=True)
                ]
            ]
            for row, own in zip(states, lots, strict=True)
        ]
        sides.append([vector(term, row, 1) for row in dropped])
    assert sides[0] != sides[1]
    assert loss.total.item() == pytest.approx(loss_in_loops(*sides, 0.05), abs=1e-5)
    # On held-out text nothing is dropped, and nothing drawn.
    plain = [vector(term, row.tolist(), 1) for row in states]
    heldout = term.eval()(EncoderPass(readings.corrupted, states), None)
    assert heldout.total.item() == pytest.approx(loss_in_loops(plain, plain, 0.05), abs=1e-5)


def test_a_crop_is_read_of_an_encoder_without_dropout_too(build_with, batch_of):
    step = build_with(WITHOUT, view="crop", dropout=0.0)
    assert set(step.corrupt(batch_of(), Streams(0, rows=6)).views) == {"simcse"}


def test_the_encoders_dropout_makes_the_two_views_differ(build_with, batch_of):
    step = build_with()
    torch.manual_seed(0)
    encoder_pass = step.encode(step.corrupt(batch_of(), Streams(0, rows=6)))
    again = encoder_pass.views["simcse"].last_hidden_state
    assert not torch.equal(encoder_pass.last_hidden_state, again)
    loss = step.objective.terms[-1](encoder_pass, Streams(0, rows=6))
    loss.total.backward()
    assert all(p.grad is not None for p in step.objective.terms[-1].parameters())


def test_equal_views_are_refused(build_with):
    with pytest.raises(ConfigError, match=r"simcse\.dropout above 0"):
        build_with(WITHOUT, dropout=0.0)


def test_one_sequence_is_refused(build_with, batch_of):
    with pytest.raises(ConfigError, match="at least 2"):
        build_with()(batch_of(rows=1), Streams(0, rows=1))


@pytest.mark.parametrize(
    "options",
    [
        {"weight": -1.0},
        {"weight": float("nan")},
        {"temperature": 0.0},
        {"pooling": "max"},
        {"view": "mask"},
        {"keep": 0.0},
        {"keep": 1.5},
        {"dropout": 1.0},
        {"dropout": -0.1},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        SequenceContrast.Config(**options)


def test_the_loss_falls_on_a_fixed_batch(build_with, batch_of):
    # [CLS] leaves the plateau near a constant function late: see the preset demo.
    step, batch = build_with(WITHOUT, view="crop", pooling="mean"), batch_of()
    optimizer = torch.optim.AdamW(step.parameters(), lr=1e-2)
    seen = []
    for number in range(20):
        totals, counts = step(batch, Streams(0, number, rows=6))
        (totals[1] / counts[1]).backward()
        seen.append(float(totals[1].detach()) / 6)
        optimizer.step()
        optimizer.zero_grad()
    assert sum(seen[-5:]) < 0.5 * sum(seen[:5])
