"""Fine-tuning beside ``transformers.Trainer`` that pads to 128 tokens, as run_glue.py does.

Run with ``pytest --benchmark-only tests/benchmarks/test_finetune_throughput.py``; needs the GLUE
files of ``../shared/data/glue``. The encoder is BERT-Mini (4 layers, 256 wide) with random
weights; both sides have the same weights, examples, batch, epochs, precision, schedule, clipping
and fused AdamW, and one thread. Trainer has its batches as tensors in memory, and 64 examples per
evaluation batch instead of 8; the time of ours includes reading the encoder and the tokenised
examples. Training and prediction are timed, alternating for each seed; the ratio is the median over
the seeds.

Both shuffle all examples for every epoch, from different random numbers, and the two differ in the
initial head, so their scores agree up to noise: the 95% t-interval of the difference over the seeds
contains 0. On MRPC and CoLA an encoder without pretraining learns little that generalises, and two
that learn nothing agree; so the note also reports the accuracy on training examples.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, matthews_corrcoef
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    Trainer,
    TrainingArguments,
    default_data_collator,
    set_seed,
)

from objbench.contract.suite import EvaluationContext
from objbench.data import load_tokenizer, open_corpus
from objbench.engine.encoder import load as exported_encoder
from objbench.engine.evaluation.batching import subset_rows
from objbench.engine.evaluation.examples import Examples, Source
from objbench.engine.evaluation.finetune import finetune
from objbench.engine.evaluation.recipe import Recipe
from objbench.judge.statistics.estimate import t_interval
from objbench_suites.glue_data import Folder
from objbench_suites.glue_tasks import GLUE_TASKS

GLUE = Path(__file__).parents[3] / "shared" / "data" / "glue"
SCORES = {"sst2": accuracy_score, "mrpc": accuracy_score, "cola": matthews_corrcoef}
SEEDS, TRAIN, SEEN, LEAST, LENGTH, PRECISION = (0, 1, 2), 2048, 256, 2.5, 128, "bf16"
# CoLA is learned later: after three epochs both sides still answer the same to all of it.
EPOCHS = {"sst2": 3, "mrpc": 3, "cola": 5}
RECIPE = Recipe(
    learning_rate=2e-4, batch=32, epochs=1, warmup_share=0.1, length=LENGTH, weight_decay=0.01
)
WORDS = ("good", "bad", "the", "a", "dog", "cat", "runs", "sees", "red", "and")

pytestmark = pytest.mark.benchmark(group="fine-tuning")


@dataclass
class Data:
    """A task's examples."""

    train: Examples
    held: Examples

    @property
    def seen(self):
        """Some of the training examples."""
        return self.train.take(np.arange(min(SEEN, len(self.train))))


@pytest.fixture(scope="module")
def data(measures):
    """Task -> its examples: GLUE's, or a few made-up ones where nothing is measured."""
    if not measures:
        return dict.fromkeys(SCORES, Data(made_up(48, 0), made_up(16, 1)))
    if not GLUE.is_dir():
        pytest.skip(f"{GLUE} is not there")
    place = Folder(GLUE)
    found = {}
    for name in SCORES:
        train, held = (place.read(GLUE_TASKS[name], split) for split in ("train", "validation"))
        found[name] = Data(train.take(subset_rows(len(train), TRAIN)), held)
    return found


def made_up(count, seed):
    generator = np.random.default_rng(seed)
    words = [generator.choice(WORDS, size) for size in generator.integers(2, 9, count)]
    return Examples([" ".join(w) for w in words], None, generator.integers(2, size=count))


@pytest.fixture(scope="module")
def encoder(measures, data, tmp_path_factory):
    """The folder of an untrained BERT-Mini that knows the words of all tasks."""
    folder = tmp_path_factory.mktemp("encoder")
    columns = [c for d in data.values() for c in (d.train.first, d.train.second or ())]
    text = folder / "words.txt"
    text.write_text("\n\n".join(sentence for column in columns for sentence in column))
    tokenizer = load_tokenizer("train:8192", open_corpus(str(text)), folder).hf
    layers, width = (4, 256) if measures else (2, 32)
    config = BertConfig(
        vocab_size=len(tokenizer),
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=4,
        intermediate_size=4 * width,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config, add_pooling_layer=False).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    return folder / "bert"


def padded(examples, tokenizer):
    """run_glue.py's examples, each padded to 128 tokens, as tensors."""
    second = None if examples.second is None else list(examples.second)
    encoded = tokenizer(
        list(examples.first),
        second,
        padding="max_length",
        truncation=True,
        max_length=LENGTH,
        return_tensors="pt",
    )
    labels = torch.from_numpy(examples.labels)
    return [
        {name: column[row] for name, column in encoded.items()} | {"labels": labels[row]}
        for row in range(len(examples))
    ]


def trained_by_peer(encoder, recipe, train, held, seen, seed, folder, seconds):
    """Seconds by the clock ``seconds``, and (N, C) logits of the held and of the seen examples."""
    set_seed(seed)
    model = BertForSequenceClassification.from_pretrained(encoder, num_labels=2)
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=recipe.batch,
        per_device_eval_batch_size=64,
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        warmup_steps=recipe.warmup_share,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.clip,
        optim="adamw_torch_fused",
        bf16=PRECISION == "bf16",
        use_cpu=True,
        seed=seed,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    trainer = Trainer(model, arguments, default_data_collator, train_dataset=train)
    started = seconds()
    trainer.train()
    logits = [trainer.predict(part).predictions for part in (held, seen)]
    return seconds() - started, *logits


def trained_by_us(encoder, recipe, train, held, seen, seed, cache, seconds):
    """The same."""
    exported_encoder._kept.clear()
    context = EvaluationContext(cache=cache, precision=PRECISION)
    started = seconds()
    parts = {"held": held, "seen": seen}
    result = finetune(encoder, train, parts, 2, recipe, seed, context)
    return seconds() - started, result.logits["held"], result.logits["seen"]


def differing(score, labels, pairs, which):
    """Both sides' mean score, ours first, and the mean and half of the difference's interval."""
    scores = np.array([[score(labels, side[which].argmax(1)) for side in pair] for pair in pairs])
    return (*scores.mean(axis=0)[::-1], *t_interval(scores[:, 1] - scores[:, 0]))


@pytest.mark.parametrize("task", SCORES)
def test_finetuning(task, benchmark, measures, seconds, data, encoder, tmp_path):
    parts = data[task].train, data[task].held, data[task].seen
    train, held, seen = parts
    tokenizer = exported_encoder.load_tokenizer(encoder).hf
    dense = [padded(examples, tokenizer) for examples in parts]
    ragged = [Source(examples.fingerprint, lambda e=examples: e) for examples in parts]

    recipe = RECIPE.model_copy(update={"epochs": EPOCHS[task]})

    def ours(seed):
        return trained_by_us(encoder, recipe, *ragged, seed, tmp_path / "cache", seconds)

    def peer(seed):
        return trained_by_peer(encoder, recipe, *dense, seed, tmp_path / "trainer", seconds)

    ours(0)  # tokenises, as ``padded`` did
    seeds = SEEDS if measures else SEEDS[:1]
    pairs = [(peer(seed), ours(seed)) for seed in seeds]
    if measures:
        ratio = median(theirs[0] / mine[0] for theirs, mine in pairs)
        score = SCORES[task]
        mine, theirs, mean, half = differing(score, held.labels, pairs, 1)
        own, other, gap, doubt = differing(accuracy_score, seen.labels, pairs, 2)
        benchmark.extra_info |= {
            "row": "GLUE fine-tuning",
            "at": f"{task}, {len(train):,} examples, {recipe.epochs} epochs, BERT-Mini, {PRECISION}, 1 thread",
            "floor": f">= {LEAST}x Trainer padding to {LENGTH}, same score",
            "ratio": round(ratio, 2),
            "meets": bool(ratio >= LEAST and abs(mean) <= half),
            "note": f"{median(pair[1][0] for pair in pairs):.1f} s; over {len(seeds)} seeds "
            f"{score.__name__} {mine:.3f} against {theirs:.3f}, difference {mean:+.3f} ± "
            f"{half:.3f}; accuracy on {len(seen)} training examples {own:.3f} against "
            f"{other:.3f}, difference {gap:+.3f} ± {doubt:.3f}",
        }
    benchmark.pedantic(ours, args=(0,), rounds=1)
    for theirs, mine in pairs:
        assert theirs[1].shape == mine[1].shape == (len(held), 2)
        assert np.isfinite(theirs[1]).all()
