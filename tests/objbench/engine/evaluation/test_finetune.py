"""Fine-tuning: batches in parts, cache, determinism, the cut last layer, learning, and bad input."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import BertForSequenceClassification, LongformerConfig, LongformerModel

from objbench.contract.suite import EvaluationContext
from objbench.engine.encoder.load import load_tokenizer
from objbench.engine.evaluation import classifier
from objbench.engine.evaluation import finetune as finetuning
from objbench.engine.evaluation.batching import (
    ExampleBatch,
    assemble,
)
from objbench.engine.evaluation.classifier import Classifier, load_classifier
from objbench.engine.evaluation.examples import (
    Examples,
    Source,
    tokenise,
    tokenised,
)
from objbench.engine.evaluation.finetune import finetune
from objbench.engine.evaluation.recipe import Recipe
from objbench.errors import CheckpointError, DataError

RECIPE = Recipe(learning_rate=3e-3, batch=16, epochs=4, warmup_share=0.1, length=24)


def _sentences(count, seed):
    generator = np.random.default_rng(seed)
    fillers = np.array(
        ["the", "a", "dog", "cat", "bird", "house", "runs", "sees", "likes", "red", "blue"]
    )
    labels = generator.integers(2, size=count)
    words = [list(generator.choice(fillers, generator.integers(2, 9))) for _ in labels]
    for label, sentence in zip(labels, words, strict=True):
        sentence.insert(int(generator.integers(len(sentence))), ["bad", "good"][label])
    return Examples([" ".join(sentence) for sentence in words], None, labels)


def _source(examples):
    return Source(examples.fingerprint, lambda: examples)


def _run(encoder, cache, *, seed=0, recipe=RECIPE, labels=2, train=None, **context):
    train = train or _sentences(256, 1)
    return finetune(
        encoder,
        _source(train),
        {"held": _source(_sentences(64, 2))},
        labels,
        recipe,
        seed,
        EvaluationContext(cache=cache, **context),
    )


# -- batches in parts


@pytest.mark.parametrize("labels", [1, 2])
def test_a_batch_in_parts_has_the_gradient_of_the_batch(tiny_encoder, labels):
    examples = tokenise(_sentences(13, 4), load_tokenizer(tiny_encoder), 24)
    examples = replace(examples, labels=examples.labels.astype([np.float32, np.int64][labels - 1]))
    model = load_classifier(tiny_encoder, labels, 0.0, seed=0)
    gradients = []
    for parts in ([np.arange(13)], [np.array([4, 0, 9]), np.array([1]), np.r_[2:4, 5:9, 10:13]]):
        loss = model.loss([assemble(examples, part) for part in parts])
        gradients.append(
            (
                loss,
                *torch.autograd.grad(
                    loss, [*model.dense.parameters(), *model.encoder.embeddings.parameters()]
                ),
            )
        )
    for whole, parted in zip(*gradients, strict=True):
        torch.testing.assert_close(parted, whole, rtol=1e-5, atol=1e-7)


def test_training_computes_batches_in_parts(tiny_encoder, tmp_path, monkeypatch):
    sizes = []
    loss = Classifier.loss
    monkeypatch.setattr(
        Classifier, "loss", lambda self, parts: (sizes.append(len(parts)), loss(self, parts))[1]
    )
    monkeypatch.setattr(finetuning, "PART_COST", 16 * 32)
    _run(tiny_encoder, tmp_path)
    assert max(sizes) > 1


# -- recipe


def test_rates_by_hand():
    recipe = Recipe(learning_rate=1.0, batch=8, epochs=2, warmup_steps=4, length=8)
    assert recipe.steps(17) == 6
    assert [recipe.rate_at(s, 12) for s in (0, 1, 4, 8, 11)] == [0.0, 0.25, 1.0, 0.5, 0.125]
    shared = recipe.model_copy(update={"warmup_steps": 0, "warmup_share": 0.5})
    assert [shared.rate_at(s, 4) for s in range(4)] == [0.0, 0.5, 1.0, 0.5]
    with pytest.raises(ValueError, match="not both"):
        Recipe(learning_rate=1, batch=1, epochs=1, warmup_steps=1, warmup_share=0.1, length=8)


# -- tokens and their cache


def test_tokens_of_a_pair(tiny_encoder):
    pair = Examples(["good dog", "a"], ["bad cat runs", "the"], np.array([1, 0]))
    made = tokenise(pair, load_tokenizer(tiny_encoder), 7)
    assert made.lengths.tolist() == [7, 5]
    # [CLS] good dog [SEP] bad cat [SEP]: "runs" is cut, from the longer sentence.
    assert made.ids[:7].tolist() == [2, 5, 11, 3, 6, 12, 3]
    assert made.types[:7].tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_the_cache_is_shared_and_mended(tiny_encoder, make_encoder, tmp_path):
    examples, calls = _sentences(20, 0), []

    def load():
        calls.append(1)
        return examples

    source = Source(examples.fingerprint, load)
    other = load_tokenizer(make_encoder(seed=5))
    first = tokenised(source, load_tokenizer(tiny_encoder), 24, tmp_path)
    second = tokenised(source, other, 24, tmp_path)
    assert len(calls) == 1
    assert np.array_equal(first.ids, second.ids) and second.pad == 0
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert np.array_equal(tokenised(source, other, 24, tmp_path).ids, first.ids)
    assert len(calls) == 2
    tokenised(source, other, 12, tmp_path)
    assert len(calls) == 3 and len(list(tmp_path.iterdir())) == 2


def test_stored_examples_that_are_not_what_was_written_are_made_again(tiny_encoder, tmp_path):
    def cached(number, length=24):
        examples = _sentences(20, number)
        source = Source(examples.fingerprint, lambda: examples)
        return tokenised(source, load_tokenizer(tiny_encoder), length, tmp_path)

    first = cached(0)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    with np.load(file) as stored:
        arrays = dict(stored)
    for name in ("ids", "types", "labels", "offsets"):
        np.savez(file, **{**arrays, name: arrays[name][::-1]})
        assert np.array_equal(getattr(cached(0), name), getattr(first, name))
        assert file.read_bytes() == whole
    # The file of other examples under this name.
    cached(1)
    (other,) = (path for path in tmp_path.iterdir() if path != file)
    other.replace(file)
    assert np.array_equal(cached(0).ids, first.ids)
    assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_no_failure(tiny_encoder, tmp_path, caplog):
    examples = _sentences(20, 0)
    source = Source(examples.fingerprint, lambda: examples)
    (tmp_path / "file").write_text("in the way")
    tokenizer = load_tokenizer(tiny_encoder)
    made = tokenised(source, tokenizer, 24, tmp_path / "file")
    assert np.array_equal(made.ids, tokenised(source, tokenizer, 24, tmp_path / "cache").ids)
    assert "is not kept" in caplog.text


def test_fingerprint_sees_text_labels_and_columns():
    labels = np.array([0, 1])
    prints = {
        Examples(["a", "b"], None, labels).fingerprint,
        Examples(["a", "c"], None, labels).fingerprint,
        Examples(["a", "b"], None, labels[::-1]).fingerprint,
        Examples(["a", "b"], ["", ""], labels).fingerprint,
        Examples(["a", "b"], None, labels.astype(np.float32)).fingerprint,
    }
    assert len(prints) == 5


# -- training


def test_it_learns_and_is_deterministic(tiny_encoder, tmp_path):
    before = torch.random.get_rng_state()
    first = _run(tiny_encoder, tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)
    accuracy = (first.predictions("held") == first.labels["held"]).mean()
    assert accuracy >= 0.95
    assert (first.train_examples, first.steps, first.length) == (256, 64, 24)
    torch.manual_seed(99)
    again = _run(tiny_encoder, tmp_path)
    assert np.array_equal(first.logits["held"], again.logits["held"])
    other = _run(tiny_encoder, tmp_path, seed=1)
    assert not np.array_equal(first.logits["held"], other.logits["held"])


def test_dropout_is_seeded_too(tiny_encoder, tmp_path):
    recipe = RECIPE.model_copy(update={"dropout": 0.3, "epochs": 1})
    runs = [_run(tiny_encoder, tmp_path, recipe=recipe).logits["held"] for _ in range(2)]
    assert np.array_equal(*runs)
    plain = _run(tiny_encoder, tmp_path, recipe=RECIPE.model_copy(update={"epochs": 1}))
    assert not np.array_equal(runs[0], plain.logits["held"])


def test_the_head_is_the_same_for_every_encoder(tiny_encoder, make_encoder):
    one = load_classifier(tiny_encoder, 3, None, seed=4)
    other = load_classifier(make_encoder(seed=5, num_hidden_layers=1), 3, None, seed=4)
    assert torch.equal(one.linear.weight, other.linear.weight)
    assert torch.equal(one.dense.weight, other.dense.weight)
    assert not torch.equal(
        one.dense.weight, load_classifier(tiny_encoder, 3, None, seed=5).dense.weight
    )


def test_logits_are_those_of_berts_own_classifier(tiny_encoder):
    """The cut after the last attention and the missing pooler change no number."""
    mine = load_classifier(tiny_encoder, 3, None, seed=0).eval()
    theirs = BertForSequenceClassification.from_pretrained(tiny_encoder, num_labels=3).eval()
    theirs.bert.pooler.dense.load_state_dict(mine.dense.state_dict())
    theirs.classifier.load_state_dict(mine.linear.state_dict())
    examples = Examples(["good dog runs", "a"], ["bad cat", "the"], np.array([1, 0]))
    batch = assemble(tokenise(examples, load_tokenizer(tiny_encoder), 24), np.arange(2))
    output = theirs(batch.ids, attention_mask=batch.attention, token_type_ids=batch.types)
    torch.testing.assert_close(mine(batch), output.logits)
    torch.testing.assert_close(
        mine.loss([batch]), torch.nn.functional.cross_entropy(output.logits, batch.labels)
    )


def test_a_regression(tiny_encoder, tmp_path):
    words = _sentences(256, 1)
    train = Examples(words.first, None, words.labels.astype(np.float32) * 4)
    result = _run(tiny_encoder, tmp_path, labels=1, train=train)
    values = result.predictions("held")
    assert values.shape == (64,) and values.dtype == np.float32
    assert np.corrcoef(values, result.labels["held"])[0, 1] > 0.9


def test_fewer_training_examples(tiny_encoder, tmp_path):
    result = _run(tiny_encoder, tmp_path, max_train_samples=40)
    assert (result.train_examples, result.steps) == (40, 12)


def test_progress_and_bf16(tiny_encoder, tmp_path):
    seen = []
    result = _run(
        tiny_encoder, tmp_path, precision="bf16", progress=lambda *what: seen.append(what)
    )
    assert seen[-1][:2] == (64, 64) and seen[-1][2].startswith("loss ")
    assert result.logits["held"].dtype == np.float32
    assert (result.predictions("held") == result.labels["held"]).mean() >= 0.9


# -- bad input


def test_a_loss_that_is_not_finite(tiny_encoder, tmp_path):
    recipe = RECIPE.model_copy(update={"learning_rate": 1e30, "clip": 0.0})
    with pytest.raises(FloatingPointError, match=r"not finite .* lower the learning rate"):
        _run(tiny_encoder, tmp_path, recipe=recipe)


def test_no_encoder(tmp_path):
    with pytest.raises(CheckpointError, match="not a folder"):
        load_tokenizer(tmp_path / "absent")
    with pytest.raises(CheckpointError, match="holds no encoder") as found:
        load_classifier(tmp_path, 2, None, 0)
    assert "\n" not in str(found.value)


def test_a_tokenizer_larger_than_the_encoder(make_encoder, tmp_path):
    folder = make_encoder(vocab_size=10)
    with pytest.raises(DataError, match="do not match"):
        _run(folder, tmp_path)


def test_length_is_the_encoders_where_that_is_less(make_encoder, tmp_path):
    folder = make_encoder(max_position_embeddings=8)
    assert _run(folder, tmp_path).length == 8


def test_damaged_weights(tiny_encoder, tmp_path):
    broken = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, broken)
    (broken / "model.safetensors").write_bytes(b"short")
    with pytest.raises(CheckpointError, match="holds no encoder"):
        _run(broken, tmp_path / "cache")


def test_mean_pooling_reads_every_real_token_and_no_padding(tiny_encoder):
    model = load_classifier(tiny_encoder, 2, None, seed=0, pooling="mean").eval()
    ids = torch.tensor([[2, 5, 6, 3]])
    padded = torch.tensor([[2, 5, 6, 3, 0, 0]])
    real = torch.tensor([[1, 1, 1, 1, 0, 0]])
    labels = torch.tensor([0])
    plain = model(ExampleBatch(ids, torch.zeros_like(ids), None, labels))
    with_padding = model(ExampleBatch(padded, torch.zeros_like(padded), real, labels))
    torch.testing.assert_close(plain, with_padding, rtol=1e-5, atol=1e-6)
    states = model.encoder(input_ids=ids).last_hidden_state
    pooled = torch.tanh(model.dense(states.mean(dim=1)))
    torch.testing.assert_close(plain, model.linear(pooled), rtol=1e-5, atol=1e-6)


def test_an_encoder_that_cuts_its_padding_afterwards_is_left_whole():
    config = LongformerConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=40,
        attention_window=[4, 4],
    )
    encoder = LongformerModel(config).eval()
    ids = torch.arange(5, 16)[None]
    with torch.no_grad():
        before = encoder(input_ids=ids)[0]
        classifier._stop_at_first_token(encoder)
        assert torch.equal(encoder(input_ids=ids)[0], before)
