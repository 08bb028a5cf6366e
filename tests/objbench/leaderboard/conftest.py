"""Reports of made-up studies, and tables as a reader sees them."""

import pytest

from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.render_markdown import render_markdown
from objbench.results.study_results import join


@pytest.fixture
def report_of():
    """(made study) -> its report."""
    return lambda study: analyse(join(study.plan, study.records.values(), study.lines))


@pytest.fixture
def rows():
    """(table) -> its rows as title -> text, both as a reader of the rendered page sees them."""

    def read(table):
        lines = render_markdown([table]).strip().splitlines()
        found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return [dict(zip(found[0], row, strict=True)) for row in found[2:]]

    return read
