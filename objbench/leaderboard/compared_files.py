"""A comparison of two objectives as files, in the formats of a leaderboard that have tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from objbench.errors import ConfigError
from objbench.leaderboard.compared_pair import MARK
from objbench.leaderboard.document import Block, Heading, plain
from objbench.leaderboard.html.whole_page import PAGE, document_page
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.table_files import json_text, table_files
from objbench.results.atomic_files import write_text
from objbench.results.own_files import require_made, require_own

_SUFFIXES = {"csv": "csv", "latex": "tex"}


def write_compared(out: Path, document: Sequence[Block], formats: Sequence[str]) -> list[Path]:
    """Write the document into ``out``, which is made; returns the files, or a folder of several.

    Args:
        formats: of markdown, html, csv, latex and json.

    Raises:
        ConfigError: ``out`` cannot be written, or a page there was not made here.
    """
    try:
        return [_write(out, document, kind) for kind in formats]
    except OSError as error:
        raise ConfigError(
            f"the folder {out} cannot be written: {error.strerror}; name another with --out"
        ) from error


def _write(out: Path, document: Sequence[Block], kind: str) -> Path:
    match kind:
        case "markdown":
            return _page(out / "README.md", render_markdown(document))
        case "html":
            return _page(out / PAGE, document_page(document, MARK))
        case "json":
            path = out / "tables.json"
            title = next(plain(block.text) for block in document if isinstance(block, Heading))
            write_text(path, json_text(document, title))
            return path
        case _:
            out.mkdir(parents=True, exist_ok=True)
            folder = require_own(out, "tables")
            for name, text in table_files(document, _SUFFIXES[kind]).items():
                write_text(folder / name, text)
            return folder


def _page(path: Path, text: str) -> Path:
    require_made(path, MARK, "objbench compare: name another folder with --out")
    write_text(path, text)
    return path
