"""A comparison of studies as a document: one sentence, then each pair with its table and picture."""

from __future__ import annotations

from collections.abc import Mapping

from objbench.judge.formatting import amount
from objbench.judge.judgement import Judged
from objbench.judge.verdict_sentence import verdict_words
from objbench.leaderboard.across.change_words import (
    change_quantity,
    correction_sentence,
    gain_unit,
    trend_sentences,
)
from objbench.leaderboard.across.comparison import (
    Comparison,
    PairAcross,
    ScoreAcross,
    Series,
    source_words,
)
from objbench.leaderboard.across.reading import reading
from objbench.leaderboard.across.rungs import Rung
from objbench.leaderboard.across.sentences import (
    axis_words,
    compared_sentence,
    headline,
    settings_sentences,
)
from objbench.leaderboard.document import (
    Block,
    Cell,
    Comment,
    Fold,
    Heading,
    Link,
    Paragraph,
    Picture,
    Strong,
    Text,
    bullets,
    paragraph,
    shortened,
    table,
)
from objbench.leaderboard.quantity import Quantity, quantity
from objbench.leaderboard.speedups import speedup_quantity
from objbench.leaderboard.tables.verdicts import claim_words, found_cell, seeds_cell
from objbench.leaderboard.text_bits import bits_sentence

MARK = "Made by `objbench leaderboard --across` from the records; edits are overwritten."

_MOST_DIFFERENCES = 60


def across_document(
    found: Comparison, title: str, pictures: Mapping[PairAcross, str], notes: str = ""
) -> list[Block]:
    """The whole page.

    Args:
        title: what the page is called.
        pictures: pair -> the file of its picture; pairs without one are left out.
        notes: the file beside the page with remarks by hand; "" for none.
    """
    characters = {s.report.characters_per_token for s in found.studies}
    has_bits = any(score.is_in_bits for pair in found.pairs for score in pair.scores)
    # Of studies with another tokenizer each has a number of its own.
    known = next(iter(characters)) if len(characters) == 1 else None
    return [
        Heading(1, f"Across scales: {title}"),
        Comment(MARK),
        Paragraph(Strong(headline(found))),
        *paragraph(compared_sentence(found)),
        *paragraph(
            "Each study is judged by itself, among runs that learnt; intervals are 95% or those of its "
            "look.",
            correction_sentence(found),
            (bits_sentence(known) or _BITS) if has_bits else "",
        ),
        *([Paragraph(("Notes: ", Link(notes, notes), "."))] if notes else []),
        *(block for pair in found.pairs for block in _pair(pair, pictures.get(pair, ""))),
        Heading(2, "Details"),
        *_differences(found),
        Fold("How to read this page", bullets(reading(found))),
    ]


def picture_words(found: PairAcross) -> str:
    """What the picture of a pair shows."""
    return (
        f"speedup of {found.pair.objective} over {found.pair.baseline} with its interval against "
        "the training FLOPs of the baseline, one series per encoder"
    )


def score_table(found: PairAcross, score: ScoreAcross) -> Block:
    """One row per study: its scale, what both sides learnt, the gain and the speedup."""
    has_learning = any(own.is_known for rung in score.rungs for own in rung.learnt)
    lines = [
        _line(found, score, series, rung, has_learning)
        for series in score.series
        for rung in series.rungs
    ]
    return table(lines, text_columns=2)


def _pair(found: PairAcross, picture: str) -> list[Block]:
    blocks: list[Block] = [Heading(2, f"{found.pair.objective} against {found.pair.baseline}")]
    if not found.scores:
        return [*blocks, Paragraph("No score of both is in two studies or more.")]
    for number, score in enumerate(found.scores):
        blocks += [Heading(3, score.words), *bullets(settings_sentences(score))]
        blocks += [score_table(found, score), *bullets(_missing(score))]
        blocks += [*bullets(trend_sentences(score)), *_recipes(score)]
        if number == 0 and picture:
            blocks.append(Picture(picture_words(found), picture))
    return [*blocks, *_verdicts(found)]


def _line(
    found: PairAcross, score: ScoreAcross, series: Series, rung: Rung, has_learning: bool
) -> dict[str, Cell]:
    pair = found.pair
    line: dict[str, Cell] = {"study": rung.study, "encoder": series.name}
    line["parameters"] = None if rung.scale is None else amount(rung.scale.parameters)
    line["tokens"] = None if rung.scale is None else amount(rung.scale.tokens)
    line["FLOPs"] = None if rung.flops is None else quantity(rung.flops, "amount")
    if has_learning:
        base, own = (own.share or "not known" for own in rung.learnt)
        line[f"learnt: {pair.baseline}, {pair.objective}"] = f"{base}, {own}"
    line[f"{pair.baseline}, {gain_unit(score)}"] = rung.base
    line[f"gain, {gain_unit(score)} [95%]"] = rung.gain_quantity
    if any(other.speedup is not None for other in score.rungs):
        line[f"speedup in {axis_words(score)} [95%]"] = _speedup(rung)
        line["to two thirds' score"] = rung.early
    line["pairs of runs"] = None if rung.pairs is None else str(rung.pairs)
    return line


def _speedup(rung: Rung) -> Quantity | None:
    return None if rung.speedup is None else speedup_quantity(rung.speedup)


def _recipes(score: ScoreAcross) -> list[Block]:
    """What two recipes give at one scale, one less or divided by the other."""
    rows: dict[tuple[int, ...], dict[str, Cell]] = {}
    for own in score.recipes:
        first, second = own.rungs
        row = rows.setdefault(
            (id(first), id(second)),
            {
                "studies": f"{first.study}, {second.study}",
                "encoders": " against ".join(own.recipes),
                f"gain, difference in {gain_unit(score)} [95%]": None,
                "speedup, ratio [95%]": None,
                "significant": "no",
            },
        )
        title = next(name for name in row if name.startswith(own.effect))
        row[title] = change_quantity(score, own.effect, own.found)
        if own.is_significant:
            named = [] if row["significant"] == "no" else [str(row["significant"])]
            row["significant"] = ", ".join([*named, own.effect])
    if not rows:
        return []
    return [*paragraph("Encoders at one scale:"), table(list(rows.values()), text_columns=2)]


def _missing(score: ScoreAcross) -> list[Text]:
    """Why a study has no gain or no speedup, or why they show nothing."""
    found: list[Text] = []
    for rung in score.rungs:
        if rung.held_back:
            found.append(shortened(f"{rung.study}: nothing follows, because {rung.held_back}."))
        elif rung.why:
            found.append(shortened(f"{rung.study}: {rung.why}."))
    return found


def _verdicts(found: PairAcross) -> list[Block]:
    if not found.verdicts:
        return []
    rows: dict[bool, list[dict[str, Cell]]] = {True: [], False: []}
    for study, item in found.verdicts:
        rows[item.is_primary].append(
            {
                "claim": item.title,
                "claimed": claim_words(item.claim),
                "study": study,
                "score": _score(item),
                "verdict": Strong(verdict_words(item)),
                "estimate [95%]": found_cell(item),
                "seeds": seeds_cell(item),
            }
        )
    for own in rows.values():
        own.sort(key=lambda row: str(row["claim"]))
    blocks: list[Block] = [Heading(3, "Verdicts on papers' claims, study by study")]
    if rows[True]:
        blocks.append(table(rows[True], text_columns=5))
    if rows[False]:
        fold = "Secondary verdicts: by scores that the claims do not name"
        blocks.append(Fold(fold, [table(rows[False], text_columns=5)]))
    return blocks


def _score(item: Judged) -> str | None:
    """What a verdict was judged by, or the score that the study lacks; None where it needs none."""
    if item.source:
        return source_words(item.source)
    if item.claim.kind == "leaves-plateau":
        return None
    return f"{item.file.score_of(item.claim).suite} (not scored)"


def _differences(found: Comparison) -> list[Block]:
    rows: list[dict[str, Cell]] = [
        {"setting": place, "values": words} for place, words in found.differences
    ]
    if not rows:
        return paragraph("The studies do not differ in any setting.")
    shown = rows[:_MOST_DIFFERENCES]
    rest = f"The first {len(shown)} of {len(rows)} settings." if len(rows) > len(shown) else ""
    title = "In which settings the studies differ"
    return [Fold(title, [*paragraph(rest), table(shown, text_columns=2)])]


_BITS = (
    "Bits per character are the loss divided by ln 2 and by the characters per token of each study's "
    "held-out text; only the same kind of prediction of the same text compares."
)
