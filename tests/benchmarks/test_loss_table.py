"""What ``pytest --benchmark-only`` runs by itself, and the table that it ends with."""

import importlib.util
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

HERE = Path(__file__).parent
_SPEC = importlib.util.spec_from_file_location("benchmarks_conftest", HERE / "conftest.py")
shared = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(shared)


def measured(name, rate):
    numbers = {"tokens_per_second": rate, "forward_ms": 2.0, "backward_ms": 3.0}
    return SimpleNamespace(params={"name": name}, extra_info=numbers)


def test_the_table_is_sorted_and_has_the_ratio_to_the_baseline():
    other = SimpleNamespace(params=None, extra_info={"row": "a comparison with a peer"})
    session = SimpleNamespace(
        benchmarks=[measured("taco", 50_000), other, measured("mlm", 200_000), measured("rtd", 1e5)]
    )
    head, *rows = shared.loss_table(session)
    assert "tokens per second" in head and "beside mlm" in head
    assert [row.split()[0] for row in rows] == ["mlm", "rtd", "taco"]
    assert [row.split()[-1] for row in rows] == ["1.00x", "0.50x", "0.25x"]
    assert [row.split()[-2] for row in rows][::2] == ["200,000", "50,000"]


def test_without_measured_losses_there_is_no_table():
    assert shared.loss_table(None) == []
    assert shared.loss_table(SimpleNamespace(benchmarks=[])) == []


class Collected:
    """A plugin that keeps the files whose tests are left."""

    def pytest_collection_finish(self, session):
        self.files = {item.path.name for item in session.items}


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ([], {"test_loss_throughput.py"}),
        (["tests/benchmarks/test_training_step.py"], {"test_training_step.py"}),
    ],
)
def test_alone_only_the_losses_run_and_what_is_named_runs(words, files, monkeypatch):
    # The folders of other tests are ignored: importing them all takes long, and finds no benchmark.
    others = ("objbench", "objectives", "repository", "suites")
    ignored = [f"--ignore=tests/{name}" for name in others]
    # This test's own pytest must not be taken for the other's, which starts in the same process.
    for name in [name for name in os.environ if name.startswith("PYTEST")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(HERE.parents[1])
    found = Collected()
    command = ["--benchmark-only", "--collect-only", "-q", "-p", "no:cacheprovider"]
    assert pytest.main([*command, *ignored, *words], plugins=[found]) == 0
    assert found.files == files
