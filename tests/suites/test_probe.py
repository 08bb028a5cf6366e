"""The probe suite: features by hand, fits against their formula, and evaluations of each kind."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from objbench.contract.options import configure
from objbench.contract.suite import EvaluationContext
from objbench.errors import ConfigError, DataError, HubError, UnknownNameError
from objbench_suites.glue import GlueSuite
from objbench_suites.linear_probe import fit, fit_chosen
from objbench_suites.probe import ProbeSuite
from objbench_suites.probing_suite import STRENGTHS, features
from objbench_suites.toy import ToySuite

FILLERS = np.array(["the", "a", "dog", "cat", "bird", "house", "runs", "sees", "red", "blue"])


def _suite(folder=None, **options):
    if folder is not None:
        options["dir"] = str(folder)
    return ProbeSuite(configure(ProbeSuite, options))


def _scores(folder, encoder, task, cache, **options):
    return _suite(folder, **options).evaluate(encoder, task, 0, EvaluationContext(cache=cache))


@pytest.fixture
def write_sst2(tmp_path):
    """(shuffle_labels) -> a folder with sst2 alone; "good" or "bad" in a sentence is its label."""

    def write(*, shuffle_labels=False):
        folder = tmp_path / f"shuffled-{shuffle_labels}" / "sst2"
        folder.mkdir(parents=True)
        for seed, (split, rows) in enumerate({"train": 300, "validation": 400}.items()):
            generator = np.random.default_rng(seed)
            labels = generator.integers(2, size=rows)
            words = [list(generator.choice(FILLERS, generator.integers(2, 8))) for _ in labels]
            for label, sentence in zip(labels, words, strict=True):
                sentence.insert(int(generator.integers(len(sentence))), ["bad", "good"][label])
            if shuffle_labels:
                labels = generator.permutation(labels)
            sentences = [" ".join(sentence) for sentence in words]
            made = pa.table({"sentence": sentences, "label": labels})
            pa.parquet.write_table(made, folder / f"{split}.parquet")
        return folder.parent

    return write


# -- features


def test_features_by_hand():
    u = SimpleNamespace(mean=np.float32([[1, -2], [3, 0]]), first=np.float32([[5, 6], [7, 8]]))
    v = SimpleNamespace(mean=np.float32([[4, 1], [0, 2]]))
    assert features([u]).tolist() == [[1, -2, 5, 6], [3, 0, 7, 8]]
    expected = [[1, -2, 4, 1, 3, 3, 4, -2], [3, 0, 0, 2, 3, 2, 0, 0]]
    assert features([u, v]).tolist() == expected
    assert features([u, v], slice(1, 9)).tolist() == expected[1:]
    assert features([u, v]).dtype == np.float64


# -- fits


@pytest.fixture
def numbers():
    generator = np.random.default_rng(0)
    x = generator.normal(3.0, [0.1, 1.0, 20.0], (60, 3))
    grades = x @ [4.0, 0.5, -0.02] + generator.normal(0, 0.3, 60)
    return x, grades.astype(np.float32)


def _standardised(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_grades_by_the_closed_form_of_ridge(strength, numbers):
    x, grades = numbers
    z = _standardised(x)
    centred = grades - grades.mean()
    weights = np.linalg.solve(z.T @ z / 60 + strength * np.eye(3), z.T @ centred / 60)
    probe = fit(x, grades, strength, is_regression=True)
    np.testing.assert_allclose(probe.predict(x), z @ weights + grades.mean(), rtol=1e-6)
    assert probe.loss(x, grades) == pytest.approx(np.mean((z @ weights - centred) ** 2), rel=1e-5)


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_classes_by_newtons_method(strength, numbers):
    x, grades = numbers
    classes = (grades > np.median(grades)).astype(np.int64)
    z = np.column_stack([_standardised(x), np.ones(60)])
    penalty = strength * np.diag([1.0, 1.0, 1.0, 0.0])
    weights = np.zeros(4)
    for _ in range(30):
        shares = 1 / (1 + np.exp(-z @ weights))
        slope = z.T @ (shares - classes) / 60 + penalty @ weights
        curvature = (z.T * shares * (1 - shares)) @ z / 60 + penalty
        weights -= np.linalg.solve(curvature, slope)
    probe = fit(x, classes, strength, is_regression=False)
    shares = 1 / (1 + np.exp(-z @ weights))
    expected = -np.mean(np.log(np.where(classes == 1, shares, 1 - shares)))
    assert probe.loss(x, classes) == pytest.approx(expected, rel=1e-3)
    assert (probe.predict(x) == (shares > 0.5)).mean() > 0.98


def test_the_strength_is_the_best_on_the_last_fifth(numbers):
    x, grades = numbers
    losses = [
        fit(x[:48], grades[:48], s, is_regression=True).loss(x[48:], grades[48:]) for s in STRENGTHS
    ]
    probe = fit_chosen(x, grades, STRENGTHS, is_regression=True)
    assert probe.strength == STRENGTHS[int(np.argmin(losses))] < 1
    # The last fit is on all of them.
    whole = fit(x, grades, probe.strength, is_regression=True)
    assert np.array_equal(probe.predict(x), whole.predict(x))


def test_noise_calls_for_a_strong_penalty():
    generator = np.random.default_rng(1)
    x, noise = generator.normal(size=(200, 50)), generator.integers(3, size=200)
    assert fit_chosen(x, noise, STRENGTHS, is_regression=False).strength >= 3


def test_constant_features_and_a_single_class(numbers):
    x, grades = numbers
    flat = np.column_stack([x, np.full(60, 7.0)])
    one, other = (fit(part, grades, 0.1, is_regression=True).predict(part) for part in (x, flat))
    np.testing.assert_allclose(one, other)
    probe = fit_chosen(x, np.full(60, 2), STRENGTHS, is_regression=False)
    assert set(probe.predict(x)) == {2} and probe.loss(x, np.full(60, 2)) == 0.0
    # A class that was never seen costs much, and no infinity that would hide every other loss.
    assert 100 < probe.loss(x, np.full(60, 1)) < np.inf


def test_too_few_examples():
    with pytest.raises(DataError, match="4 training examples are too few"):
        fit_chosen(np.zeros((4, 2)), np.arange(4) % 2, STRENGTHS, is_regression=False)


# -- tasks, columns, average, identity


def test_it_borrows_tasks_columns_and_average(write_glue):
    folder = write_glue()
    for mine, theirs in (
        (_suite(folder), GlueSuite(configure(GlueSuite, {"dir": str(folder)}))),
        (_suite(of="toy"), ToySuite(configure(ToySuite, {}))),
    ):
        assert mine.tasks() == theirs.tasks() and mine.missing() == theirs.missing() == {}
        assert mine.columns() == theirs.columns() and mine.average() == theirs.average()
        assert mine.seeds() == (0,)


def test_missing_tasks_are_named(write_glue, tmp_path):
    folder = write_glue("cola", "stsb", "wnli")
    suite = _suite(folder, tasks="stsb,wnli")
    assert suite.tasks() == ("stsb", "wnli")
    assert suite.missing()["cola"] == "not among the chosen tasks"
    assert _suite(folder).missing()["rte"] == f"{folder} has no folder rte"
    assert suite.average().label.startswith("mean of 1 of 8 tasks (without cola,")
    with pytest.raises(DataError, match="probe: task rte was asked for"):
        _suite(folder, tasks="rte").tasks()
    with pytest.raises(DataError, match="give --probe-dir another"):
        _suite(tmp_path / "absent").tasks()


def test_the_hub_out_of_reach_names_the_probes_option(monkeypatch):
    def fail(*arguments, **options):
        raise ConnectionError("no hub")

    monkeypatch.setattr("datasets.load_dataset", fail)
    with pytest.raises(HubError, match="by --probe-dir"):
        _suite().fingerprint("rte")


def test_the_protocol_line(write_glue):
    assert _suite(write_glue("cola", "mrpc"), train=500, evaluate=9).protocol == (
        "linear probe of the frozen encoder on glue: length 64; at most 500 training examples a "
        "task, L2 chosen on a fifth of them; at most 9 examples scored a split; mrpc accuracy+f1; "
        "mean of 2 of 8 tasks (without sst2, stsb, qqp, mnli, qnli, rte)"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": "squad"}, r"probe\.of = 'squad' does not fit: .*'glue' or 'toy'"),
        ({"of": "toy", "dir": "x"}, r"probe\.dir = 'x': the toy tasks are generated"),
        ({"train": 9}, r"probe\.train = 9: give at least 10"),
        ({"evaluate": -1}, r"probe\.evaluate = -1: give at least 0"),
        ({"length": 3}, r"probe\.length = 3: give at least 4"),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(ConfigError, match=message):
        _suite(**options)


def test_an_unknown_task():
    with pytest.raises(UnknownNameError, match="unknown task of probe 'mrcp'; did you mean 'mrpc'"):
        _suite(tasks="mrcp")
    with pytest.raises(UnknownNameError, match="task of probe 'cola'"):
        _suite(of="toy", tasks="cola")


def test_the_fingerprint_is_of_options_and_data(write_glue, rewrite, monkeypatch):
    folder = write_glue("cola", "rte")
    suites = [_suite(folder)]
    suites += [_suite(folder, **{name: 20}) for name in ("train", "evaluate", "length")]
    prints = [suite.fingerprint("cola") for suite in suites]
    prints.append(_suite(folder).fingerprint("rte"))
    prints.append(GlueSuite(configure(GlueSuite, {"dir": str(folder)})).fingerprint("cola"))
    rewrite(folder / "cola" / "validation.parquet", label=[1] * 24)
    prints.append(_suite(folder).fingerprint("cola"))
    monkeypatch.setattr("objbench_suites.probing_suite.STRENGTHS", (1.0,))
    prints.append(_suite(folder).fingerprint("cola"))
    assert len(set(prints)) == len(prints)
    assert prints[-1] == _suite(folder, tasks="cola").fingerprint("cola")


# -- evaluations


def test_evaluations_of_every_kind(write_glue, tiny_encoder, tmp_path):
    suite = _suite(write_glue(), evaluate=20)
    columns = {column.name: column for column in suite.columns()}
    context = EvaluationContext(cache=tmp_path / "cache")
    for task in suite.tasks():
        result = suite.evaluate(tiny_encoder, task, 0, context)
        assert list(result.scores) == [c for c in columns if columns[c].task == task]
        for column, scores in result.scores.items():
            assert set(columns[column].metrics) <= set(scores)
            assert all(np.isfinite(value) for value in scores.values())
            assert result.eval_examples[column] == 20
            values = result.examples[column].values
            assert {name: own.mean() for name, own in values.items()} == pytest.approx(scores)
        assert len({examples.of for examples in result.examples.values()}) == len(result.scores)
        assert result.train_examples == 48
        assert json.dumps(result.details)
        assert result.details["strength"] in STRENGTHS and result.details["length"] == 32


def test_what_is_separable_scores_high_and_shuffled_labels_chance(
    write_sst2, tiny_encoder, tmp_path
):
    found = {
        shuffled: _scores(
            write_sst2(shuffle_labels=shuffled), tiny_encoder, "sst2", tmp_path / "cache"
        ).scores["sst2"]["accuracy"]
        for shuffled in (False, True)
    }
    assert found[False] > 0.97
    # 400 tosses of a coin: five standard deviations.
    assert abs(found[True] - 0.5) < 0.125


def test_a_pair_is_told_by_both_sentences(tiny_encoder, tmp_path):
    """Both first sentences occur under both labels, as do both second: only together they tell."""
    folder = tmp_path / "glue" / "rte"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for split, rows in {"train": 400, "validation": 200}.items():
        sides = generator.integers(2, size=(2, rows))
        words = [
            [f"{generator.choice(FILLERS)} {['bad', 'good'][x]}" for x in side] for side in sides
        ]
        made = {"sentence1": words[0], "sentence2": words[1], "label": (sides[0] == sides[1]) * 1}
        pa.parquet.write_table(pa.table(made), folder / f"{split}.parquet")
    found = _scores(folder.parent, tiny_encoder, "rte", tmp_path / "cache")
    assert found.scores["rte"]["accuracy"] > 0.95


def test_the_order_of_the_files_and_the_random_state_move_nothing(
    write_glue, tiny_encoder, tmp_path
):
    folder = write_glue("mrpc")
    first = _scores(folder, tiny_encoder, "mrpc", tmp_path / "one", train=30, evaluate=15)
    for split in ("train", "validation"):
        path = folder / "mrpc" / f"{split}.parquet"
        rows = pyarrow.parquet.read_table(path)
        order = np.random.default_rng(3).permutation(rows.num_rows)
        pyarrow.parquet.write_table(rows.take(order), path)
    torch.manual_seed(5)
    np.random.seed(5)
    again = _scores(folder, tiny_encoder, "mrpc", tmp_path / "other", train=30, evaluate=15)
    # Only what names the examples knows of the file: one study reads one file.
    was, now = first.examples["mrpc"], again.examples["mrpc"]
    assert was.of != now.of and replace(now, of=was.of) == was
    assert replace(again, examples=first.examples) == first


def test_the_caps_are_honoured(write_glue, tiny_encoder, tmp_path):
    suite = _suite(write_glue("stsb"), train=40, evaluate=7)
    for cap, used in ((None, 40), (20, 20), (1000, 40)):
        context = EvaluationContext(cache=tmp_path / "cache", max_train_samples=cap)
        result = suite.evaluate(tiny_encoder, "stsb", 0, context)
        assert result.train_examples == used and result.eval_examples == {"stsb": 7}
    context = EvaluationContext(cache=tmp_path / "cache", max_train_samples=3)
    with pytest.raises(DataError, match="3 training examples are too few"):
        suite.evaluate(tiny_encoder, "stsb", 0, context)


def test_a_toy_task(tiny_encoder, tmp_path):
    result = _scores(None, tiny_encoder, "similarity", tmp_path, of="toy", train=50, evaluate=50)
    assert set(result.scores["similarity"]) == {"pearson", "spearmanr"}
    assert result.train_examples == 50 and result.eval_examples == {"similarity": 50}
    assert result.official_examples == {}


def test_the_work_reads_the_sentences_of_a_pair_one_by_one():
    suite = ProbeSuite(ProbeSuite.Config(train=100, evaluate=50))
    pair, single = suite.work("rte", None), suite.work("cola", 60)
    assert (pair.steps, pair.trained, pair.read) == (0, 0, 2 * (100 + 50))
    assert single.read == 60 + 50
