"""The representation suite: every number against loops over pairs in float64."""

import math

import numpy as np
import pytest
import torch
from transformers import BertModel

from objbench.contract.options import configure
from objbench.contract.suite import EvaluationContext
from objbench.errors import CheckpointError, ConfigError, DataError
from objbench_suites.representation import RepresentationSuite
from objbench_suites.state_geometry import (
    PairSums,
    alignment,
    effective_rank,
    halves,
    measured,
    uniformity,
)


def _suite(**options):
    return RepresentationSuite(configure(RepresentationSuite, options))


def _rows(count, length=9, seed=0):
    """Sequences of [CLS] and words, a [SEP] in some."""
    rows = np.random.default_rng(seed).integers(5, 25, (count, length))
    rows[:, 0] = 2
    rows[::2, 5] = 3
    return rows


def _cosine(one, other):
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / math.sqrt(sum(a * a for a in one)) / math.sqrt(sum(b * b for b in other))


def _distance(one, other):
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _mean(values):
    values = list(values)
    return sum(values) / len(values)


def _unit(vector):
    norm = math.sqrt(sum(value * value for value in vector))
    return [value / norm for value in vector]


class Oracle:
    """The five numbers by loops over tokens and pairs of one encoder."""

    def __init__(self, folder):
        self.encoder = BertModel.from_pretrained(folder, add_pooling_layer=False).double().eval()

    @torch.no_grad()
    def states(self, row):
        """[(state, embedding output)] of the tokens that are not special."""
        output = self.encoder(input_ids=torch.tensor([row]), output_hidden_states=True)
        last, first = output.hidden_states[-1][0], output.hidden_states[0][0]
        kept = [t for t, token in enumerate(row) if token >= 5]
        return [(last[t].tolist(), first[t].tolist()) for t in kept]

    def half(self, row):
        states = [state for state, _ in self.states(row)]
        return _unit([_mean(column) for column in zip(*states, strict=True)])

    def numbers(self, rows):
        sequences = [self.states(row) for row in rows]
        h = [[state for state, _ in seq] for seq in sequences]
        g = [[[a - b for a, b in zip(*pair, strict=True)] for pair in seq] for seq in sequences]
        size = (len(rows[0]) - 1) // 2
        first = [self.half([row[0], *row[1 : 1 + size]]) for row in rows]
        second = [self.half([row[0], *row[1 + size : 1 + 2 * size]]) for row in rows]
        singular = np.linalg.svd(np.array([s for seq in h for s in seq]), compute_uv=False)
        shares = [value / sum(singular) for value in singular]
        return {
            "alignment": _mean(_distance(x, y) for x, y in zip(first, second, strict=True)),
            "uniformity": _mean([self._uniformity(first), self._uniformity(second)]),
            "anisotropy": self._across(h),
            "effective_rank": math.exp(-sum(p * math.log(p) for p in shares if p > 0)),
            "closeness": self._within(g) - self._across(g),
        }

    @staticmethod
    def _uniformity(vectors):
        pairs = [(i, j) for i in range(len(vectors)) for j in range(i)]
        return math.log(_mean(math.exp(-2 * _distance(vectors[i], vectors[j])) for i, j in pairs))

    @staticmethod
    def _across(sequences):
        return _mean(
            _cosine(one, other)
            for i, mine in enumerate(sequences)
            for j, theirs in enumerate(sequences)
            if i != j
            for one in mine
            for other in theirs
        )

    @staticmethod
    def _within(sequences):
        return _mean(
            _cosine(one, other)
            for seq in sequences
            for i, one in enumerate(seq)
            for j, other in enumerate(seq)
            if i != j
        )


@pytest.mark.parametrize("length", [8, 9])
def test_every_number_as_by_loops(length, tiny_encoder, tmp_path, monkeypatch):
    rows = _rows(5, length)
    # Several batches.
    monkeypatch.setattr("objbench.engine.evaluation.embed.EVALUATION_TOKENS", 2 * length)
    found = measured(tiny_encoder, rows, EvaluationContext(cache=tmp_path))
    expected = Oracle(tiny_encoder).numbers(rows.tolist())
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=5e-6, rel=5e-6), name


def test_extremes_by_hand():
    same, opposite = np.array([[1.0, 0], [1, 0]]), np.array([[1.0, 0], [-1, 0]])
    assert alignment(same, same) == 0 and alignment(same, opposite) == pytest.approx(2.0)
    assert uniformity(same) == 0 and uniformity(opposite) == pytest.approx(-8.0)
    assert effective_rank(np.eye(3)) == pytest.approx(3.0)
    assert effective_rank(np.diag([4.0, 0, 0])) == pytest.approx(1.0)
    # Singular values 2 and 1: p = 2/3, 1/3.
    expected = math.exp(-(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3)))
    assert effective_rank(np.diag([4.0, 1.0])) == pytest.approx(expected)


def test_pairs_within_and_across_by_hand():
    sums = PairSums()
    # Two sequences: (x, x, left out) and (y, -y): within (1 - 1) / 2 = 0, across 0.
    x, y = [1.0, 0.0], [0.0, 3.0]
    sums.add(np.array([[x, x, [9, 9]]]), np.array([[True, True, False]]))
    sums.add(np.array([[y, [0, -1.0], y]]), np.array([[True, True, False]]))
    assert sums.within == pytest.approx(0.0) and sums.across == pytest.approx(0.0)
    sums.add(np.array([[x, x, x]]), np.array([[True, False, False]]))
    # A sequence of one token has no pair within; with the first's two it has the cosine 1.
    assert sums.within == pytest.approx(0.0)
    assert sums.across == pytest.approx(2 / (2 * 2 + 2 * 1 + 2 * 1))


def test_halves_are_read_apart_after_cls():
    first, second = halves(np.array([[2, 5, 6, 7, 8, 9]]))
    assert first.tolist() == [[2, 5, 6]] and second.tolist() == [[2, 7, 8]]


def test_a_study_s_evaluation(tiny_encoder, tmp_path):
    asked = []

    def heldout(count):
        asked.append(count)
        return _rows(6)

    suite = _suite(sequences=50)
    context = EvaluationContext(cache=tmp_path, heldout=heldout)
    result = suite.evaluate(tiny_encoder, "text", 0, context)
    assert asked == [50]
    for column in suite.columns():
        assert math.isfinite(result.scores[column.name][column.metrics[0]])
        assert result.eval_examples[column.name] == 6
    assert result.unscored == {}


def test_nobody_is_ranked_and_every_point_is_measured():
    suite = _suite()
    assert suite.average().groups == () and suite.average().score({"anisotropy": 1.0}) is None
    assert suite.every_point and suite.seeds() == (0,) and suite.tasks() == ("text",)
    assert len(suite.protocol) <= 240
    assert _suite(sequences=3).fingerprint("text") != suite.fingerprint("text")


def test_what_does_not_fit(tiny_encoder, tmp_path):
    context = EvaluationContext(cache=tmp_path)
    with pytest.raises(ConfigError, match=r"representation\.sequences = 1: give at least 2"):
        _suite(sequences=1)
    for rows in (_rows(1), np.full((4, 4), 7)):
        with pytest.raises(DataError, match="needs at least 2 sequences of 5"):
            measured(tiny_encoder, rows, context)
    with pytest.raises(CheckpointError, match="not a folder"):
        measured(tmp_path / "absent", _rows(3), context)
