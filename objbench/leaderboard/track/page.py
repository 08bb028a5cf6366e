"""The page over all tracks in a folder: the folder has their files, and beside each its rows.

Layout: ``FOLDER/NAME.toml`` is a track, ``FOLDER/NAME/STUDY/`` a published study whose objectives are its
rows; ``FOLDER/README.md`` and ``FOLDER/index.html`` are the page. The same files give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from objbench.errors import ConfigError, one_line
from objbench.judge.track.rows import Judged, Row, rows_in
from objbench.judge.track.track import Target, Track, read_track
from objbench.leaderboard.document import (
    Block,
    Comment,
    Fold,
    Heading,
    Inline,
    Link,
    Paragraph,
    Text,
    bullets,
    shortened,
)
from objbench.leaderboard.html.whole_page import PAGE, document_page
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.track.ranking import history_blocks, ranking_blocks
from objbench.leaderboard.track.rule_words import clock_points, record_points, rule_points
from objbench.results.atomic_files import write_text
from objbench.results.own_files import require_made, require_own

MARK = "Made by `objbench leaderboard --track` from the records of the rows; edits are overwritten."


def write_track_page(folder: Path, out: Path | None = None, *, is_html: bool = False) -> Path:
    """Write the page over the tracks in ``folder``; returns its path.

    Args:
        folder: of track files and their rows.
        out: where the page is written; ``folder`` when None.
        is_html: write index.html, not README.md.

    Raises:
        ConfigError: there is no track, a track file is none, or the page cannot be written or was
            written by hand.
    """
    page = require_own(out or folder, PAGE if is_html else "README.md")
    document = track_document(folder)
    try:
        require_made(page, MARK, "--track: name another folder with --out")
        write_text(page, document_page(document, MARK) if is_html else render_markdown(document))
    except OSError as error:
        raise ConfigError(
            f"the page {page} cannot be written: {error.strerror}; name a folder with --out"
        ) from error
    return page


def track_document(folder: Path) -> list[Block]:
    """The page over the tracks in ``folder``.

    Raises:
        ConfigError: there is none, or one cannot be read.
    """
    try:
        tracks = [read_track(str(path)) for path in sorted(folder.glob("*.toml"))]
    except ConfigError as error:
        raise ConfigError(
            f"{one_line(error)}; --track takes every .toml file in {folder} for a track: name a folder "
            "of tracks, such as leaderboard/track"
        ) from error
    if not tracks:
        raise ConfigError(
            f"{folder} holds no track file (NAME.toml): name one such as leaderboard/track"
        )
    return [
        Heading(1, "The encoder track"),
        Comment(MARK),
        Paragraph(
            "Which recipe for a text encoder reaches a fixed target with the least compute? Text, "
            "tokenizer, held-out measurement and evaluation points are the same for all; everything else "
            "is the recipe's. A new record needs p < 0.01 against the holder, over at least five seeds "
            "that were declared before the first was run."
        ),
        Paragraph(
            "An evaluation point is a step of a run after which its encoder is scored and its spend is "
            "read. A track fixes how many a run has and at which parts of its budget they are; the last "
            "is at its end."
        ),
        *(block for track in tracks for block in _track(track, folder)),
        Heading(2, "Rules"),
        *bullets(rule_points()),
        Heading(2, "What counts towards the spend"),
        *bullets(clock_points()),
        Heading(2, "How a record is tested"),
        *bullets(record_points()),
    ]


def _track(track: Track, folder: Path) -> Iterator[Block]:
    found = rows_in(track, require_own(folder, track.name))
    rows = [row for judged in found.values() for row in judged.rows]
    yield Heading(2, f"{track.title} ({track.name})")
    yield Paragraph(
        (
            (
                f"{track.text.about} {track.measurement.tokens:,} tokens of held-out text are scored "
                f"at each evaluation point. All that is fixed is in "
            ),
            Link(f"{track.name}.toml", f"{track.name}.toml"),
            ".",
        )
    )
    for target in track.targets:
        yield Heading(3, f"Target: {target.words}")
        if target.about:
            yield Paragraph(target.about)
        yield from ranking_blocks(rows, target)
        history = history_blocks(rows, target)
        if history:
            yield Fold("The rows by date", history)
        yield from bullets(_unscored(rows, target))
    yield from bullets(_studies(track, folder, found))


def _unscored(rows: list[Row], target: Target) -> list[Text]:
    return [
        f"{shortened(row.name, 80)} is not in this ranking: {shortened(row.unscored[target.id])}."
        for row in rows
        if target.id in row.unscored
    ]


def _studies(track: Track, folder: Path, found: dict[str, Judged]) -> list[Text]:
    """Where each row's study is, and what is not ranked and why."""
    said: list[Text] = []
    for name, judged in found.items():
        page = require_own(folder, f"{track.name}/{name}/README.md")
        link: Inline = Link(name, f"{track.name}/{name}/README.md") if page.is_file() else name
        faults = judged.all_faults
        if faults:
            more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
            said.append(("Not ranked: ", link, f": {shortened(faults[0])}{more}."))
        else:
            said.append(("Plan and records: ", link, "."))
    return said
