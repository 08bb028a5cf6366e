"""What the head of a fine-tuned encoder reads: a token, a mean, or both sentences compared."""

import numpy as np
import torch

from objbench.contract.suite import EvaluationContext
from objbench.engine.encoder.load import load_tokenizer
from objbench.engine.evaluation.batching import assemble
from objbench.engine.evaluation.classifier import load_classifier
from objbench.engine.evaluation.examples import Examples, Source, tokenise
from objbench.engine.evaluation.finetune import finetune
from objbench.engine.evaluation.recipe import Recipe

PAIRS = Examples(["good dog runs", "a cat"], ["bad cat", "the red house sees a bird"], np.zeros(2))
SINGLES = Examples(["good dog runs", "a"], None, np.zeros(2))


def batch_of(examples, encoder, length=24):
    return assemble(tokenise(examples, load_tokenizer(encoder), length), np.arange(2))


def compared(states, ids, types, pad):
    """[u, v, |u - v|, u * v] of one example, normalised, by loops in float64."""
    sums, counts = [np.zeros(states.shape[1]) for _ in range(2)], [0, 0]
    for state, token, kind in zip(states, ids, types, strict=True):
        if token != pad:
            sums[kind] += state
            counts[kind] += 1
    u, v = (total / count for total, count in zip(sums, counts, strict=True))
    read = np.concatenate([u, v, np.abs(u - v), u * v])
    return (read - read.mean()) / np.sqrt(read.var() + 1e-5)


def test_both_sentences_are_compared_by_their_means(tiny_encoder):
    model = load_classifier(tiny_encoder, 3, 0.0, seed=0, pooling="sides", is_pair=True).eval()
    batch = batch_of(PAIRS, tiny_encoder)
    assert batch.attention is not None and batch.types.unique().tolist() == [0, 1]
    states = model.encoder(
        batch.ids, attention_mask=batch.attention, token_type_ids=batch.types
    ).last_hidden_state
    pad = load_tokenizer(tiny_encoder).vocabulary().pad
    weights, bias = (p.detach().double().numpy() for p in model.dense.parameters())
    last, last_bias = (p.detach().double().numpy() for p in model.linear.parameters())
    for row, logits in enumerate(model(batch).detach().numpy()):
        own = states[row].detach().double().numpy()
        read = compared(own, batch.ids[row].tolist(), batch.types[row].tolist(), pad)
        np.testing.assert_allclose(
            logits, last @ np.tanh(weights @ read + bias) + last_bias, atol=1e-5
        )


def test_single_sentences_are_read_by_their_mean(tiny_encoder):
    sides = load_classifier(tiny_encoder, 2, 0.0, seed=0, pooling="sides").eval()
    mean = load_classifier(tiny_encoder, 2, 0.0, seed=0, pooling="mean").eval()
    batch = batch_of(SINGLES, tiny_encoder)
    assert torch.equal(sides(batch), mean(batch))


def test_a_sentence_that_was_cut_away_is_no_division_by_zero(tiny_encoder):
    model = load_classifier(tiny_encoder, 2, 0.0, seed=0, pooling="sides", is_pair=True).eval()
    batch = batch_of(SINGLES, tiny_encoder)  # no token of a second sentence
    assert torch.isfinite(model(batch)).all()


def accuracy(encoder, cache, pooling):
    """Of calling two words the same, for words that training never showed."""
    draw = np.random.default_rng(0)
    seen = np.array(["dog", "cat", "bird", "house", "red", "blue", "runs", "sees", "likes", "one"])
    unseen = np.array(["good", "bad", "fine", "poor", "two", "is", "not", "and"])

    def pairs(words, count):
        first, other = draw.choice(words, (2, count))
        second = np.where(draw.integers(2, size=count) == 1, first, other)
        examples = Examples([*first], [*second], (first == second).astype(np.int64))
        return Source(examples.fingerprint, lambda: examples)

    result = finetune(
        encoder,
        train=pairs(seen, 384),
        evaluation={"held": pairs(unseen, 200)},
        labels=2,
        recipe=Recipe(learning_rate=2e-3, batch=32, epochs=8, length=8, pooling=pooling),
        seed=0,
        context=EvaluationContext(cache=cache),
        is_pair=True,
    )
    return (result.predictions("held") == result.labels["held"]).mean()


def test_comparing_both_sides_carries_over_to_words_that_were_not_seen(tiny_encoder, tmp_path):
    found = {pooling: accuracy(tiny_encoder, tmp_path, pooling) for pooling in ("mean", "sides")}
    assert found["sides"] > 0.95 and found["mean"] < 0.65, found
