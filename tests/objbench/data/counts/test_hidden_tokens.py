"""What is visible of hidden tokens, and what a token that is not [MASK] tells of itself."""

import numpy as np
import pytest
import torch

from objbench.blocks.masking import mask_tokens
from objbench.contract.batch import Batch, Rows
from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.random_streams import Streams
from objbench.data.counts.hidden_tokens import NOTHING, masked_tokens, next_tokens

CLS, SEP, MASK, V = 2, 3, 4, 12
SPECIAL = np.arange(V) < 5
WORDS = Vocabulary(
    size=V, pad=0, cls=CLS, sep=SEP, mask=MASK, special=(0, 1, 2, 3, 4), tokens=("",) * V
)


def masked(rows, seed=0):
    ids = torch.from_numpy(rows)
    batch = Batch(ids, torch.from_numpy(SPECIAL[rows]), None, Rows.alone(len(rows)))
    made = mask_tokens(batch, WORDS, Streams(seed, rows=len(rows)))
    return masked_tokens(rows, made.input_ids.numpy(), made.predicted.numpy(), MASK)


def by_hand():
    original = np.array([[CLS, 5, 6, SEP, 7], [CLS, 8, 9, 10, 11]])
    read = np.array([[CLS, MASK, 6, SEP, MASK], [CLS, 8, MASK, 5, 11]])
    predicted = np.array([[0, 1, 0, 0, 1], [0, 1, 1, 1, 0]], dtype=bool)
    return masked_tokens(original, read, predicted, MASK)


def bags(hidden):
    owners, tokens = hidden.others()
    return [sorted(tokens[owners == each].tolist()) for each in range(len(hidden))]


def test_masked_tokens_by_hand():
    hidden = by_hand()
    assert hidden.words.tolist() == [5, 7, 8, 9, 10]
    assert hidden.seen.tolist() == [NOTHING, NOTHING, 8, NOTHING, 5]
    assert hidden.left.tolist() == [CLS, SEP, CLS, 8, NOTHING]
    assert hidden.right.tolist() == [6, NOTHING, NOTHING, 5, 11]
    first, second = [CLS, SEP, 6], [CLS, 8, 5, 11]
    without_own = [[CLS, 5, 11], second, [CLS, 8, 11]]
    assert bags(hidden) == [sorted(bag) for bag in [first, first, *without_own]]


def test_next_tokens_by_hand():
    hidden = next_tokens(np.array([[CLS, 5, SEP, 7], [CLS, 8, 9, 10]]), SPECIAL)
    assert hidden.words.tolist() == [5, 7, 8, 9, 10]
    assert hidden.left.tolist() == [CLS, SEP, CLS, 8, 9]
    assert {*hidden.seen.tolist(), *hidden.right.tolist()} == {NOTHING}
    assert bags(hidden) == [[CLS], [CLS, SEP, 5], [CLS], [CLS, 8], [CLS, 8, 9]]


def test_fewer_are_evenly_spread():
    assert by_hand().at_most(2).words.tolist() == [5, 8]
    assert by_hand().at_most(9).words.tolist() == [5, 7, 8, 9, 10]


def test_losses_are_those_of_the_posterior_over_all_tokens():
    draw = np.random.default_rng(0)
    hidden = masked(np.concatenate([[[CLS]] * 400, draw.integers(5, V, (400, 15))], axis=1))
    q = np.where(SPECIAL, 0.0, draw.dirichlet(np.ones(V)))
    q /= q.sum()
    losses = hidden.losses(lambda words: q[words], V)
    seen = np.where(hidden.seen == NOTHING, MASK, hidden.seen)
    for word, x, loss in zip(hidden.words, seen, losses, strict=True):
        joint = [
            q[w] * (0.8 * (x == MASK) + 0.1 * (x == w) + 0.1 * sum(x == r for r in range(V)) / V)
            for w in range(V)
        ]
        assert loss == pytest.approx(-np.log(joint[word] / sum(joint)), rel=1e-12)
    assert {"masked", "kept", "other"} == {
        "masked" if x == MASK else "kept" if x == w else "other"
        for w, x in zip(hidden.words, seen, strict=True)
    }


def test_the_true_frequencies_lose_the_conditional_entropy_under_the_masks_that_encoders_get():
    draw = np.random.default_rng(1)
    q = np.where(SPECIAL, 0.0, draw.dirichlet(np.ones(V)))
    q /= q.sum()
    rows = np.concatenate([[[CLS]] * 20_000, draw.choice(V, (20_000, 31), p=q)], axis=1)
    losses = masked(rows).losses(lambda words: q[words], V)
    entropy = 0.0
    for x in range(V):
        joint = [q[w] * (0.8 * (x == MASK) + 0.1 * (x == w) + 0.1 / V) for w in range(V)]
        entropy -= sum(p * np.log(p / sum(joint)) for p in joint if p)
    assert losses.mean() == pytest.approx(entropy, abs=4 * losses.std() / len(losses) ** 0.5)
    assert entropy < -sum(p * np.log(p) for p in q if p)


def test_what_is_read_from_left_to_right_loses_the_models_own_probability():
    hidden = next_tokens(np.array([[CLS, 5, 6]]), SPECIAL)
    q = np.arange(V) / np.arange(V).sum()
    np.testing.assert_allclose(hidden.losses(lambda words: q[words], V), -np.log(q[[5, 6]]))
