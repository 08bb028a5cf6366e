"""The ranking as a table that sorts, with groups as bands and a switch for the top group."""

from __future__ import annotations

from collections.abc import Sequence

from objbench.judge.statistics.ranks import MOST_PAIRED
from objbench.leaderboard.document import Cell
from objbench.leaderboard.html.blocks import blocks_html, fold_html
from objbench.leaderboard.html.intervals import scale_of
from objbench.leaderboard.html.markup import Html, element, joined
from objbench.leaderboard.html.tables import Bars, quantity_html, table_html
from objbench.leaderboard.quantity import Quantity
from objbench.leaderboard.ranking import Row
from objbench.leaderboard.report import Report, SuiteReport
from objbench.leaderboard.sections import ranking_notes, ranking_title
from objbench.leaderboard.tables.ranking import GROUP, gain_title, ranking_table


def ranking_html(report: Report, suite: SuiteReport) -> Html:
    """The ranking by one suite, of all objectives; of very many the best, and all in a fold."""
    is_cut = len(suite.rows) > MOST_PAIRED
    shown = (
        {*suite.above_fold(report.baseline)} if is_cut else {row.objective for row in suite.rows}
    )
    ranked = [row for row in suite.rows if row.objective in shown]
    table, is_split = _table(report, suite, ranked, f"Ranking by {suite.suite.name}")
    title = f"{suite.suite.name}: all {len(suite.rows)} objectives"
    return element(
        "section",
        element("h3", ranking_title(suite)),
        blocks_html(ranking_notes(report, suite, is_cut=is_cut), ""),
        table,
        fold_html(title, _table(report, suite, suite.rows, title)[0]) if is_cut else None,
        data_top_group=is_split,
    )


def _table(
    report: Report, suite: SuiteReport, ranked: Sequence[Row], caption: str
) -> tuple[Html, bool]:
    """The table of some rows, and whether the objectives at the top are a part of them."""
    table = ranking_table(report, suite, ranked)
    letters = "".join(sorted({letter for row in ranked for letter in row.group}))
    top = top_group(ranked)
    rows = [
        {
            "class_": "baseline" if row.objective == report.baseline else "",
            "data_top": "yes" if row.objective in top else "no",
        }
        for row in ranked
    ]
    # The floors come last, and are what every group is to be seen against.
    rows += [{"class_": "floor", "data_top": "yes"}] * (len(table.rows) - len(rows))
    gains = [
        cell
        for row in table.rows
        for cell in row
        if isinstance(cell, Quantity) and cell.notation == "gain"
    ]
    title = gain_title(report)
    bars = None
    if gains:
        bars = Bars(column=title, scale=scale_of(gains, "gain"), title=title)

    def bands(cell: Cell) -> Html:
        if not isinstance(cell, str):
            return quantity_html(cell)
        return joined(
            *(
                element("span", letter, class_="band on")
                if letter in cell
                else element("span", class_="band")
                for letter in letters
            )
        )

    made = table_html(
        table,
        caption,
        bars=bars,
        written={GROUP: bands} if letters else {},
        rows=rows,
        named_by=1,
    )
    return made, bool(top) and len(top) < len(ranked)


def top_group(rows: Sequence[Row]) -> frozenset[str]:
    """The objectives that are not significantly different from the first; none where unknown.

    By the letters where there are some, else by the rank intervals.
    """
    ranked = [row for row in rows if row.rank is not None]
    if not ranked:
        return frozenset()
    letters = set(ranked[0].group)
    if letters:
        return frozenset(row.objective for row in ranked if letters & set(row.group))
    return frozenset(row.objective for row in ranked if row.ranks and row.ranks[0] == 1)
