"""What suites give without an encoder, against numbers worked out by hand."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from objbench.contract.options import configure
from objbench.contract.suite import EvaluationContext
from objbench.engine.encoder.load import load_tokenizer
from objbench.engine.evaluation.batching import subset_rows
from objbench.engine.evaluation.examples import Examples, Source, tokenise
from objbench.engine.evaluation.splits import hold_out
from objbench.errors import DataError, UnknownNameError
from objbench_suites.blimp import BlimpSuite
from objbench_suites.glue import GlueSuite
from objbench_suites.glue_tasks import GLUE_TASKS
from objbench_suites.pair_scores import frequency_points
from objbench_suites.probe import ProbeSuite
from objbench_suites.task_floors import STRENGTHS, features, pieces
from objbench_suites.toy import ToySuite

WORDS = ("the", "a", "dog", "cat", "bird", "house", "runs", "sees", "likes", "red", "blue", "one")


@pytest.fixture
def write_task(tmp_path):
    """(task, split=(sentences, labels)) -> GLUE's folder with that task; pairs where it has pairs."""

    def write(name, **splits):
        task = GLUE_TASKS[name]
        folder = tmp_path / "glue" / name
        folder.mkdir(parents=True, exist_ok=True)
        for split, (sentences, labels) in splits.items():
            columns = {task.first: sentences}
            if task.second is not None:
                names = (task.first, task.second)
                columns = dict(zip(names, zip(*sentences, strict=True), strict=True))
            columns = {key: list(column) for key, column in columns.items()}
            rows = pa.table({**columns, "label": labels, "idx": range(len(labels))})
            pa.parquet.write_table(rows, folder / f"{split}.parquet")
        return tmp_path / "glue"

    return write


@pytest.fixture
def floor(tiny_encoder, tmp_path):
    """(floor, task, folder, suite class, context's and suite's options) -> the result."""

    def score(name, task, folder, kind=GlueSuite, context=None, **options):
        suite = kind(configure(kind, {"dir": str(folder), **options}))
        limits = EvaluationContext(cache=tmp_path / "cache", **(context or {}))
        return suite.evaluate_floor(name, tiny_encoder, task, suite.seeds()[0], limits)

    return score


def _many(count, seed=0, words=5):
    generator = np.random.default_rng(seed)
    return [list(generator.choice(WORDS, words, replace=False)) for _ in range(count)]


# -- the most frequent answer


@pytest.mark.parametrize(
    ("task", "train", "scored", "expected", "answer"),
    [
        ("cola", [1, 1, 0], [1, 0, 0, 1, 1], {"matthews_correlation": 0.0}, 1),
        ("sst2", [1, 0, 0], [1, 0, 0, 1, 1], {"accuracy": 0.4}, 0),
        # Two of three are predicted, and all of class 1 are found: 2 * 2/3 * 1 / (2/3 + 1).
        ("mrpc", [1, 1, 0], [1, 0, 1], {"accuracy": 2 / 3, "f1": 0.8}, 1),
        ("mrpc", [0, 1, 0], [1, 0, 1], {"accuracy": 1 / 3, "f1": 0.0}, 0),
        ("stsb", [1.0, 2.0, 4.5], [0.0, 5.0], {"pearson": 0.0, "spearmanr": 0.0}, 2.5),
        # Of equally frequent classes the smallest.
        ("rte", [1, 0, 0, 1], [0, 0, 0, 1], {"accuracy": 0.75}, 0),
    ],
)
def test_the_most_frequent_answer_by_hand(task, train, scored, expected, answer, write_task, floor):
    pair = GLUE_TASKS[task].second is not None

    def split(labels):
        return [("the dog", "a cat") if pair else "the dog"] * len(labels), labels

    folder = write_task(task, train=split(train), validation=split(scored))
    result = floor("majority", task, folder)
    assert result.scores == {task: pytest.approx(expected)}
    assert result.train_examples == len(train)
    assert result.eval_examples == {task: len(scored)}
    assert result.details == {"answer": pytest.approx(answer)}
    assert json.dumps(result.details)


def test_every_column_of_a_task_is_scored(write_glue, floor):
    result = floor("majority", "mnli", write_glue("mnli"))
    assert set(result.scores) == {"mnli_m", "mnli_mm"}
    assert result.scores["mnli_m"]["accuracy"] == pytest.approx(1 / 3)


def test_the_answer_is_of_the_examples_that_an_encoder_is_trained_on(write_task, floor):
    # The seven that are trained on have another majority than the forty.
    chosen = subset_rows(40, 7)
    labels = np.zeros(40, int)
    labels[chosen] = 1
    sentences = [f"the dog {WORDS[i % 7]}" for i in range(40)]
    folder = write_task("sst2", train=(sentences, labels), validation=(["a"] * 3, [1, 1, 0]))
    assert floor("majority", "sst2", folder).details == {"answer": 0}
    capped = floor("majority", "sst2", folder, context={"max_train_samples": 7})
    assert (capped.details, capped.train_examples) == ({"answer": 1}, 7)


def test_for_tuning_a_fifth_of_the_training_examples_is_scored(write_task, floor):
    sentences = [" ".join(words) for words in _many(40)]
    labels = (np.arange(40) % 3 == 0).astype(np.int64)
    folder = write_task("sst2", train=(sentences, labels), validation=(["a"], [1]))
    result = floor("majority", "sst2", folder, context={"tuning": True})
    source = Source("f", lambda: Examples(sentences, None, labels))
    held = hold_out(source)[1].load().labels
    assert (result.train_examples, result.eval_examples) == (32, {"sst2": 8})
    assert result.scores["sst2"]["accuracy"] == pytest.approx(float((held == 0).mean()))


# -- word pieces


def test_a_task_decided_by_one_word_is_solved(write_task, floor):
    def split(count, seed):
        labels = np.random.default_rng(seed).integers(2, size=count)
        return [
            " ".join([*words, ("bad", "good")[label]])
            for words, label in zip(_many(count, seed), labels, strict=True)
        ], labels

    folder = write_task("sst2", train=split(200, 0), validation=split(100, 1))
    result = floor("bag-of-words", "sst2", folder)
    assert result.scores == {"sst2": {"accuracy": 1.0}}
    assert result.train_examples == 200
    assert result.details["strength"] in STRENGTHS
    assert json.dumps(result.details)


def test_a_task_decided_by_order_is_left_to_chance(write_task, floor):
    def split(count, seed):
        both = [(words, words[::-1]) for words in _many(count, seed)]
        return [" ".join(words) for pair in both for words in pair], [0, 1] * count

    folder = write_task("sst2", train=split(100, 0), validation=split(50, 1))
    assert floor("bag-of-words", "sst2", folder).scores == {"sst2": {"accuracy": 0.5}}


def test_of_pairs_it_sees_what_both_have_and_not_in_which_order(write_task, floor):
    def split(count, seed):
        first, other = _many(count, seed), _many(count, seed + 10)
        labels = np.random.default_rng(seed).integers(2, size=count)
        second = [
            words[::-1] if label else others
            for words, others, label in zip(first, other, labels, strict=True)
        ]
        return [
            (" ".join(one), " ".join(two)) for one, two in zip(first, second, strict=True)
        ], labels

    folder = write_task("rte", train=split(200, 0), validation=split(100, 1))
    assert floor("bag-of-words", "rte", folder).scores["rte"]["accuracy"] > 0.95

    def ordered(count, seed):
        both = [(" ".join(words), " ".join(words[::-1])) for words in _many(count, seed)]
        pairs = [pair for text, back in both for pair in ((text, text), (text, back))]
        return pairs, [0, 1] * count

    folder = write_task("rte", train=ordered(100, 0), validation=ordered(50, 1))
    assert floor("bag-of-words", "rte", folder).scores == {"rte": {"accuracy": 0.5}}


def test_grades_are_fitted_too(write_task, floor):
    def split(count, seed):
        pairs, grades = [], []
        for words, others in zip(_many(count, seed), _many(count, seed + 10), strict=True):
            shared = len(pairs) % 6
            pairs.append((" ".join(words), " ".join([*words[:shared], *others[shared:]])))
            grades.append(float(shared))
        return pairs, grades

    folder = write_task("stsb", train=split(300, 0), validation=split(100, 1))
    result = floor("bag-of-words", "stsb", folder)
    assert result.scores["stsb"]["pearson"] > 0.8


def test_too_few_examples_to_choose_by_are_all_fitted(write_task, floor):
    train = (["good dog", "bad dog", "good", "bad"], [1, 0, 1, 0])
    folder = write_task("sst2", train=train, validation=(["good cat", "bad cat"], [1, 0]))
    result = floor("bag-of-words", "sst2", folder)
    assert result.details["strength"] == STRENGTHS[0]
    assert result.scores == {"sst2": {"accuracy": 1.0}}


def test_one_class_alone_is_predicted(write_task, floor):
    train = (["good dog", "bad dog", "good", "bad", "dog", "cat"], [1] * 6)
    folder = write_task("sst2", train=train, validation=(["good cat", "bad cat"], [1, 0]))
    assert floor("bag-of-words", "sst2", folder).scores == {"sst2": {"accuracy": 0.5}}


def test_features_by_hand(tiny_encoder):
    tokenizer = load_tokenizer(tiny_encoder)
    at = tokenizer.hf.get_vocab()
    first, second = (
        pieces(tokenise(Examples(texts, None, np.zeros(2)), tokenizer, 16), tokenizer)
        for texts in (["the dog sees the dog", "cat"], ["the cat", "runs"])
    )
    expected = np.zeros((2, len(at)))
    expected[0, [at["the"], at["dog"], at["sees"]]] = 1  # However often.
    expected[1, at["cat"]] = 1
    np.testing.assert_array_equal(first.toarray(), expected)
    np.testing.assert_array_equal(features([first]).toarray(), expected)
    found = features([first, second]).toarray()
    u, v = first.toarray(), second.toarray()
    overlap = np.array([[1 / 4], [0.0]])  # "the", of the, dog, sees and cat
    np.testing.assert_allclose(found, np.hstack([u, v, abs(u - v), u * v, overlap]))


def test_sentences_are_cut_as_for_an_encoder(write_task, floor):
    # The word that decides comes last, beyond what is read.
    def split(count, seed):
        labels = [0, 1] * (count // 2)
        return [" ".join([*("the", "dog") * 4, ("bad", "good")[label]]) for label in labels], labels

    folder = write_task("sst2", train=split(40, 0), validation=split(20, 1))
    assert floor("bag-of-words", "sst2", folder).scores["sst2"]["accuracy"] == 1.0
    cut = floor("bag-of-words", "sst2", folder, length=8)
    assert (cut.scores["sst2"]["accuracy"], cut.details["length"]) == (0.5, 8)


# -- by the same examples as encoders


@pytest.mark.parametrize(
    ("kind", "options", "context"),
    [
        (GlueSuite, {"epochs": 1}, {}),
        (GlueSuite, {"epochs": 1}, {"max_train_samples": 20}),
        (GlueSuite, {"epochs": 1}, {"max_train_samples": 20, "tuning": True}),
        (ProbeSuite, {"train": 30, "evaluate": 10}, {}),
        (ProbeSuite, {"train": 30, "evaluate": 10}, {"max_train_samples": 20}),
        (ProbeSuite, {"train": 30}, {"tuning": True}),
    ],
)
def test_examples_are_those_of_encoders(
    kind, options, context, write_glue, tiny_encoder, floor, tmp_path
):
    folder = write_glue("mrpc")
    suite = kind(configure(kind, {"dir": str(folder), **options}))
    whole = EvaluationContext(cache=tmp_path / "cache", **context)
    trained = suite.evaluate(tiny_encoder, "mrpc", suite.seeds()[0], whole)
    assert suite.floors() == ("majority", "bag-of-words")
    for name in suite.floors():
        found = floor(name, "mrpc", folder, kind, context, **options)
        assert found.train_examples == trained.train_examples
        assert found.eval_examples == trained.eval_examples
        assert {c: set(m) for c, m in found.scores.items()} == {
            c: set(m) for c, m in trained.scores.items()
        }


def test_the_toy_tasks_have_floors_and_an_unknown_one_is_refused(tiny_encoder, tmp_path):
    suite = ToySuite(configure(ToySuite, {}))
    context = EvaluationContext(cache=tmp_path, max_train_samples=50)
    result = suite.evaluate_floor("majority", tiny_encoder, "polarity", 0, context)
    assert result.scores["polarity"]["accuracy"] == pytest.approx(0.5, abs=0.02)
    with pytest.raises(UnknownNameError, match="floor of toy"):
        suite.evaluate_floor("best", tiny_encoder, "polarity", 0, context)


# -- minimal pairs


def test_words_by_their_frequency_by_hand(tiny_encoder):
    tokenizer = load_tokenizer(tiny_encoder)
    dog, cat = tokenizer.hf.convert_tokens_to_ids(["dog", "cat"])
    cls = tokenizer.layout.cls
    text = np.array([[cls, dog, dog], [cls, dog, cat]])
    good = ["dog", "cat", "dog bird", "bird", "dog cat", "cat cat"]
    bad = ["cat", "dog", "bird cat", "house", "cat dog", "bird"]
    points = frequency_points(tokenizer, text, good, bad, 16)
    # -log of 4, 2, 1 and 1 (never seen) of 4 + V: the fourth and fifth are ties.
    assert points.tolist() == [1.0, 0.0, 1.0, 0.5, 0.5, 0.0]
    size = tokenizer.vocabulary().size
    assert 2 * math.log(2 / (4 + size)) < math.log(1 / (4 + size))  # the last, summed


def test_of_minimal_pairs_a_coin_and_frequencies(tiny_encoder, tmp_path):
    pairs = [("dog", "cat"), ("cat", "dog"), ("dog", "bird"), ("dog", "cat")]
    lines = [
        json.dumps({"sentence_good": one, "sentence_bad": two, "UID": "p", "linguistics_term": "t"})
        for one, two in pairs
    ]
    (tmp_path / "p.jsonl").write_text("\n".join(lines) + "\n")
    suite = BlimpSuite(configure(BlimpSuite, {"dir": str(tmp_path)}))
    dog = load_tokenizer(tiny_encoder).hf.convert_tokens_to_ids("dog")
    context = EvaluationContext(cache=tmp_path, heldout=lambda count: np.full((2, 3), dog))
    assert suite.floors() == ("chance", "unigram")
    coin, words = (
        suite.evaluate_floor(name, tiny_encoder, "pairs", 0, context) for name in suite.floors()
    )
    assert coin.scores == {name: {"accuracy": 0.5} for name in ("t", "overall")}
    assert words.scores == {name: {"accuracy": 0.75} for name in ("t", "overall")}
    assert words.eval_examples == {"overall": 4}
    with pytest.raises(DataError, match="no held-out text"):
        suite.evaluate_floor("unigram", tiny_encoder, "pairs", 0, EvaluationContext(cache=tmp_path))
