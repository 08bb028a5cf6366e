"""The folder of a page across scales: the page, its pictures, and which studies it was made from.

The same records give the same bytes, in whatever order the studies are named.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from objbench.errors import ConfigError
from objbench.leaderboard.across.comparison import Comparison, PairAcross, Series, compare
from objbench.leaderboard.across.sections import MARK, across_document
from objbench.leaderboard.across.sentences import axis_words
from objbench.leaderboard.across.studies import read_studies
from objbench.leaderboard.html.whole_page import PAGE, document_page
from objbench.leaderboard.pictures.scales import MOST_PANELS, Panel, ScalePoint, scales_picture
from objbench.leaderboard.render_markdown import render_markdown
from objbench.results.atomic_files import write_text
from objbench.results.compared_studies import (
    compared,
    has_compared,
    read_compared,
    write_compared,
)
from objbench.results.own_files import require_made, require_own

NOTES = "NOTES.md"
_PICTURES = "scales-*.svg"
_LONGEST_STEM = 60


def compare_studies(folders: Sequence[Path]) -> Comparison:
    """What the studies in ``folders`` show together.

    Args:
        folders: of runs or published studies; or one folder of a page that was made before.

    Raises:
        ConfigError: there are fewer than two studies, one is named twice, two have runs in common,
            or no two have a pair in common.
        RecordError: a plan, a record or the list of studies is missing or cannot be read.
    """
    if len(folders) == 1 and has_compared(folders[0]):
        folders = read_compared(folders[0])
    return compare(read_studies(folders))


def write_across(folders: Sequence[Path], out: Path, found: Comparison) -> Path:
    """Write the page of ``found`` into ``out``; returns its path.

    Args:
        folders: as for ``compare_studies``, which made ``found``.

    Raises:
        ConfigError: ``out`` has a README.md that was not made here, or cannot be written.
    """
    page = out / "README.md"
    title = out.resolve().name
    notes = NOTES if require_own(out, NOTES).is_file() else ""
    files = pictures(found)
    text = render_markdown(
        across_document(found, title, {p: f for p, (f, _) in files.items()}, notes)
    )
    made = {name: content for name, content in files.values()}
    try:
        require_made(page, MARK, "--across: name another folder with --out, or delete it")
        out.mkdir(parents=True, exist_ok=True)
        for older in out.glob(_PICTURES):
            if older.name not in made:
                older.unlink()
        for name, picture in made.items():
            write_text(out / name, picture.decode())
        if not (len(folders) == 1 and has_compared(folders[0])):
            write_compared(out, compared(out, folders))
        write_text(page, text)
    except OSError as error:
        raise ConfigError(
            f"the page {page} cannot be written: {error.strerror}; name a folder with --out"
        ) from error
    return page


def write_across_html(out: Path, found: Comparison) -> Path:
    """Write ``found`` into ``out`` as one HTML file; returns its path.

    Raises:
        ConfigError: ``out`` has such a file that was not made here, or cannot be written.
    """
    page = out / PAGE
    notes = NOTES if require_own(out, NOTES).is_file() else ""
    files = pictures(found)
    names = {pair: name for pair, (name, _) in files.items()}
    document = across_document(found, out.resolve().name, names, notes)
    try:
        require_made(page, MARK, "--across: name another folder with --out")
        write_text(page, document_page(document, MARK, dict(files.values())))
    except OSError as error:
        raise ConfigError(
            f"the page {page} cannot be written: {error.strerror}; name a folder with --out"
        ) from error
    return page


def default_folder(folders: Sequence[Path]) -> Path:
    """Where the page is written unless --out says so: "across" beside the studies."""
    if len(folders) == 1:
        return folders[0]
    return Path(os.path.commonpath([folder.resolve().parent for folder in folders])) / "across"


def pictures(found: Comparison) -> dict[PairAcross, tuple[str, bytes]]:
    """Pair -> the file of its picture and what is in it, for those that have a speedup to draw."""
    made = {}
    for number, pair in enumerate(found.pairs, start=1):
        scores = {score.words: _panel(score.series) for score in pair.scores}
        drawn = {words: panel for words, panel in scores.items() if panel}
        if not drawn:
            continue
        drawn = dict(list(drawn.items())[:MOST_PANELS])
        stem = re.sub(r"[^A-Za-z0-9_.]+", "-", pair.pair.objective)[:_LONGEST_STEM]
        axes = axis_words(next(score for score in pair.scores if score.words in drawn))
        title = f"{pair.pair.objective} against {pair.pair.baseline}"
        picture = scales_picture(drawn, f"speedup in {axes}", title=title)
        made[pair] = (f"scales-{number}-{stem}.svg", picture)
    return made


def _panel(series: Sequence[Series]) -> Panel:
    """The studies with a speedup whose budget is known, by the name of their series."""
    found = {}
    for own in series:
        points = [
            ScalePoint(
                flops=rung.flops,
                estimate=rung.speedup.estimate,
                low=rung.speedup.low,
                high=rung.speedup.high,
            )
            for rung in own.rungs
            if rung.speedup is not None and rung.flops
        ]
        if points:
            found[own.name] = points
    return found
