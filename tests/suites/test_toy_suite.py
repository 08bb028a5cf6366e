"""The toy suite: the protocol code over generated tasks."""

import pytest

from objbench.contract.options import configure
from objbench.contract.suite import EvaluationContext
from objbench.data.toy.tasks import TOY_TASKS
from objbench.errors import UnknownNameError
from objbench_suites.toy import ToySuite


def _suite(**options):
    return ToySuite(configure(ToySuite, options))


def test_its_tasks_are_the_toy_tasks():
    suite = _suite()
    assert suite.tasks() == tuple(TOY_TASKS) and suite.missing() == {}
    assert [column.name for column in suite.columns()] == list(TOY_TASKS)
    assert suite.average().label == "mean of five tasks"
    assert suite.average().score(dict.fromkeys(TOY_TASKS, 60.0)) == pytest.approx(60.0)
    assert suite.protocol.startswith("toy: AdamW")


@pytest.mark.parametrize("task", TOY_TASKS)
def test_the_table_fits_the_generator(task):
    suite = _suite()
    examples = suite.read(suite.table[task], "validation")
    assert (examples.second is not None) == (suite.table[task].second is not None)
    if suite.table[task].labels == 1:
        assert examples.labels.min() >= 0 and examples.labels.max() <= 5
    else:
        assert set(examples.labels) == set(range(suite.table[task].labels))


def test_fingerprints():
    suite = _suite()
    assert len({suite.fingerprint(task) for task in suite.tasks()}) == 5
    assert suite.fingerprint("polarity") == _suite(seeds=3).fingerprint("polarity")
    assert suite.fingerprint("polarity") != _suite(epochs=1).fingerprint("polarity")


def test_an_evaluation(tiny_encoder, tmp_path):
    context = EvaluationContext(cache=tmp_path, max_train_samples=64)
    result = _suite(epochs=1).evaluate(tiny_encoder, "similarity", 0, context)
    assert set(result.scores["similarity"]) == {"pearson", "spearmanr"}
    assert result.train_examples == 64
    assert result.eval_examples["similarity"] >= 100


def test_glues_protocols_are_not_its_own():
    with pytest.raises(UnknownNameError, match="protocol of toy"):
        _suite(protocol="taco-2022")


def test_the_work_of_a_task_is_counted_in_its_examples():
    suite = ToySuite(ToySuite.Config(epochs=2, batch=32))
    assert suite.planned_tasks() == suite.tasks()
    task = suite.table["entailment"]
    train, scored = suite.read(task, "train"), suite.read(task, "validation")
    work = suite.work("entailment", None)
    assert (work.trained, work.read) == (2 * len(train), len(scored))
    assert work.steps == 2 * -(-len(train) // 32)
    assert 6 < work.length < 32 and work.assumed == ""
