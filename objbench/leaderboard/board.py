"""A board: the folder of studies that an index lists, and how a study from others gets there."""

from __future__ import annotations

import re
from pathlib import Path

from objbench.errors import ConfigError
from objbench.judge.papers.claims import shipped_claims
from objbench.judge.papers.published_files import CLAIMS
from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.claim_evidence import claim_evidence
from objbench.leaderboard.claim_registry import registry_page
from objbench.leaderboard.formats import write_format
from objbench.leaderboard.html.whole_page import PAGE
from objbench.leaderboard.index import MARK, write_index
from objbench.leaderboard.page import write_leaderboard
from objbench.leaderboard.render_markdown import render_markdown
from objbench.results.atomic_files import remove_folder, whole_folder, write_text
from objbench.results.own_files import require_own
from objbench.results.run_folder import studies_in
from objbench.results.study_results import StudyResults, read_comparison, read_study_results
from objbench.results.submissions.foreign_folder import copy_sent
from objbench.results.submissions.marks import (
    Received,
    SentIn,
    read_marks,
    records_digest,
    write_marks,
)

_LONGEST = 60


def place_on(board: Path, results: StudyResults, digest: str, name: str = "") -> Path:
    """Where a submission is to be put on a board: a folder that is not there yet.

    Args:
        board: the board.
        results: the study.
        digest: of the submission.
        name: of the folder, without any path; after the study when "".

    Raises:
        ConfigError: it was accepted before, or the name is taken.
        RecordError: what is known of a study on the board cannot be read.
    """
    for study in studies_in(board):
        marks = read_marks(study)
        if marks is not None and marks.received.submission == digest:
            raise ConfigError(
                f"this submission was accepted before, as {study}: there is nothing to add"
            )
    if name:
        if (board / name).exists():
            raise ConfigError(f"{board / name} is there already: name another with --name")
        return board / name
    made = re.sub(r"[^A-Za-z0-9_-]+", "-", results.plan.name).strip("-")[:_LONGEST] or "study"
    # A second study of the same name stands beside the first.
    return board / (f"{made}-{digest[:8]}" if (board / made).exists() else made)


def add_received(study: Path, copy: Path, received: Received) -> None:
    """Put a checked submission into the folder ``study`` of a board, with its pages.

    Args:
        study: as from ``place_on``.
        copy: the checked files.
        received: what is known of it; its ``records`` are filled in here.

    Raises:
        ConfigError: the folder cannot be written.
    """
    try:
        with whole_folder(study) as folder:
            copy_sent(copy, folder)
            records = {"records": records_digest(folder)}
            write_marks(folder, SentIn(received.model_copy(update=records)))
        write_pages(study)
    except OSError as error:
        raise ConfigError(
            f"{study} cannot be written: {error.strerror}; name another board with --board"
        ) from error
    except BaseException:
        remove_folder(study)
        raise


def write_pages(study: Path) -> None:
    """Write both pages of a study on a board."""
    results = read_study_results(study)
    report = analyse(results, read_comparison(study, results.plan))
    write_leaderboard(study, study, results=results, report=report)
    write_format("html", study, study, results, report)


def refresh(board: Path) -> list[Path]:
    """Write the pages over all studies of a board again, as far as they are there; returns these.

    The index is made where there is none, and a page that was written by hand is left alone.

    Raises:
        ConfigError, RecordError: as ``write_index``.
    """
    written = []
    for name, is_html in (("README.md", False), (PAGE, True)):
        page = require_own(board, name)
        is_ours = page.is_file() and MARK in page.read_text("utf-8", errors="replace")
        if is_ours or (not is_html and not page.exists()):
            written.append(write_index(board, is_html=is_html))
    claims = require_own(board, f"{CLAIMS}/README.md")
    if claims.is_file():
        files = shipped_claims()
        write_text(claims, render_markdown(registry_page(files, claim_evidence(board, files))))
        written.append(claims)
    return written
