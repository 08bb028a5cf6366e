"""Verdict cards: a claim, the verdict on it, the interval drawn, and what it depends on."""

from __future__ import annotations

from objbench.judge.judgement import Judged
from objbench.judge.verdict import NO_GAIN, Verdict
from objbench.judge.verdict_sentence import scale_text, verdict_words
from objbench.leaderboard.html.blocks import blocks_html, fold_html
from objbench.leaderboard.html.intervals import CARD, Scale, card_drawing, scale_of
from objbench.leaderboard.html.markup import Html, element, joined
from objbench.leaderboard.html.tables import quantity_html
from objbench.leaderboard.report import Report
from objbench.leaderboard.tables.verdicts import (
    NONE_FOREMOST,
    claim_words,
    finding_quantity,
    found_cell,
    score_cell,
    seeds_cell,
    verdict_notes,
    verdict_table,
)

_SIGNS: dict[Verdict, str] = {"confirmed": "\N{CHECK MARK}", "refuted": "\N{MULTIPLICATION X}"}
_OPEN, _UNTESTED = "?", "\N{EN DASH}"
NONE_BY_OWN_SCORE = (
    "The study does not test any of these claims by the score that its paper names. By other scores, "
    "secondary and not corrected:"
)
# More notes than these are folded away.
_MOST_NOTES = 2


def cards_html(report: Report) -> Html:
    """A card per claim, by its own score; then, folded away, those by other scores, and the table.

    Where no claim is tested by its own score, the cards by other scores come first, unfolded.
    Where there are many, those that were measured by the claims' own scores, or settled, come first.
    """
    judged = report.listed_verdicts
    if len(report.foremost_verdicts) < len(judged):
        first = list(report.foremost_verdicts)
        title = f"The other verdicts, none of which settles anything ({len(judged) - len(first)})"
    else:
        first = [item for item in judged if item.is_primary]
        title = f"By other scores, secondary and not corrected ({len(judged) - len(first)})"
    others = [item for item in judged if not any(item is other for other in first)]
    if first and others and not any(item.is_tested for item in first):
        # These few are all that was found, so they come before what was not measured.
        parts = [
            element("p", NONE_BY_OWN_SCORE),
            _cards(report, others),
            fold_html(
                f"The claims by their own scores, not tested ({len(first)})", _cards(report, first)
            ),
        ]
    else:
        parts = [_cards(report, first) if first or not judged else element("p", NONE_FOREMOST)]
        if others:
            parts.append(fold_html(title, _cards(report, others)))
    if judged:
        parts.append(
            fold_html("All verdicts as a table", blocks_html(verdict_table(report), "Verdicts"))
        )
    return joined(*parts)


def _cards(report: Report, judged: list[Judged]) -> Html:
    return element("div", *(_card(report, item) for item in judged), class_="cards")


def _card(report: Report, item: Judged) -> Html:
    score = score_cell(report, item)
    sign = _SIGNS.get(item.verdict, _OPEN) if item.is_tested else _UNTESTED
    notes = [element("li", note) for note in verdict_notes(item)]
    return element(
        "article",
        element("h3", item.title),
        element("p", f"{item.file.sides}: {claim_words(item.claim)}", class_="claim"),
        element(
            "p",
            element("span", sign, class_="sign", aria_hidden="true"),
            f" {verdict_words(item)}",
            class_="verdict",
        ),
        _found(item),
        element(
            "dl",
            *_pair("score", score if isinstance(score, str) else ""),
            *_pair("seeds", seeds_cell(item)),
            *_pair("scale", scale_text(item)),
        ),
        element("ul", *notes[:_MOST_NOTES], class_="notes") if notes else None,
        fold_html("more notes", element("ul", *notes[_MOST_NOTES:], class_="notes"))
        if len(notes) > _MOST_NOTES
        else None,
        class_=f"card {item.verdict}",
    )


def _found(item: Judged) -> Html:
    """The estimate in figures, and drawn where it is a number."""
    words = element("p", quantity_html(found_cell(item)), class_="found")
    finding = item.finding
    if finding is None or finding.learnt is not None:
        return words
    found = finding_quantity(item.claim, finding)
    scale = _scale(item)
    no_effect = "1x: no speedup" if scale.is_log else f"{NO_GAIN:g}: no gain"
    return joined(words, card_drawing(found, item.claim.value, scale, no_effect))


def _scale(item: Judged) -> Scale:
    assert item.finding is not None
    found = finding_quantity(item.claim, item.finding)
    return scale_of([found], found.notation, also=[item.claim.value], width=CARD)


def _pair(name: str, value: str) -> list[Html]:
    return [element("dt", name), element("dd", value)] if value else []
