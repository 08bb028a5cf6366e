"""Tuning scores a fixed part of the training examples and never reads what is reported."""

import numpy as np
import pyarrow.parquet
import pytest

from objbench.contract.options import configure
from objbench.contract.suite import EvaluationContext
from objbench_suites.glue import GlueSuite
from objbench_suites.probe import ProbeSuite

SUITES = {"glue": GlueSuite, "probe": ProbeSuite}


@pytest.fixture(params=SUITES)
def make_suite(request, write_glue):
    """(*tasks) -> the suite over those tasks: 48 rows to train on, 24 to score."""

    def make(*tasks):
        cls = SUITES[request.param]
        options = {"dir": str(write_glue(*tasks))}
        if cls is GlueSuite:
            options |= {"epochs": 1, "batch": 16}
        return cls(configure(cls, options))

    return make


@pytest.fixture
def evaluate(tiny_encoder, tmp_path):
    """(suite, task, **context) -> what tuning measures."""

    def run(suite, task, **context):
        made = EvaluationContext(cache=tmp_path / "cache", tuning=True, **context)
        return suite.evaluate(tiny_encoder, task, 0, made)

    return run


@pytest.mark.parametrize("task", ["stsb", "mnli"])
def test_the_evaluation_splits_are_never_read(task, make_suite, evaluate, monkeypatch):
    suite = make_suite(task)
    read = type(suite).read

    def guarded(self, task, split):
        assert split == "train", f"tuning read {split}"
        return read(self, task, split)

    monkeypatch.setattr(type(suite), "read", guarded)
    result = evaluate(suite, task)
    assert set(result.scores) == set(suite.table[task].evaluation)
    assert result.train_examples == 48 - 9
    assert set(result.eval_examples.values()) == {9}


def test_two_columns_get_the_same_numbers(make_suite, evaluate):
    result = evaluate(make_suite("mnli"), "mnli")
    assert list(result.scores) == ["mnli_m", "mnli_mm"]
    assert result.scores["mnli_m"] == result.scores["mnli_mm"]


def test_the_capped_examples_are_what_is_split(make_suite, evaluate):
    result = evaluate(make_suite("rte"), "rte", max_train_samples=20)
    assert result.train_examples == 16 and result.eval_examples == {"rte": 4}


def test_what_is_reported_moves_nothing(make_suite, evaluate, write_glue, rewrite, tmp_path):
    suite = make_suite("rte")
    before = evaluate(suite, "rte")
    rewrite(tmp_path / "glue" / "rte" / "validation.parquet", label=[1] * 24)
    again = type(suite)(suite.config)
    assert evaluate(again, "rte") == before


def _parts(suite, tuning=True):
    train = suite.source("sst2", "train")
    kept, evaluation = suite.sources("sst2", train, tuning=tuning)
    return kept.load(), evaluation["sst2"].load()


def test_the_split_is_disjoint_whole_and_fixed(make_suite, tmp_path):
    suite = make_suite("sst2")
    path = tmp_path / "glue" / "sst2" / "train.parquet"
    rows = pyarrow.parquet.read_table(path)
    rows = rows.set_column(
        0, "sentence", [[f"{i} {s}" for i, s in enumerate(rows["sentence"].to_pylist())]]
    )
    pyarrow.parquet.write_table(rows, path)
    kept, held = _parts(type(suite)(suite.config))
    assert not set(kept.first) & set(held.first)
    assert set(kept.first) | set(held.first) == set(rows["sentence"].to_pylist())
    assert len(held) == 9 and set(held.labels) == {0, 1}
    pyarrow.parquet.write_table(rows.take(np.arange(48)[::-1]), path)
    again = _parts(type(suite)(suite.config))
    assert [part.first for part in again] == [kept.first, held.first]


def test_without_tuning_all_is_as_it_was(make_suite):
    suite = make_suite("sst2")
    kept, scored = _parts(suite, tuning=False)
    assert (len(kept), len(scored)) == (48, 24)
    assert kept.fingerprint == suite.source("sst2", "train").fingerprint
