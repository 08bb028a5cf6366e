"""The toy tasks: fixed, balanced, disjoint, and out of reach of a bag of words."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from objbench.data.toy.language import NOUNS, VERBS, lexicon
from objbench.data.toy.tasks import TOY_TASKS, Split, ToyExamples, toy_task
from objbench.errors import UnknownNameError

EXAMPLES = {
    "acceptability": "b8cae42d4a3c191e",
    "polarity": "8333db309a062638",
    "paraphrase": "36e57ad91020d955",
    "similarity": "d2484aa87b14e36f",
    "entailment": "9d4d74a634fc5f2f",
}
PAIRS = ("paraphrase", "similarity", "entailment")
COLUMN = {word: column for column, word in enumerate(lexicon().words())}


def pairs(examples: ToyExamples) -> list[tuple[str, str]]:
    second = examples.sentence2 or [""] * len(examples.sentence1)
    return list(zip(examples.sentence1, second, strict=True))


def digest(name: str) -> str:
    text = hashlib.sha256()
    for split in ("train", "validation"):
        examples = toy_task(name, split)
        lines = zip(pairs(examples), examples.labels.round(3).tolist(), strict=True)
        text.update("\n".join(f"{a}|{b}|{label}" for (a, b), label in lines).encode())
    return text.hexdigest()[:16]


def test_examples_are_fixed() -> None:
    assert {name: digest(name) for name in TOY_TASKS} == EXAMPLES


def test_seeds_differ() -> None:
    assert pairs(toy_task("paraphrase", "train", seed=1)) != pairs(toy_task("paraphrase", "train"))


@pytest.mark.parametrize("name", TOY_TASKS)
def test_no_example_is_there_twice(name: str) -> None:
    train, validation = (pairs(toy_task(name, split)) for split in ("train", "validation"))
    assert (len(train), len(validation)) == (2000, 500)
    assert len({*train, *validation}) == 2500


@pytest.mark.parametrize("name", TOY_TASKS)
def test_only_words_of_the_language(name: str) -> None:
    for split in ("train", "validation"):
        for first, second in pairs(toy_task(name, split)):
            assert {*first.split(), *second.split()} <= COLUMN.keys()


@pytest.mark.parametrize(
    ("name", "classes"),
    [("acceptability", 2), ("polarity", 2), ("paraphrase", 2), ("entailment", 3)],
)
@pytest.mark.parametrize("split", ["train", "validation"])
def test_classes_are_balanced(name: str, classes: int, split: Split) -> None:
    labels = toy_task(name, split).labels
    assert labels.dtype == np.int64
    counts = np.bincount(labels.astype(np.int64))
    assert len(counts) == classes
    assert counts.max() - counts.min() <= 1


def test_scores_are_graded_evenly() -> None:
    labels = toy_task("similarity", "validation").labels
    assert labels.dtype == np.float32
    scores, counts = np.unique(labels, return_counts=True)
    assert (scores.tolist(), counts.tolist()) == ([0, 2, 3, 4, 5], [100] * 5)


@pytest.mark.parametrize("name", PAIRS)
def test_no_sentence_of_a_pair_mixes_topics(name: str) -> None:
    # A mixture only under some labels would give sentence 2 away on its own.
    topic = {
        word: concept // per_topic
        for table, per_topic in ((lexicon().nouns, NOUNS), (lexicon().verbs, VERBS))
        for concept, synonyms in enumerate(table)
        for forms in synonyms
        for word in forms
    }
    for sentence in (sentence for pair in pairs(toy_task(name, "train")) for sentence in pair):
        assert len({topic[word] for word in sentence.split() if word in topic}) == 1


@pytest.mark.parametrize("name", TOY_TASKS)
def test_validation_has_words_that_training_has_not(name: str) -> None:
    def words(split: Split) -> set[str]:
        return {word for pair in pairs(toy_task(name, split)) for word in " ".join(pair).split()}

    assert len(words("validation") - words("train")) > 30


@pytest.mark.parametrize("name", TOY_TASKS)
def test_length_says_nothing(name: str) -> None:
    examples = toy_task(name, "train")
    lengths = [len(f"{first} {second}".split()) for first, second in pairs(examples)]
    for label in np.unique(examples.labels):
        mean = np.mean(np.array(lengths)[examples.labels == label])
        assert abs(mean - np.mean(lengths)) < 0.35


def bags(sentences: list[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    counts = np.zeros((len(sentences), len(COLUMN)))
    for row, sentence in enumerate(sentences):
        for word in sentence.split():
            counts[row, COLUMN[word]] += 1
    return counts


def features(examples: ToyExamples) -> Any:
    """Both bags, what differs and what is shared; sparse, for the fits' speed."""
    sparse = pytest.importorskip("scipy.sparse")
    first, second = bags(examples.sentence1), bags(examples.sentence2 or [])
    return sparse.csr_matrix(np.hstack([first, second, np.abs(first - second), first * second]))


@pytest.mark.parametrize("name", PAIRS)
def test_a_bag_of_words_is_near_chance_on_pairs(name: str) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    train, validation = toy_task(name, "train"), toy_task(name, "validation")
    if name == "similarity":
        fitted = linear.Ridge(alpha=10.0).fit(features(train), train.labels)
        guess = fitted.predict(features(validation))
        assert abs(np.corrcoef(guess, validation.labels)[0, 1]) < 0.2
    else:
        fitted = linear.LogisticRegression(C=0.3, max_iter=300)
        fitted.fit(features(train), train.labels)
        accuracy = np.mean(fitted.predict(features(validation)) == validation.labels)
        chance = 1 / len(np.unique(train.labels))
        assert accuracy < chance + 0.1


def test_turned_round_pairs_have_the_same_words() -> None:
    # A pair whose second sentence only turns the roles round is a bag that a paraphrase has too.
    examples = toy_task("paraphrase", "train")
    seen: dict[frozenset[str], set[int]] = {}
    for pair, label in zip(pairs(examples), examples.labels.tolist(), strict=True):
        seen.setdefault(frozenset(" ".join(pair).split()), set()).add(int(label))
    assert sum(labels == {0, 1} for labels in seen.values()) > 10


def test_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'polarity'"):
        toy_task("polarty", "train")
