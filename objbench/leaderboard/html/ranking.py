"""The ranking as a table that sorts, with groups as bands and a switch for the top group."""

from __future__ import annotations

from collections.abc import Sequence

from objbench.leaderboard.document import Cell
from objbench.leaderboard.html.blocks import blocks_html
from objbench.leaderboard.html.intervals import scale_of
from objbench.leaderboard.html.markup import Html, element, joined
from objbench.leaderboard.html.tables import Bars, quantity_html, table_html
from objbench.leaderboard.quantity import Quantity
from objbench.leaderboard.ranking import Row
from objbench.leaderboard.report import Report, SuiteReport
from objbench.leaderboard.sections import ranking_notes, ranking_title
from objbench.leaderboard.tables.ranking import GROUP, gain_title, ranking_table


def ranking_html(report: Report, suite: SuiteReport) -> Html:
    """The ranking by one suite, of all objectives."""
    table = ranking_table(report, suite, suite.rows)
    letters = "".join(sorted({letter for row in suite.rows for letter in row.group}))
    top = top_group(suite.rows)
    rows = [
        {
            "class_": "baseline" if row.objective == report.baseline else "",
            "data_top": "yes" if row.objective in top else "no",
        }
        for row in suite.rows
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

    is_split = bool(top) and len(top) < len(suite.rows)
    return element(
        "section",
        element("h3", ranking_title(suite)),
        blocks_html(ranking_notes(report, suite, is_cut=False), ""),
        table_html(
            table,
            f"Ranking by {suite.suite.name}",
            bars=bars,
            written={GROUP: bands} if letters else {},
            rows=rows,
            named_by=1,
        ),
        data_top_group=is_split,
    )


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
