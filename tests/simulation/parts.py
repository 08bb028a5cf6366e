"""The parts of a study that look at every cell, as work that can be timed or counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from made_cells import LINES, MadeStudy

from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.curve_pictures import pictures
from objbench.leaderboard.html.page import html_page
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.report import Report
from objbench.leaderboard.sections import page_document
from objbench.results import atomic_files
from objbench.results.plan import Plan
from objbench.results.run_folder import RunFolder
from objbench.results.study_results import StudyResults, join, read_study_results
from objbench.runs.executors.ready_cells import ReadyCells


class Step(NamedTuple):
    """Something to be measured.

    Attributes:
        name: what it is called in a table.
        work: does it, and says in a few words what came of it, or "".
    """

    name: str
    work: Callable[[], str]


def planning(made: MadeStudy, folder: Path) -> Iterator[Step]:
    """The plan, made and written."""
    plugins, plans = made.plugins(), list[Plan]()

    def plan() -> str:
        plans.append(made.plan(plugins))
        return f"{len(plans[0].cells):,} cells"

    def write() -> str:
        RunFolder(folder).write_plan(plans[0])
        return _size(folder / "plan.json")

    yield Step("plan made", plan)
    yield Step("plan.json written", write)


def worker(made: MadeStudy, folder: Path) -> Iterator[Step]:
    """What every process that reads the plan does first."""

    def read() -> str:
        RunFolder(folder).read_plan()
        return ""

    yield Step("plan.json read and checked", read)


def scheduling(made: MadeStudy, folder: Path) -> Iterator[Step]:
    """Every cell given out once all that it needs has succeeded."""
    plan = RunFolder(folder).read_plan()
    yield Step("every cell given out", lambda: schedule(plan))


def schedule(plan: Plan) -> str:
    """Give out every cell of a plan."""
    ready, given = ReadyCells(plan.cells, {}), 0
    while (cell := ready.next()) is not None:
        ready.end(cell.id, "ok")
        given += 1
    return f"{given:,} cells"


def listing(made: MadeStudy, folder: Path) -> Iterator[Step]:
    """What a run or a worker asks of the records."""
    run = RunFolder(folder)
    plan = run.read_plan()
    run.write_reference_lines(LINES)
    # What is written here need not outlast a power cut.
    with mock.patch.object(atomic_files.os, "fsync"):
        for record in made.records(plan):
            run.write_record(record)
    yield Step("which cells have a record", lambda: f"{len(run.ended_cells(plan.cells)):,} records")
    yield Step("how every cell ended", lambda: f"{len(run.finished_cells(plan.cells)):,} records")


def reporting(made: MadeStudy, folder: Path) -> Iterator[Step]:
    """The leaderboard."""
    found: list[StudyResults] = []
    reports: list[Report] = []

    def read() -> str:
        found.append(read_study_results(folder))
        return ""

    yield Step("records read and joined with the plan", read)
    yield from report_steps(found, reports)


def report_steps(found: list[StudyResults], reports: list[Report]) -> Iterator[Step]:
    """The leaderboard of the results in ``found``; its report is put into ``reports``."""

    def analysis() -> str:
        reports.append(analyse(found[0]))
        return ""

    def markdown() -> str:
        return _bytes(render_markdown(page_document(reports[0])).encode())

    def drawn() -> str:
        made = pictures(reports[0])
        largest = max(made.values(), key=len, default=b"")
        return f"{len(made)} of at most {_bytes(largest)}"

    yield Step("everything of the page computed", analysis)
    yield Step("README.md", markdown)
    yield Step("its pictures", drawn)
    yield Step("index.html", lambda: _bytes(html_page(reports[0]).encode()))


def in_memory(made: MadeStudy, missing: bool = False) -> Iterator[Step]:
    """The same without files.

    Args:
        missing: every third run has no records.
    """
    plugins, plans, found = made.plugins(), list[Plan](), list[StudyResults]()

    def plan() -> str:
        plans.append(made.plan(plugins))
        return ""

    def joined() -> str:
        places = {o.name: place for place, o in enumerate(plans[0].objectives)}
        there = (
            record
            for record in made.records(plans[0])
            if not missing or (places[record.objective] + record.seed) % 3
        )
        found.append(join(plans[0], there, LINES))
        return ""

    yield Step("plan made", plan)
    yield Step("every cell given out", lambda: schedule(plans[0]))
    yield Step("records joined with the plan", joined)
    yield from report_steps(found, [])


PROCESSES = {
    "planning": planning,
    "worker": worker,
    "scheduling": scheduling,
    "listing": listing,
    "reporting": reporting,
}
"""The parts that are measured in a process each, in their order: later ones read what earlier ones
have written."""


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.3g} MB"


def _bytes(content: bytes) -> str:
    return f"{len(content) / 1e3:,.0f} kB"
