"""The leaderboard's folder: a page of markdown, its pictures, and the records it rests on.

The same plan and records give the same bytes: there is no clock time, no path of this machine and
no order of files in the text, every number is rounded by a fixed rule, and bootstrap draws come
from streams of fixed names. Beside the records a page reads what objbench publishes: the claims
that are judged, and the judge's own error rates.
"""

from __future__ import annotations

from pathlib import Path

from objbench.errors import ConfigError
from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.curve_pictures import pictures
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.report import Report
from objbench.leaderboard.sections import MARK, page_document
from objbench.results.atomic_files import write_text
from objbench.results.own_files import require_own
from objbench.results.published_study import is_published, write_published
from objbench.results.run_folder import RunFolder
from objbench.results.study_results import StudyResults, read_comparison, read_study_results
from objbench.results.submissions.foreign_folder import copy_sent
from objbench.results.submissions.marks import write_marks

NOTES = "NOTES.md"
"""Remarks by hand, beside a page."""

# What a picture of ours may be called; one that is no longer made would tell of other records.
_PICTURES = ("convergence*.svg", "speedup-*.svg")


def write_leaderboard(
    run: Path,
    out: Path,
    with_records: bool = False,
    results: StudyResults | None = None,
    report: Report | None = None,
) -> Path:
    """Write the leaderboard of the run folder ``run`` into ``out``; returns the page's path.

    Args:
        run: a run folder, or a published study.
        out: the folder for README.md and the pictures; made if it is not there.
        with_records: publish the plan, the current records, the comparison of steps and the
            reference lines too, so that ``out`` can be committed and its page made again from
            itself. Stale records are left out.
        results: the plan and records of ``run``; read now if None.
        report: what was found in ``results``; analysed now if None.

    Raises:
        RecordError: the plan or a record is missing or cannot be read.
        ConfigError: ``out`` cannot be written, or copying there would mix two studies' records.
    """
    if results is None:
        results = read_study_results(run)
    comparison = read_comparison(run, results.plan)
    copying = with_records and out.resolve() != run.resolve()
    page = out / "README.md"
    if copying and results.stale:
        results, report = results.without_stale(), None
    if report is None:
        report = analyse(results, comparison)
    title = page_title(run, out, results, is_copied=copying)
    files = pictures(report, title)
    notes = NOTES if require_own(out, NOTES).is_file() else ""
    text = render_markdown(page_document(report, title, notes))
    try:
        if copying:
            _refuse_foreign(out, page)
            if results.sent_in is not None:
                RunFolder(out).remove_records()
                copy_sent(run, out)
                write_marks(out, results.sent_in)
            else:
                logged = map(RunFolder(run).with_log, results.records.values())
                write_published(out, results.plan, logged)
                RunFolder(out).write_step_comparison(comparison)
                RunFolder(out).write_reference_lines(results.lines)
        for pattern in _PICTURES:
            for older in out.glob(pattern):
                if older.name not in files:
                    older.unlink()
        for name, picture in files.items():
            write_text(out / name, picture.decode())
        write_text(page, text)
    except OSError as error:
        raise ConfigError(
            f"the leaderboard folder {out} cannot be written: {error.strerror}; "
            "name another with --out"
        ) from error
    return page


def page_title(run: Path, out: Path, results: StudyResults, *, is_copied: bool = False) -> str:
    """A published study is called by its folder, whatever the run was called."""
    if is_copied:
        return out.resolve().name
    return run.resolve().name if is_published(run) else results.plan.name


def _refuse_foreign(out: Path, page: Path) -> None:
    """Only what was published before is replaced: a run's own records stay."""
    ours = page.is_file() and MARK in page.read_text("utf-8", errors="replace")
    there = RunFolder(out)
    if there.has_plan() and (there.has_costs() or not ours):
        raise ConfigError(
            f"{out} holds the plan of another run, and its records would be mixed with these; "
            "name another folder with --out"
        )
