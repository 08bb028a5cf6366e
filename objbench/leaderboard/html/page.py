"""The page of a study as one HTML file: what is read first comes first, and is the same as in markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from objbench.leaderboard.curve_sections import (
    NO_CURVE,
    convergence_sentences,
    final_blocks,
    target_blocks,
)
from objbench.leaderboard.details import (
    cost_details,
    not_run_blocks,
    settings_details,
    shown_blocks,
    stale_details,
)
from objbench.leaderboard.document import Block, Fold, bullets, paragraph
from objbench.leaderboard.html.blocks import blocks_html, fold_html
from objbench.leaderboard.html.cards import cards_html
from objbench.leaderboard.html.curve_data import figure_data
from objbench.leaderboard.html.gains import gains_html
from objbench.leaderboard.html.markup import Html, data, element, joined
from objbench.leaderboard.html.ranking import ranking_html
from objbench.leaderboard.html.whole_page import Section, whole_page
from objbench.leaderboard.learning_sections import learning_blocks
from objbench.leaderboard.reading import reading
from objbench.leaderboard.report import CurveReport, Report, SuiteReport
from objbench.leaderboard.sections import (
    MARK,
    RANKING,
    VERDICTS,
    opening,
    ranking_lead,
    verdict_lead,
)
from objbench.leaderboard.suite_details import gains_title, suite_details
from objbench.leaderboard.tables.line_spend import line_spend_blocks

_NO_SCRIPT = (
    "The figures of the curves are drawn by a script. Without it, the tables below hold the results, "
    "and `objbench leaderboard` with `--format png` and `--format csv` writes figures and tables as files."
)


def html_page(report: Report, title: str = "", notes: str = "") -> str:
    """The page as text, with a newline at its end.

    Args:
        title: what the study is called; the name in its plan when "".
        notes: the file beside the page with remarks by hand; "" for none.
    """
    sections = list(_sections(report))
    return whole_page(
        f"Leaderboard: {title or report.plan.name}",
        joined(
            blocks_html(opening(report, title, notes), ""),
            element("noscript", element("p", _NO_SCRIPT)),
        ),
        sections,
        MARK,
        data("figures", figure_data(report)),
    )


def _verdicts(report: Report) -> Html:
    """The cards first; how they are to be read is there for whoever asks."""
    lead = blocks_html(verdict_lead(report), "")
    if not report.verdicts:
        return lead
    return joined(cards_html(report), fold_html("How to read a verdict", lead))


def _sections(report: Report) -> Iterator[Section]:
    yield VERDICTS, _verdicts(report)
    learning = learning_blocks(report)
    if learning:
        # The first block is the section's own heading.
        yield "Did the runs learn?", blocks_html(learning[1:], "Whether the runs learnt")
    drawable = [curve for curve in report.curves if curve.is_drawable]
    yield "Curves", _curves(report, drawable)
    yield "Speedup", _speedups(report, drawable)
    ranked = [suite for suite in report.suites if suite.is_ranked]
    if ranked:
        rankings = (ranking_html(report, suite) for suite in ranked)
        yield RANKING, joined(blocks_html(ranking_lead(report), ""), *rankings)
    gains = [found for suite in ranked if (found := gains_html(report, suite)) is not None]
    if gains:
        yield "Gain on each task", joined(*gains)
    yield "Costs", _folds(cost_details(report), first_is_open=True)
    yield "Suites", joined(*(_suite(report, suite) for suite in report.suites))
    yield "What the numbers show", blocks_html(shown_blocks(report), "What the numbers show")
    reading_fold = Fold("How to read this page", bullets(reading(report)))
    not_run = Fold("What was not run", not_run_blocks(report))
    rest = [reading_fold, not_run, *stale_details(report)]
    yield "Settings", _folds([*settings_details(report), *rest], first_is_open=True)


def _curves(report: Report, curves: Sequence[CurveReport]) -> Html:
    if not curves:
        return blocks_html(paragraph(NO_CURVE), "")
    parts = [
        element(
            "section",
            element("h3", curve.source.words),
            element("div", class_="figure", data_figure="curve", data_number=place),
            blocks_html(paragraph(*convergence_sentences(report, curve)), ""),
            data_choice=curve.source.words,
        )
        for place, curve in enumerate(curves)
    ]
    return element("div", *parts, data_choose="Score")


def _speedups(report: Report, curves: Sequence[CurveReport]) -> Html:
    parts = []
    for place, curve in enumerate(curves):
        if not any(item.headline for item in curve.speedups.values()):
            continue
        title = f"Speedup by {curve.source.words}"
        final: list[Block] = final_blocks(report, curve)
        has_figure = any(item.functions for item in curve.speedups.values())
        parts.append(
            element(
                "section",
                element("h3", curve.source.words),
                blocks_html(final, title),
                element("div", class_="figure", data_figure="speedup", data_number=place)
                if has_figure
                else None,
                fold_html(
                    "Speedup at several targets, and how it is found",
                    blocks_html(target_blocks(report, curve), f"{title} at several targets"),
                ),
                fold_html(
                    "Spend until each line", blocks_html(spends, f"Spend: {curve.source.words}")
                )
                if (spends := line_spend_blocks(report, curve))
                else None,
                data_choice=curve.source.words,
            )
        )
    if not parts:
        return blocks_html(paragraph("No objective has a speedup over the baseline to show."), "")
    return element("div", *parts, data_choose="Score")


def _suite(report: Report, suite: SuiteReport) -> Html:
    """What is said of a suite, without the gains on its columns, which have a section."""
    title = gains_title(suite.suite.name)
    folds = suite_details(report, suite)
    kept = [fold for fold in folds if not (isinstance(fold, Fold) and fold.title == title)]
    return blocks_html(kept, suite.suite.name)


def _folds(folds: Sequence[Block], *, first_is_open: bool) -> Html:
    made = [
        fold_html(
            fold.title, blocks_html(fold.blocks, fold.title), is_open=first_is_open and not place
        )
        if isinstance(fold, Fold)
        else blocks_html([fold], "")
        for place, fold in enumerate(folds)
    ]
    return joined(*made)
