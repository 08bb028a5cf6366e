"""The index over a folder of studies: one table, a row per study, then where everything else is.

What it says is made from each study's plan and records and from the claims and figures in the
folder; the same files give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from objbench.errors import ConfigError, one_line
from objbench.judge.formatting import capitalised, listed, three_digits
from objbench.judge.papers.claims import read_claims
from objbench.judge.papers.figures import read_figure
from objbench.judge.papers.published_files import CLAIMS, FIGURES, SELFTEST
from objbench.judge.papers.replay_text import replay_headline
from objbench.leaderboard.across.page import compare_studies
from objbench.leaderboard.across.sentences import headline
from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.document import (
    Block,
    Bullets,
    Cell,
    Comment,
    Heading,
    Inline,
    Link,
    Listing,
    Paragraph,
    Text,
    bullets,
    table,
)
from objbench.leaderboard.headline import compared_words, conclusion, scale_words
from objbench.leaderboard.html.whole_page import PAGE, document_page
from objbench.leaderboard.missing import gaps_sentence
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.report import Report
from objbench.leaderboard.sent_words import standing_words
from objbench.leaderboard.tables.verdicts import claim_words
from objbench.results.atomic_files import write_text
from objbench.results.compared_studies import FILE as ACROSS
from objbench.results.own_files import require_made, require_own
from objbench.results.run_folder import studies_in
from objbench.results.study_results import read_study_results

MARK = "Made by `objbench leaderboard --index`; edits are overwritten."
NOTES, PERFORMANCE = "NOTES.md", "performance.md"
_OPENING = (
    "Each row is one study: pretraining objectives, or recipes, that were trained side by side under "
    "one budget. Its result holds at the scale in its row and says nothing about another; those with "
    "the most seeds come first, since fewer than three settle nothing."
)


def write_index(folder: Path, out: Path | None = None, *, is_html: bool = False) -> Path:
    """Write the index of the studies in ``folder``; returns its path.

    Args:
        folder: has one folder per study, each with its plan.json and records; may also have
            ``claims``, ``figures`` and ``selftest``.
        out: where the index is written; ``folder`` when None.
        is_html: write index.html, not README.md.

    Raises:
        ConfigError: there is no study, or README.md there was written by hand or cannot be
            written.
        RecordError: a plan or a record cannot be read.
    """
    runs = studies_in(folder)
    if not runs:
        raise ConfigError(
            f"{folder} holds no folder with a plan.json: name one that holds studies, such as "
            "leaderboard"
        )
    page = (out or folder) / (PAGE if is_html else "README.md")
    try:
        require_made(
            page,
            MARK,
            f"objbench: move what it says of a study into the study's {NOTES}, and delete it",
        )
        document = index_document(folder, runs, is_html=is_html)
        write_text(page, document_page(document, MARK) if is_html else render_markdown(document))
    except OSError as error:
        raise ConfigError(
            f"the index {page} cannot be written: {error.strerror}; name a folder with --out"
        ) from error
    return page


def index_document(folder: Path, runs: list[Path], *, is_html: bool = False) -> list[Block]:
    """The page over the studies in ``runs``, folders in ``folder``.

    Args:
        is_html: lead to the studies' HTML pages where they have one.
    """
    name = folder.resolve().name
    reports = {run: analyse(read_study_results(run)) for run in runs}
    # Those with the most seeds first: they can settle something.
    order = sorted(
        runs, key=lambda run: (not reports[run].others, -len(reports[run].seeds), run.name)
    )
    # Others of the same comparison stand beside the first, whoever ran them and whatever they say.
    places = {compared_words(reports[run]): place for place, run in reversed([*enumerate(order)])}
    order.sort(key=lambda run: places[compared_words(reports[run])])
    is_mixed = any(report.sent_in is not None for report in reports.values())
    rows = [_row(run, reports[run], is_html=is_html, is_mixed=is_mixed) for run in order]
    return [
        Heading(1, "Results"),
        Comment(MARK),
        Paragraph(_OPENING),
        table(rows, text_columns=7 if is_mixed else 6),
        *_titled("Across scales", list(_across(folder))),
        *_titled("Claims that are judged", list(_claims(folder))),
        *_titled("Published figures, replayed", list(_figures(folder))),
        *_titled("Reliability of the verdicts and timings", list(_tests(folder))),
        Heading(2, "The pages can be rebuilt byte for byte"),
        Paragraph(
            "Each study's folder has its plan and every record. From the folder above this one:"
        ),
        Listing(
            "sh",
            f"objbench leaderboard {name}/{runs[0].name} --out {name}/{runs[0].name}\n"
            f"objbench leaderboard --index {name}",
        ),
    ]


def _row(run: Path, report: Report, *, is_html: bool, is_mixed: bool) -> dict[str, Cell]:
    said = conclusion(report)
    # Names are written as they are given on the command line.
    names = (*report.others, *(suite.suite.name for suite in report.suites))
    said = said if said.startswith(names) else capitalised(said)
    gaps = gaps_sentence(len(report.plan.cells), report.gaps, report.stale)
    page = PAGE if is_html and require_own(run, PAGE).is_file() else "README.md"
    more: tuple[Inline, ...] = (Link("page", f"{run.name}/{page}"),)
    if require_own(run, NOTES).is_file():
        more = (*more, ", ", Link("notes", f"{run.name}/{NOTES}"))
    return {
        "study": run.name,
        "comparison": compared_words(report),
        "scale": _scale(report),
        "seeds": str(len(report.seeds)),
        "result": " ".join(part for part in (f"{said}.", gaps) if part),
        **({"run by": standing_words(report.sent_in)} if is_mixed else {}),
        "details": more,
    }


def _scale(report: Report) -> str | None:
    """Parameters and tokens, with how often the baseline has read the text where that is known."""
    words = scale_words(report)
    tokens = report.plan.data.get("train_tokens")
    if not words or report.scale is None or not isinstance(tokens, int) or tokens <= 0:
        return words or None
    passes = three_digits(report.scale.tokens / tokens)
    return f"{words} ({passes} passes over the text)"


def _across(folder: Path) -> Iterator[Text]:
    """The pages over several of the studies, each with its sentence."""
    for path in sorted(folder.glob(f"*/{ACROSS}")):
        require_own(folder, f"{path.parent.name}/{ACROSS}")
        said = headline(compare_studies([path.parent]))
        yield Link(path.parent.name, f"{path.parent.name}/README.md"), f": {said}"


def _claims(folder: Path) -> Iterator[Text]:
    if require_own(folder, f"{CLAIMS}/README.md").is_file():
        yield (
            Link("The registry of claims", f"{CLAIMS}/README.md"),
            ": where each number was read, on how many runs it rests, and what the studies here say.",
        )
    for path in _files(folder, CLAIMS, "*.toml"):
        file = read_claims(str(path))
        paper = Link(file.source.paper, file.source.url)
        yield (
            Link(path.name, f"{CLAIMS}/{path.name}"),
            f": {file.sides}: {listed([claim_words(claim) for claim in file.claims])}. ",
            paper,
        )


def _figures(folder: Path) -> Iterator[Text | Bullets]:
    for path in _files(folder, FIGURES, "*.json"):
        verdict, *said = replay_headline(read_figure(str(path)))
        yield (Link(path.name, f"{FIGURES}/{path.name}"), f": {verdict}")
        yield Bullets(tuple(f"{text}." for text in said))


def _tests(folder: Path) -> Iterator[Text]:
    for path in _files(folder, SELFTEST, "*.md"):
        yield Link(_title(path), f"{SELFTEST}/{path.name}")
    performance = require_own(folder, PERFORMANCE)
    if performance.is_file():
        yield Link(_title(performance), PERFORMANCE)


def _files(folder: Path, below: str, pattern: str) -> list[Path]:
    """The files of one of the folders beside the studies, sorted by name."""
    found = sorted((folder / below).glob(pattern))
    return [require_own(folder, f"{below}/{path.name}") for path in found]


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return one_line(file.readline().lstrip("# "))


def _titled(title: str, items: Sequence[Text | Bullets]) -> list[Block]:
    return [Heading(2, title), *bullets(items)] if items else []
