"""The common loss and the order gain, recomputed with plain loops in float64 from their definition."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from objbench.blocks.masking import mask_tokens
from objbench.contract.batch import IGNORE_INDEX, Batch, Rows
from objbench.contract.composition import configured
from objbench.contract.random_streams import Streams
from objbench.engine.training import common_loss as module
from objbench.engine.training.common_loss import common_loss, kind_of, own_losses, ratio
from objbench.engine.training.heldout_loss import HELDOUT_SEED, heldout_batches, heldout_losses
from objbench.engine.training.session import Session
from objbench.engine.training.trainer import pretrain
from objbench.engine.training.word_order import STREAM, reordered, shuffled_columns
from objbench.plugins.loading import load_plugins

REGISTRY = load_plugins()
SAME = 2e-6
"""Relative; losses are computed in float32, and all else here is in float64."""


def of(job, name):
    """``job`` with another objective, on words of which every fourth continues another."""
    kind = REGISTRY.objective(name)
    tokens = (f"##{t}" if i > 4 and i % 4 == 0 else t for i, t in enumerate(job.vocabulary.tokens))
    vocabulary = replace(job.vocabulary, tokens=tuple(tokens))
    return replace(job, objective=kind, config=configured(kind, {}), vocabulary=vocabulary)


@pytest.fixture
def session_of(tiny, tmp_path):
    """(name) -> an untrained session in float64, whose large weights make much of everything."""

    def make(name, **options):
        job = tiny.tiny_job(tmp_path, initializer_range=0.5, **options)
        # With special tokens in it, which are neither predicted nor moved.
        tokens = job.heldout.tokens.copy()
        tokens[::5] = 3
        heldout = replace(job.heldout, tokens=tokens)
        session = Session(of(replace(job, heldout=heldout), name))
        torch.manual_seed(0)
        for head in filter(None, [session.module.objective.token_head]):
            torch.nn.init.normal_(head.dense.weight)
            torch.nn.init.normal_(head.bias)
        session.module.double()
        return session

    return make


def log_probability(session, state, word):
    """log softmax of the token head's logits, of one state, summed in a loop."""
    head, encoder = session.module.objective.token_head, session.module.encoder
    vector = head.transform(state)
    logits = [
        float(vector @ row) + float(b)
        for row, b in zip(encoder.embeddings.word_embeddings.weight, head.bias, strict=True)
    ]
    largest = max(logits)
    return logits[word] - largest - math.log(sum(math.exp(z - largest) for z in logits))


def loss_at(session, left_to_right, before, text, column, word):
    """The loss of ``word`` at ``column``, from all of ``text``, or what is before it and no more."""
    seen = text[None, :column] if left_to_right else text[None]
    states = session.module.encoder(input_ids=seen).last_hidden_state[0]
    return -log_probability(session, states[-1 if left_to_right else column - before], word)


def shuffled(ids, movable, scores):
    """``ids`` with its movable tokens in the order of their scores."""
    columns = [c for c in range(len(ids)) if movable[c]]
    sources = sorted(columns, key=lambda c: float(scores[c]))
    moved = ids.clone()
    for column, source in zip(columns, sources, strict=True):
        moved[column] = ids[source]
    return moved


@torch.no_grad()
def by_loops(session, left_to_right, before):
    """(loss, order gain, error, tokens) of the token head, one sequence and token at a time."""
    session.module.eval()
    job, rows = session.job, []
    for number, (batch, _) in enumerate(heldout_batches(session)):
        streams = Streams(HELDOUT_SEED, number, rows=len(batch.input_ids))
        masked = mask_tokens(batch, job.vocabulary, streams)
        order = streams.uniform(STREAM, batch.input_ids.shape[1])
        for row, ids in enumerate(batch.input_ids):
            slots = zip(masked.positions[row].tolist(), masked.targets[row].tolist(), strict=True)
            hidden = {column: word for column, word in slots if word != IGNORE_INDEX}
            free = [
                int(t) not in job.vocabulary.special and c not in hidden for c, t in enumerate(ids)
            ]
            read = ids if left_to_right else masked.input_ids[row]
            moved = shuffled(read, free, order[row])

            words = [c for c in range(1, len(ids)) if int(ids[c]) not in job.vocabulary.special]
            predicted = words if left_to_right else list(hidden)
            loss = partial(loss_at, session, left_to_right, before)
            gain = sum(loss(moved, c, int(ids[c])) - loss(read, c, int(ids[c])) for c in hidden)
            total = sum(loss(read, c, int(ids[c])) for c in predicted)
            rows.append([total, len(predicted), gain, len(hidden)])
    losses, tokens, gains, counts = zip(*rows, strict=True)
    mean = sum(gains) / sum(counts)
    squares = sum((g - mean * n) ** 2 for g, n in zip(gains, counts, strict=True))
    error = math.sqrt(squares * len(rows) / (len(rows) - 1)) / sum(counts)
    return sum(losses) / sum(tokens), mean, error, sum(tokens)


@pytest.mark.parametrize(
    ("name", "kind", "before"), [("mlm", "masked", 0), ("hybrid", "masked", 1), ("clm", "next", 1)]
)
def test_a_token_heads_is_what_loops_give(session_of, name, kind, before):
    # Of one layer, what a causal encoder makes of a token is what any makes of the text up to there.
    session = session_of(name, batch=4, num_hidden_layers=1)
    found = common_loss(session)
    assert session.module.training
    loss, gain, error, tokens = by_loops(session, kind == "next", before)
    assert (found.of, found.tokens) == (kind, tokens)
    assert found.loss == pytest.approx(loss, rel=SAME)
    assert found.order_gain == pytest.approx(gain, abs=1e-5) and abs(gain) > 0.01
    assert found.error == pytest.approx(error, rel=1e-4)


def test_a_masked_language_models_is_its_held_out_loss(session_of):
    session = session_of("mlm")
    assert common_loss(session).loss == pytest.approx(heldout_losses(session)["mlm"], rel=SAME)


@torch.no_grad()
def both_ways(step, batch, number, row, rows, weights):
    """The weighted loss of one sequence as the corruption left it, and with its words shuffled."""
    streams = Streams(HELDOUT_SEED, number, rows=rows).of_rows(row, 1)
    corrupted = step.objective.corrupt(batch, streams)
    order = streams.uniform(STREAM, batch.input_ids.shape[1])
    free = ~corrupted.special & ~corrupted.predicted
    moved = shuffled(corrupted.input_ids[0], free[0], order[0])
    found = []
    for read in (corrupted, replace(corrupted, input_ids=moved[None])):
        totals, counts = step.losses(step.encode(step.with_views(batch, read, streams)), streams)
        found.append(float((totals.double() / counts * weights).sum()))
    return found


def test_an_objectives_own_is_what_loops_give(session_of):
    session = session_of("rtd", batch=4)
    found = common_loss(session)
    assert found.of == "own"
    assert found.loss == pytest.approx(heldout_losses(session)["loss"], rel=SAME)
    step = session.module.eval()
    sides, words = [], 0
    for number, (batch, _) in enumerate(heldout_batches(session)):
        rows = len(batch.input_ids)
        # Of four sequences every one is a piece.
        for row in range(rows):
            own = replace(
                batch,
                input_ids=batch.input_ids[row : row + 1],
                special=batch.special[row : row + 1],
                rows=Rows.alone(1),
            )
            sides.append(both_ways(step, own, number, row, rows, session.weights))
            words += sum(
                int(t) not in session.job.vocabulary.special for t in own.input_ids.flatten()
            )
    # Every piece has as many real tokens; the numbers of masked ones differ, but not on both sides.
    gains = [after - before for before, after in sides]
    assert (
        found.order_gain == pytest.approx(np.mean(gains), abs=1e-4) and abs(found.order_gain) > 0.1
    )
    assert found.error == pytest.approx(np.std(gains, ddof=1) / math.sqrt(len(gains)), rel=1e-4)
    assert found.tokens == words


def test_what_a_generator_has_learnt_is_no_gain_of_the_encoder(session_of):
    session = session_of("rtd")
    module = session.module.eval()
    (batch, streams), *_ = heldout_batches(session)
    sides = []
    for shuffle in (False, True):
        (part,) = session.parts(batch, streams())
        with torch.no_grad():
            sides.append(own_losses(module, part, shuffle))
    (plain, counts), (moved, same_counts) = sides
    assert torch.equal(counts, same_counts)
    assert plain[0] == moved[0], "the generator's loss"
    assert plain[1] != moved[1], "the encoder's"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[
            (name, "masked")
            for name in (
                *("mlm", "wwm", "span", "taco", "hybrid", "clm_mlm", "diffusion", "adaptive"),
                *("mlm+simcse", "mlm+nsp"),
            )
        ],
        ("clm", "next"),
        *[(name, "own") for name in ("rtd", "coco_lm", "mae", "rtd+tc")],
    ],
)
def test_what_is_predicted(tiny, tmp_path, name, kind):
    heldout = tiny.sequences(2, 100, "heldout")
    session = Session(of(tiny.tiny_job(tmp_path, heldout=heldout, heldout_batches=6), name))
    assert kind_of(session.module.objective) == kind
    found = common_loss(session)
    assert found.of == kind and math.isfinite(found.loss) and found.error is not None
    # An encoder that has learnt nothing.
    assert abs(found.order_gain) < 3 * found.error + 1e-5 * found.loss


def test_masks_and_permutations_are_the_same_for_every_objective_and_seed(tiny, tmp_path):
    found = []
    source = None
    for name, seed in (("mlm", 0), ("mlm", 5), ("taco", 1), ("wwm", 2)):
        session = Session(of(tiny.tiny_job(tmp_path, seed=seed, initializer_range=0.3), name))
        source = source or session.module
        session.module.encoder.load_state_dict(source.encoder.state_dict())
        head = source.objective.token_head.state_dict()
        session.module.objective.token_head.load_state_dict(head)
        found.append(common_loss(session))
    assert all(other == found[0] for other in found)


def test_in_bf16_and_in_float32_it_is_nearly_the_same(tiny, tmp_path):
    found = []
    for precision in ("fp32", "bf16"):
        job = tiny.tiny_job(tmp_path, initializer_range=0.3, precision=precision)
        found.append(common_loss(Session(of(job, "mlm"))))
    assert found[1].loss == pytest.approx(found[0].loss, rel=0.01) and found[0] != found[1]


# -- the order of words


def test_visible_words_change_places_and_nothing_else_does():
    draw = torch.Generator().manual_seed(3)
    ids = torch.randint(5, 60, (50, 20), generator=draw)
    movable = torch.rand(50, 20, generator=draw) < 0.6
    columns = shuffled_columns(movable, Streams(1, 2, rows=50))
    labels = ids * 7
    batch = Batch(ids, ~movable, None, Rows.alone(50), extras={"labels": labels, "rows": ids[:, 0]})
    moved = reordered(batch, columns)
    assert torch.equal(moved.input_ids[~movable], ids[~movable])
    for row in range(50):
        assert Counter(moved.input_ids[row].tolist()) == Counter(ids[row].tolist())
    assert torch.equal(moved.extras["labels"], moved.input_ids * 7)
    assert torch.equal(moved.extras["rows"], ids[:, 0])
    assert (moved.input_ids != ids).float().mean() > 0.4


@pytest.mark.parametrize(("objective", "is_known"), [("rtd", True), ("rtd+tc", False)])
def test_one_batch_has_an_error_where_sequences_are_not_compared(session_of, objective, is_known):
    session = session_of(objective, batch=4, heldout_batches=1)
    assert (common_loss(session).error is not None) == is_known


def test_every_permutation_is_as_likely_and_rows_have_their_own():
    rows = 6000
    movable = torch.tensor([False, True, True, False, True]).expand(rows, 5)
    columns = shuffled_columns(movable, Streams(0, 0, rows=rows))
    counts = Counter(map(tuple, columns.tolist()))
    assert len(counts) == 6 and all(p[0] == 0 and p[3] == 3 for p in counts)
    # Each of the six 1000 times in expectation, with a standard deviation of 29.
    assert all(abs(count - rows / 6) < 120 for count in counts.values())
    half = shuffled_columns(movable[3000:], Streams(0, 0, rows=rows, first=3000))
    assert torch.equal(half, columns[3000:])


# -- its error, and losses that are not finite


def test_a_ratio_and_its_error_by_hand():
    # r = 12 / 6 = 2; residuals 1 - 2, 5 - 4, 6 - 6; sqrt(2 * 3 / 2) / 6.
    mean, error = ratio(np.array([1.0, 5.0, 6.0]), np.array([1.0, 2.0, 3.0]))
    assert mean == 2.0 and error == pytest.approx(math.sqrt(3.0) / 6)
    assert ratio(np.array([3.0]), np.array([2.0])) == (1.5, None)
    assert ratio(np.zeros(4), np.zeros(4)) == (0.0, 0.0)


def test_the_error_is_the_spread_of_the_estimate():
    draw = np.random.default_rng(0)
    means, errors = [], []
    for _ in range(2000):
        counts = draw.integers(1, 6, 40)
        # Items of a sequence share half of what moves them.
        shared = draw.normal(size=40)
        sums = counts * (0.3 + shared) + draw.normal(size=40) * np.sqrt(counts)
        mean, error = ratio(sums, counts.astype(float))
        means.append(mean)
        errors.append(error)
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.05)
    assert np.mean(np.abs(np.array(means) - 0.3) < 3 * np.array(errors)) > 0.99


def test_a_common_loss_that_is_not_finite_ends_the_run(tiny, tmp_path, silent, monkeypatch):
    plain = module.token_losses
    monkeypatch.setattr(module, "token_losses", lambda *given: plain(*given) * math.nan)
    outcome = pretrain(of(tiny.tiny_job(tmp_path, export_steps=(10, 20)), "mlm"), silent)
    assert outcome.status == "diverged" and outcome.points == []
    assert "the common loss 'masked' was nan" in outcome.reason and "step 10" in outcome.reason
