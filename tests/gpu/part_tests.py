"""The tests of this repository that need a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from own_process import Row

TESTS = Path(__file__).parents[1]


class _Heard:
    """Keeps the outcome of every test."""

    def __init__(self) -> None:
        self.outcomes: dict[str, tuple[str, str]] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A test is what its call is; one that never came so far is what its set-up was."""
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.nodeid] = (report.outcome, report.longreprtext[-500:])


def files() -> list[Path]:
    """Those that have such a test: collecting the others would take half a minute."""
    mark = "@pytest.mark.gpu\n"
    return [path for path in sorted(TESTS.rglob("test_*.py")) if mark in path.read_text("utf-8")]


def run(setting: Any, row: Row) -> None:
    """Runs them; on a CPU all of them are skipped."""
    heard = _Heard()
    options = ["-m", "gpu", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--benchmark-disable"]
    code = pytest.main([*options, *map(str, files())], plugins=[heard])
    for name, (outcome, text) in heard.outcomes.items():
        row(test=name, outcome=outcome, text=text if outcome == "failed" else "")
    if code:
        raise RuntimeError(f"pytest ended with {int(code)}")
