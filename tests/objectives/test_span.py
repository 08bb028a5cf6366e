"""Span masking: SpanBERT's replacement, and its boundary objective against the formula in loops."""

import math
from dataclasses import replace

import pytest
import torch

from objbench.blocks.masking import slot_count
from objbench.blocks.spans import Runs
from objbench.contract.batch import IGNORE_INDEX, Batch, Rows
from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass
from objbench.errors import ConfigError
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.span import LEFT, PLACE, PLACES, RIGHT, TARGETS, SpanMasking, boundaries

SIZE, D = 97, 16
PIECES = (f"##{i}" if i % 3 == 0 else f"w{i}" for i in range(4, SIZE))
TOKENS = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", *PIECES)
"""Every third token goes on with the word before it."""


@pytest.fixture
def make(encoder_spec):
    """(options) -> the objective with a vocabulary of word pieces."""
    vocabulary = Vocabulary(SIZE, 0, 1, 2, 3, (0, 1, 2, 3), TOKENS)
    encoder_spec = replace(encoder_spec, vocabulary=vocabulary)

    def make(kind=SpanMasking, **options):
        return kind(kind.Config(**options), encoder_spec)

    return make


def runs_in(predicted):
    """(first, last) of every maximal run of one row."""
    found = []
    for column, is_predicted in enumerate(predicted.tolist()):
        if is_predicted and found and found[-1][1] == column - 1:
            found[-1][1] = column
        elif is_predicted:
            found.append([column, column])
    return found


# -- masking


def test_as_many_tokens_as_by_mlm_in_longer_runs(make, make_batch):
    batch = make_batch(100, 128, lengths=[128 - i % 40 for i in range(100)])
    ours = make().corrupt(batch, Streams(5, rows=100))
    plain = make(MaskedLanguageModeling).corrupt(batch, Streams(5, rows=100))
    assert ours.positions.shape == plain.positions.shape == (100, slot_count(0.15, 128))
    assert torch.equal(ours.predicted.sum(dim=1), plain.predicted.sum(dim=1))
    assert not ours.predicted[batch.special].any()
    used = ours.targets != IGNORE_INDEX
    originals = batch.input_ids.gather(1, ours.positions)
    assert torch.equal(ours.targets[used], originals[used])
    lengths = [
        [last - first + 1 for row in made.predicted for first, last in runs_in(row)]
        for made in (ours, plain)
    ]
    mean, plain_mean = (sum(found) / len(found) for found in lengths)
    assert mean > 3 and plain_mean < 1.5


def test_a_span_is_replaced_alike(make, make_batch):
    batch = make_batch(600, 64)
    corrupted = make(rate=0.3).corrupt(batch, Streams(0, rows=600))
    counts = {"masked": 0, "kept": 0, "other": 0}
    for row in range(600):
        for first, last in runs_in(corrupted.predicted[row]):
            new = corrupted.input_ids[row, first : last + 1]
            old = batch.input_ids[row, first : last + 1]
            if (new == 3).all():
                counts["masked"] += 1
            elif torch.equal(new, old):
                counts["kept"] += 1
            else:
                counts["other"] += 1
                # Random tokens each by itself: no [MASK] but by chance.
                assert (new == 3).sum() <= 1
    total = sum(counts.values())
    assert total > 2000
    # Five standard deviations of a share of 0.8 at 2,000 spans: 0.045; of 0.1: 0.034.
    assert counts["masked"] / total == pytest.approx(0.8, abs=0.045)
    assert counts["kept"] / total == pytest.approx(0.1, abs=0.034)


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.15), (0.5, 0.25), (1.0, 0.35)])
def test_the_schedule_sets_the_share_and_leaves_the_slots(make, make_batch, progress, share):
    batch = replace(make_batch(200, 60), progress=progress)
    objective = make(rate=0.15, final_rate=0.35)
    corrupted = objective.corrupt(batch, Streams(0, rows=200))
    assert corrupted.positions.shape[1] == slot_count(0.35, 60) == objective.slots(60)
    found = (corrupted.predicted.sum() / (~batch.special).sum()).item()
    assert found == pytest.approx(share, abs=0.003)


def test_the_boundary_objective_changes_no_mask(make, make_batch):
    batch = make_batch(6, 40)
    with_it, without = (
        make(boundary=boundary).corrupt(batch, Streams(0, rows=6)) for boundary in (True, False)
    )
    assert torch.equal(with_it.input_ids, without.input_ids)
    assert set(with_it.extras) == {LEFT, RIGHT, PLACE, TARGETS} and not without.extras


# -- boundaries


def test_what_stands_beside_each_span_by_hand():
    ids = torch.arange(10, 18).expand(2, 8)
    real = torch.tensor([[True] * 8, [True] * 5 + [False] * 3])
    batch = Batch(ids, ~real, real, Rows.alone(2))
    chosen = torch.tensor(
        [
            [False, True, True, False, False, True, False, True],
            [True, False, True, False, True, False, False, False],
        ]
    )
    positions = torch.tensor([[1, 2, 5, 7], [0, 2, 4, 0]])
    used = torch.tensor([[True] * 4, [True, True, True, False]])
    told = boundaries(batch, positions, used, Runs.of(chosen))
    # Nothing lies behind column 7, nothing before column 0, and padding behind column 4.
    assert told[TARGETS].tolist() == [[11, 12, 15, -100], [-100, 12, -100, -100]]
    assert told[LEFT][0, :3].tolist() == [0, 0, 4] and told[LEFT][1, 1] == 1
    assert told[RIGHT][0, :3].tolist() == [3, 3, 6] and told[RIGHT][1, 1] == 3
    assert told[PLACE][0].tolist() == [0, 1, 0, 0]
    for name in (LEFT, RIGHT):
        assert ((told[name] >= 0) & (told[name] < 8)).all()


def test_tokens_beyond_the_last_place_have_no_second_loss():
    ids = torch.arange(10, 32).unsqueeze(0)
    batch = Batch(ids, torch.zeros_like(ids, dtype=torch.bool), None, Rows.alone(1))
    chosen = torch.zeros(1, 22, dtype=torch.bool)
    chosen[:, 2:20] = True
    positions = torch.arange(2, 20).unsqueeze(0)
    told = boundaries(
        batch, positions, torch.ones_like(positions, dtype=torch.bool), Runs.of(chosen)
    )
    assert (told[TARGETS] != IGNORE_INDEX).sum() == PLACES == 15
    assert told[PLACE].max() == PLACES - 1


def layer_norm(vector):
    mean = sum(vector) / len(vector)
    variance = sum((x - mean) ** 2 for x in vector) / len(vector)
    return [(x - mean) / math.sqrt(variance + 1e-12) for x in vector]


def layer(linear, vector):
    """LayerNorm(GeLU(W x + b)), number by number."""
    inner = [
        sum(w * x for w, x in zip(row, vector, strict=True)) + b
        for row, b in zip(linear.weight.tolist(), linear.bias.tolist(), strict=True)
    ]
    return layer_norm([0.5 * x * (1 + math.erf(x / math.sqrt(2))) for x in inner])


def test_the_boundary_loss_equals_the_formula_in_loops(make, make_batch):
    objective = make(rate=0.3, boundary=True, place_width=5)
    batch = make_batch(3, 24, lengths=[24, 17, 9])
    corrupted = objective.corrupt(batch, Streams(3, rows=3))
    term = objective.terms[1].double()
    generator = torch.Generator().manual_seed(0)
    draw = {"generator": generator, "dtype": torch.float64}
    for parameter in (term.places.weight, term.inner.weight, term.outer.dense.weight):
        parameter.data.copy_(torch.randn(parameter.shape, **draw))
    for parameter in (term.inner.bias, term.outer.dense.bias, term.outer.bias):
        parameter.data.copy_(torch.randn(parameter.shape, **draw))
    states, words = torch.randn(3, 24, D, **draw), torch.randn(SIZE, D, **draw)
    total, count = 0.0, 0
    for row, length in enumerate((24, 17, 9)):
        for s, e in runs_in(corrupted.predicted[row]):
            if s == 0 or e + 1 >= length:
                continue
            for i in range(s, min(e + 1, s + PLACES)):
                place = term.places.weight[i - s].tolist()
                h0 = states[row, s - 1].tolist() + states[row, e + 1].tolist() + place
                h = layer(term.outer.dense, layer(term.inner, h0))
                scores = [
                    sum(w * x for w, x in zip(words[v].tolist(), h, strict=True))
                    + term.outer.bias[v].item()
                    for v in range(SIZE)
                ]
                target = scores[int(batch.input_ids[row, i])]
                total -= target - math.log(sum(math.exp(score) for score in scores))
                count += 1
    loss = term(EncoderPass(corrupted, states, word_embeddings=words), Streams(0, rows=3))
    assert loss.count.item() == count > 5
    assert loss.total.item() == pytest.approx(total, rel=1e-5)


def test_the_second_loss_reads_the_boundaries_and_nothing_else(make, make_batch):
    objective = make(boundary=True)
    corrupted = objective.corrupt(make_batch(4, 40), Streams(0, rows=4))
    states = torch.randn(4, 40, D, requires_grad=True)
    loss = objective.terms[1](
        EncoderPass(corrupted, states, word_embeddings=torch.randn(SIZE, D)), Streams(0, rows=4)
    )
    loss.total.backward()
    touched = states.grad.abs().sum(-1) > 0
    for row in range(4):
        inside = [(s, e) for s, e in runs_in(corrupted.predicted[row]) if e < 39]
        beside = {s - 1 for s, _ in inside} | {e + 1 for _, e in inside}
        assert set(touched[row].nonzero().flatten().tolist()) == beside
    assert not touched[corrupted.predicted].any()


def test_no_boundary_no_loss(make, make_batch):
    objective = make(rate=1.0, boundary=True)
    corrupted = objective.corrupt(make_batch(2, 6, lengths=[6, 1]), Streams(0, rows=2))
    whole = replace(corrupted, extras=dict(corrupted.extras))
    whole.extras[TARGETS] = torch.full_like(whole.extras[TARGETS], IGNORE_INDEX)
    states = torch.randn(2, 6, D, requires_grad=True)
    encoder_pass = EncoderPass(whole, states, word_embeddings=torch.randn(SIZE, D))
    loss = objective.terms[1](encoder_pass, Streams(0, rows=2))
    loss.total.backward()
    assert loss.total.item() == loss.count.item() == 0
    assert states.grad.isfinite().all()


def test_bfloat16_autocast_gives_a_finite_float32_loss(make, make_batch):
    objective = make(boundary=True)
    corrupted = objective.corrupt(make_batch(4, 40), Streams(0, rows=4))
    states = torch.randn(4, 40, D, dtype=torch.bfloat16, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        encoder_pass = EncoderPass(corrupted, states, word_embeddings=torch.randn(SIZE, D))
        loss = objective.terms[1](encoder_pass, Streams(0, rows=4))
    loss.total.backward()
    assert loss.total.dtype == torch.float32
    assert loss.total.isfinite() and states.grad.isfinite().all()


def test_terms_have_names_and_the_papers_defaults(make):
    assert [(t.name, t.weight) for t in make().terms] == [("span", 1.0)]
    terms = make(boundary=True).terms
    assert [(t.name, t.weight) for t in terms] == [("span", 1.0), ("sbo", 1.0)]
    assert terms[1].places.weight.shape == (15, 200)
    config = SpanMasking.Config()
    assert (config.rate, config.geometric_p, config.longest) == (0.15, 0.2, 10)


@pytest.mark.parametrize(
    "options",
    [
        {"geometric_p": 0.0},
        {"geometric_p": 1.1},
        {"geometric_p": float("nan")},
        {"longest": 0},
        {"place_width": 0},
        {"rate": 0.0},
        {"final_rate": 1.5},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        SpanMasking.Config(**options)
