"""Embedding: against plain loops in float64, without dropout, in every batch and precision."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertModel

from objbench.contract.suite import EvaluationContext
from objbench.engine.encoder.load import load_tokenizer
from objbench.engine.evaluation.batching import evaluation_batches
from objbench.engine.evaluation.embed import embed
from objbench.engine.evaluation.examples import Examples, Source
from objbench.engine.evaluation.finetune import EVALUATION_TOKENS
from objbench.errors import CheckpointError, DataError

WORDS = np.array(["good", "bad", "the", "a", "dog", "cat", "runs", "sees", "red", "and"])


def _sentences(count, most=14, seed=0):
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(WORDS, generator.integers(1, most))) for _ in range(count)]


def _source(first, second=None):
    examples = Examples(first, second, np.arange(len(first)))
    return Source(examples.fingerprint, lambda: examples)


def _embed(encoder, cache, first, second=None, length=24, **context):
    made = EvaluationContext(cache=cache, **context)
    return embed(encoder, {"some": _source(first, second)}, length, made)["some"]


def _by_loops(encoder, first, second=None):
    """[(mean, first state)] of one example after the other, unpadded, in float64."""
    model = BertModel.from_pretrained(encoder, add_pooling_layer=False).double().eval()
    tokenizer = load_tokenizer(encoder).hf
    found = []
    for row, sentence in enumerate(first):
        pair = () if second is None else (second[row],)
        tokens = tokenizer(sentence, *pair, return_token_type_ids=True, return_tensors="pt")
        with torch.no_grad():
            states = (
                model(input_ids=tokens["input_ids"], token_type_ids=tokens["token_type_ids"])
                .last_hidden_state[0]
                .tolist()
            )
        mean = [sum(column) / len(states) for column in zip(*states, strict=True)]
        found.append((mean, states[0]))
    return found


@pytest.mark.parametrize("is_pair", [False, True])
def test_padded_batches_give_what_plain_loops_give(is_pair, tiny_encoder, tmp_path):
    first = _sentences(40)
    second = _sentences(40, most=6, seed=1) if is_pair else None
    found = _embed(tiny_encoder, tmp_path, first, second)
    expected = _by_loops(tiny_encoder, first, second)
    np.testing.assert_allclose(found.mean, [mean for mean, _ in expected], rtol=0, atol=2e-6)
    np.testing.assert_allclose(found.first, [one for _, one in expected], rtol=0, atol=5e-6)
    assert found.labels.tolist() == list(range(40))
    assert found.mean.dtype == found.first.dtype == np.float32


def test_many_batches_keep_the_order(tiny_encoder, tmp_path):
    first = _sentences(1500, most=24)
    lengths = np.array([len(sentence.split()) + 2 for sentence in first])
    assert len(evaluation_batches(lengths, EVALUATION_TOKENS)) > 2
    found = _embed(tiny_encoder, tmp_path, first, length=30)
    rows = np.random.default_rng(0).permutation(1500)
    other = _embed(tiny_encoder, tmp_path, [first[row] for row in rows], length=30)
    np.testing.assert_allclose(other.mean, found.mean[rows], rtol=0, atol=2e-6)
    np.testing.assert_allclose(other.first, found.first[rows], rtol=0, atol=5e-6)


def test_there_is_no_dropout_and_no_draw(make_encoder, tmp_path):
    plain = make_encoder()
    dropped = make_encoder(hidden_dropout_prob=0.5, attention_probs_dropout_prob=0.5)
    before = torch.random.get_rng_state()
    one, other = (_embed(folder, tmp_path, _sentences(5)) for folder in (plain, dropped))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(one.mean, other.mean) and np.array_equal(one.first, other.first)


def test_long_sentences_are_cut(make_encoder, tmp_path):
    folder = make_encoder(max_position_embeddings=8)
    long, cut = ["good dog runs and sees the red cat"], ["good dog runs and sees the"]
    by_option = _embed(folder, tmp_path, long, length=6)
    assert by_option.length == 6
    by_encoder = _embed(folder, tmp_path, long, length=64)
    assert by_encoder.length == 8
    np.testing.assert_array_equal(by_encoder.mean, _embed(folder, tmp_path, cut).mean)
    assert not np.allclose(by_encoder.mean, by_option.mean, atol=1e-3)


def test_several_sources_and_their_progress(tiny_encoder, tmp_path):
    seen = []
    context = EvaluationContext(cache=tmp_path, progress=lambda *what: seen.append(what))
    sources = {"a": _source(_sentences(3)), "b": _source(_sentences(4, seed=1))}
    found = embed(tiny_encoder, sources, 24, context)
    assert [len(part.mean) for part in found.values()] == [3, 4] and list(found) == ["a", "b"]
    assert [what[:2] for what in seen] == [(3, 7), (7, 7)]


def test_half_precision_is_near(tiny_encoder, tmp_path):
    first = _sentences(20)
    whole, half = (_embed(tiny_encoder, tmp_path, first, precision=p) for p in ("fp32", "bf16"))
    assert half.mean.dtype == np.float32
    assert 0 < np.abs(half.mean - whole.mean).max() < 0.05


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_says_what_a_cpu_says(tiny_encoder, tmp_path):
    first = _sentences(200)
    one, other = (_embed(tiny_encoder, tmp_path, first, device=d) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(other.mean, one.mean, rtol=0, atol=1e-3)
    np.testing.assert_allclose(other.first, one.first, rtol=0, atol=1e-3)


def test_states_that_are_not_finite(tiny_encoder, tmp_path):
    broken = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, broken)
    weights = load_file(broken / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][:] = float("inf")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(FloatingPointError, match="states of some are not finite"):
        _embed(broken, tmp_path, ["good"])


def test_no_encoder_or_another_tokenizer(make_encoder, tmp_path):
    with pytest.raises(CheckpointError, match="not a folder"):
        _embed(tmp_path / "absent", tmp_path, ["good"])
    with pytest.raises(DataError, match="do not match"):
        _embed(make_encoder(vocab_size=10), tmp_path, ["good"])
