"""A study in every format: the page as markdown and HTML, its tables and its pictures as files."""

from __future__ import annotations

from pathlib import Path

from objbench.errors import ConfigError
from objbench.leaderboard.curve_pictures import pictures
from objbench.leaderboard.html.page import html_page
from objbench.leaderboard.html.whole_page import PAGE
from objbench.leaderboard.page import NOTES, page_title
from objbench.leaderboard.report import Report
from objbench.leaderboard.sections import MARK, page_document
from objbench.leaderboard.table_files import json_text, table_files
from objbench.results.atomic_files import whole_file, write_text
from objbench.results.own_files import require_made, require_own
from objbench.results.study_results import StudyResults

TABLES = "tables"

_SUFFIXES = {"csv": "csv", "latex": "tex"}


def write_format(kind: str, run: Path, out: Path, results: StudyResults, report: Report) -> Path:
    """Write a study in one format other than markdown; returns the file, or the folder of several.

    Args:
        kind: "html" (one file), "csv" or "latex" (a file per table), "json" (one file of all
            tables), "png" or "pdf" (a file per picture).
        run: a run folder, or a published study.
        out: the folder to write to; made if it is not there.
        results: what is in ``run``.
        report: what was found in it.

    Raises:
        ConfigError: ``out`` cannot be written, or a page there was written by hand.
    """
    title = page_title(run, out, results)
    try:
        match kind:
            case "html":
                return _write_page(out, report, title)
            case "csv" | "latex":
                files = table_files(page_document(report, title), _SUFFIXES[kind])
                folder = require_own(out, TABLES)
                _replace(folder, f"[0-9][0-9]*-*.{_SUFFIXES[kind]}", files)
                return folder
            case "json":
                path = out / f"{TABLES}.json"
                write_text(path, json_text(page_document(report, title), title))
                return path
            case _:
                _replace_pictures(out, kind, pictures(report, title, kind))
                return out
    except OSError as error:
        raise ConfigError(
            f"the folder {out} cannot be written: {error.strerror}; name another with --out"
        ) from error


def _write_page(out: Path, report: Report, title: str) -> Path:
    page = out / PAGE
    require_made(page, MARK, "objbench: name another folder with --out")
    notes = NOTES if require_own(out, NOTES).is_file() else ""
    write_text(page, html_page(report, title, notes))
    return page


def _replace(folder: Path, pattern: str, files: dict[str, str]) -> None:
    """Write ``files``, and remove those of another time, which would tell of other records."""
    for older in folder.glob(pattern):
        if older.name not in files:
            older.unlink()
    for name, text in files.items():
        write_text(folder / name, text)


def _replace_pictures(out: Path, kind: str, files: dict[str, bytes]) -> None:
    for pattern in (f"convergence-*.{kind}", f"speedup-*.{kind}"):
        for older in out.glob(pattern):
            if older.name not in files:
                older.unlink()
    for name, picture in files.items():
        with whole_file(out / name) as file:
            file.write(picture)
