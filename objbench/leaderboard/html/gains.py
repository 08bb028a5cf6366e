"""The gain on each column of a suite as a forest plot, one objective at a time."""

from __future__ import annotations

from objbench.leaderboard.document import Table, paragraph
from objbench.leaderboard.html.blocks import blocks_html
from objbench.leaderboard.html.intervals import scale_of
from objbench.leaderboard.html.markup import Html, element
from objbench.leaderboard.html.tables import Bars, table_html
from objbench.leaderboard.quantity import Quantity
from objbench.leaderboard.report import Report, SuiteReport
from objbench.leaderboard.suite_details import gains_sentence
from objbench.leaderboard.tables.columns import GAIN, floor_note, gain_table, look_note


def gains_html(report: Report, suite: SuiteReport) -> Html | None:
    """A table per objective above the fold, with its gains drawn; None without gains."""
    shown = suite.above_fold(report.baseline)
    order = {name: place for place, name in enumerate(shown)}
    found = sorted(
        (own for own in suite.gains if own.objective in order), key=lambda own: order[own.objective]
    )
    if not found:
        return None
    tables = {own.objective: gain_table(report, suite, own) for own in found}
    name = suite.suite.name
    parts = [
        element(
            "section",
            element("h4", f"{objective} against {report.baseline}"),
            table_html(
                table,
                f"Gains of {objective} on {name}",
                bars=Bars(column=GAIN, scale=scale_of(_gains(table), "gain"), title=GAIN),
            ),
            data_choice=objective,
        )
        for objective, table in tables.items()
    ]
    return element(
        "section",
        element("h3", name),
        blocks_html(paragraph(gains_sentence(report), look_note(report), floor_note(suite)), ""),
        element("div", *parts, data_choose="Objective"),
    )


def _gains(table: Table) -> list[Quantity]:
    place = table.columns.index(GAIN)
    return [cell for row in table.rows if isinstance(cell := row[place], Quantity)]
