"""A report as a document: a page that is understood in one minute, then its details.

First one sentence, the verdicts, the picture of the curves and the ranking. ``details`` has the
rest, folded away below them.
"""

from __future__ import annotations

from objbench.judge.formatting import listed
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.judge.statistics.ranks import MOST_GROUPED, MOST_PAIRED
from objbench.judge.verdict_sentence import correction_sentence
from objbench.leaderboard.compared_objectives import compared_blocks
from objbench.leaderboard.curve_sections import main_curves
from objbench.leaderboard.details import details
from objbench.leaderboard.document import (
    Block,
    Comment,
    Fold,
    Heading,
    Link,
    Paragraph,
    Strong,
    paragraph,
    shortened,
)
from objbench.leaderboard.findings import uncounted_words
from objbench.leaderboard.headline import headline, scale_words
from objbench.leaderboard.held_back import no_verdict_sentence
from objbench.leaderboard.learning_sections import learning_blocks, learning_sentence
from objbench.leaderboard.missing import gaps_sentence
from objbench.leaderboard.report import Report, SuiteReport
from objbench.leaderboard.sent_words import sent_blocks
from objbench.leaderboard.shared_start import start_sentence
from objbench.leaderboard.tables.bounds import bounds_sentence
from objbench.leaderboard.tables.ranking import ranking_table
from objbench.leaderboard.tables.verdicts import found_speedups, smaller_sentence, verdict_blocks

VERDICTS, RANKING = "Verdicts on papers' claims", "Ranking"

MARK = "Made by `objbench leaderboard` from the records; edits are overwritten."


def page_document(report: Report, title: str = "", notes: str = "") -> list[Block]:
    """The whole page.

    Args:
        title: what the study is called; the name in its plan when "".
        notes: the file beside the page with remarks by hand; "" for none.
    """
    return [
        *opening(report, title, notes),
        *_verdicts(report),
        *learning_blocks(report),
        *main_curves(report),
        *_rankings(report),
        Heading(2, "Details"),
        *details(report),
    ]


def opening(report: Report, title: str = "", notes: str = "") -> list[Block]:
    """The title, the sentence to be quoted, and what must be known at once; as ``page_document``."""
    return [
        Heading(1, f"Leaderboard: {title or report.plan.name}"),
        Comment(MARK),
        *sent_blocks(report.sent_in),
        Paragraph(Strong(headline(report))),
        *compared_blocks(report.plan),
        *paragraph(learning_sentence(report)),
        *paragraph(start_sentence(report.plan)),
        *([Paragraph(("Notes: ", Link(notes, notes), "."))] if notes else []),
        *paragraph(gaps_sentence(len(report.plan.cells), report.gaps, report.stale)),
    ]


def verdict_lead(report: Report) -> list[Block]:
    """How the verdicts are to be read; or that there is none."""
    if not report.verdicts:
        return paragraph(
            "None of the bundled claims concerns these objectives, so there is no verdict."
        )
    here = scale_words(report) or "not recorded"
    lead = (
        "A claim is reproduced if the whole 95% interval is at or above the claimed value, not "
        'reproduced if it is wholly below, and otherwise inconclusive. Rows that say "found by" or '
        '"not found by" are secondary: by a score that the claim does not name, and not corrected '
        f"for the number of scores. Everything applies to this scale only ({here})."
    )
    untested = any(not item.is_tested for item in report.verdicts)
    return paragraph(
        lead,
        smaller_sentence(report),
        "A claim is not tested if the study lacks the score that it names." if untested else "",
        correction_sentence(report.verdicts),
        bounds_sentence(found_speedups(report)),
    )


def _verdicts(report: Report) -> list[Block]:
    title = [Heading(2, VERDICTS)] if report.verdicts else []
    return [*title, *verdict_lead(report), *verdict_blocks(report)]


def _rankings(report: Report) -> list[Block]:
    blocks: list[Block] = []
    for suite in report.suites:
        if suite.is_ranked:
            blocks += [Heading(3, ranking_title(suite)), *_ranking(report, suite)]
    return [Heading(2, RANKING), *ranking_lead(report), *blocks] if blocks else []


def ranking_title(suite: SuiteReport) -> str:
    """What a ranking is by."""
    better = "higher" if suite.suite.direction == "max" else "lower"
    return f"{suite.suite.name}: {suite.suite.average_label}, {better} is better"


def ranking_lead(report: Report) -> list[Block]:
    """How the rankings are to be read."""
    seeds = len(report.look.seeds)
    over = f"{seeds} seeds"
    if any(runs.seeds("stuck") for runs in report.learning.values()):
        over = f"the runs that learnt (at least {MIN_RUNS})"
    lead = (
        f"Brackets: 95% t-interval over {over}, paired by seed for gains. A positive gain is better."
        if seeds >= MIN_RUNS
        else f"{_averaged(seeds)} A positive gain is better."
    )
    if seeds >= MIN_RUNS and report.others:
        lead += f" {_compared_words(report)}"
    return [Paragraph(lead)]


def _compared_words(report: Report) -> str:
    """By what of the table objectives are called different."""
    objectives = len(report.plan.objectives)
    if objectives <= MOST_GROUPED:
        return "Objectives sharing a group letter are not significantly different."
    if objectives <= MOST_PAIRED:
        return (
            f"Of more than {MOST_GROUPED} objectives, the intervals of their ranks alone show which "
            "differ."
        )
    return (
        f"Of more than {MOST_PAIRED} objectives each is compared with {report.baseline} alone, since "
        f"{objectives * (objectives - 1) // 2:,} pairs at once would leave hardly any difference "
        f"significant: up to {objectives - 1:,} paired t-tests with Holm's correction (5% in all), which "
        f"holds although all share {report.baseline}'s runs. To compare two others, use "
        "objbench compare."
    )


def _averaged(seeds: int) -> str:
    if seeds == 1:
        return "Scores of one seed, which gives no confidence interval."
    return f"Means over {seeds} seeds: too few for a confidence interval."


def ranking_notes(report: Report, suite: SuiteReport, *, is_cut: bool) -> list[Block]:
    """Who is not ranked and why, and what the comparison leaves out.

    Args:
        is_cut: the table has the best alone.
    """
    unranked = [f"{row.objective} ({row.why})" for row in suite.rows if row.rank is None]
    words = uncounted_words(report, report.others)
    return paragraph(
        shortened(f"{words}.") if words else "",
        shortened(f"Not ranked: {listed(unranked)}.") if unranked else "",
        f"The baseline and the best of {len(suite.rows)}; all are in the fold below."
        if is_cut
        else "",
        no_verdict_sentence(suite),
    )


def _ranking(report: Report, suite: SuiteReport) -> list[Block]:
    shown = suite.above_fold(report.baseline)
    is_cut = len(shown) < len(suite.rows)
    blocks = [
        *ranking_notes(report, suite, is_cut=is_cut),
        ranking_table(report, suite, [row for row in suite.rows if row.objective in shown]),
    ]
    if is_cut:
        title = f"{suite.suite.name}: all {len(suite.rows)} objectives"
        blocks.append(Fold(title, [ranking_table(report, suite, suite.rows)]))
    return blocks
