"""The table of verdicts: one row per claim and score, with what limits it as footnotes."""

from __future__ import annotations

from collections.abc import Sequence

from objbench.judge.formatting import amount, capitalised
from objbench.judge.judgement import Judged
from objbench.judge.obstacle_text import obstacle_texts
from objbench.judge.papers.claims import Claim
from objbench.judge.reliability_text import learnt_counts
from objbench.judge.verdict import Finding
from objbench.judge.verdict_sentence import limits, look_note, number, verdict_words
from objbench.leaderboard.curve_sources import score_words
from objbench.leaderboard.document import (
    Block,
    Cell,
    Fold,
    Notes,
    Strong,
    mark,
    paragraph,
    table,
)
from objbench.leaderboard.quantity import Quantity, quantity
from objbench.leaderboard.report import Report

NOT_MEASURED = "not measured"
NONE_FOREMOST = "No claim was measured by its own score, and none is settled by another."
_TEXT_COLUMNS = 3


def verdict_blocks(report: Report) -> list[Block]:
    """The table and its footnotes; nothing where no claim is about the study's objectives.

    Where many are, those that were measured by the claims' own scores, or settled, come first, and
    all of them are folded.
    """
    verdicts = report.listed_verdicts
    first = report.foremost_verdicts
    if first == verdicts:
        return verdict_table(report)
    shown = verdict_table(report, first) or paragraph(NONE_FOREMOST)
    return [*shown, Fold(f"All {len(verdicts)} verdicts", verdict_table(report))]


def verdict_table(report: Report, verdicts: Sequence[Judged] | None = None) -> list[Block]:
    """The table of ``verdicts``, all of the report when None, and its footnotes.

    What was measured comes before what was not.
    """
    verdicts = report.listed_verdicts if verdicts is None else verdicts
    verdicts = sorted(verdicts, key=lambda item: not item.is_tested)
    notes: dict[str, int] = {}
    lines = [_line(report, item, notes) for item in verdicts]
    if not lines:
        return []
    blocks: list[Block] = [table(lines, _TEXT_COLUMNS)]
    return [*blocks, Notes(tuple(notes))] if notes else blocks


def finding_quantity(claim: Claim, finding: Finding) -> Quantity:
    """What was found of a claim's number, with its interval."""
    return Quantity(
        estimate=finding.estimate,
        low=finding.low,
        high=finding.high,
        notation="speedup" if claim.kind == "speedup" else "gain",
    )


def found_speedups(report: Report) -> list[Quantity]:
    """The speedups in the table, from its first row on."""
    return [
        finding_quantity(item.claim, item.finding)
        for item in report.listed_verdicts
        if item.finding is not None and item.claim.kind == "speedup"
    ]


def smaller_sentence(report: Report) -> str:
    """That "not" means less than claimed, by the first effect that is; "" where there is none."""
    for item in report.listed_verdicts:
        finding = item.finding
        if item.verdict == "refuted" and finding is not None and finding.comparison == "better":
            found, claimed = (
                finding_quantity(item.claim, finding),
                number(item.claim, item.claim.value),
            )
            return (
                f'"Not" means that less was found than is claimed, which may still be a '
                f"{item.claim.kind}: {found.text} is one, though below the {claimed} claimed."
            )
    return ""


def claim_words(claim: Claim) -> str:
    """The claimed number, such as "up to 5.00x in steps" or "+4.80 points"."""
    if claim.kind == "leaves-plateau":
        return "leaves its plateau more often"
    value = quantity(claim.value, "speedup" if claim.kind == "speedup" else "gain").text
    unit = f"in {claim.axis_words}" if claim.kind == "speedup" else "points"
    return f"{claim.qualifier} {value} {unit}".lstrip()


def _line(report: Report, item: Judged, notes: dict[str, int]) -> dict[str, Cell]:
    paper = item.file.scale_of(item.claim)
    # Sorted, so that marks come in the order of their numbers from the table's first row on.
    numbers = [notes.setdefault(note, len(notes) + 1) for note in verdict_notes(item)]
    return {
        "claim": item.title,
        "score": score_cell(report, item),
        "verdict": Strong(verdict_words(item)),
        "estimate [95%]": found_cell(item),
        "claimed": claim_words(item.claim),
        "seeds": seeds_cell(item),
        "paper's scale (parameters, tokens)": f"{amount(paper.parameters)}, {amount(paper.tokens_seen)}",
        "notes": " ".join(mark(number) for number in sorted(numbers)),
    }


def score_cell(report: Report, item: Judged) -> Cell:
    """What it was judged by, or the score that the study lacks; None where it needs none."""
    if item.source:
        return score_words(report.plan, item.source)
    return None if item.claim.kind == "leaves-plateau" else f"{item.named_score} (not scored)"


def found_cell(item: Judged) -> Cell:
    """What was found of the number of a claim, or that nothing was."""
    if item.finding is None:
        return NOT_MEASURED
    if item.finding.learnt is not None:
        return learnt_counts(item.finding.learnt)
    return finding_quantity(item.claim, item.finding)


def seeds_cell(item: Judged) -> str:
    """The seeds that count, of all of the look."""
    whole = len(item.seeds) + len(item.left_out)
    return f"{len(item.seeds)} of {whole}" if item.left_out else str(whole)


def runs_note(claim: Claim) -> str:
    """On how many pretraining runs the paper's number rests; "" where its words leave it open."""
    if claim.runs is None:
        return ""
    return f"the paper has {'one run' if claim.runs == 1 else f'{claim.runs} runs'} per side"


def verdict_notes(item: Judged) -> list[str]:
    """What a verdict depends on, in short sentences."""
    found = [*obstacle_texts(item), look_note(item), *limits(item), runs_note(item.claim)]
    names = {item.source, item.named_score, *(share.objective for share in item.stuck)}
    return [f"{text if text.split()[0] in names else capitalised(text)}." for text in found if text]
