"""A report as a document: a page that is understood in one minute, then its details.

First one sentence, the verdicts, the picture of the curves and the ranking. Everything else is
folded away below them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from objbench.judge.formatting import listed
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.leaderboard.comparable_losses import comparable_losses
from objbench.leaderboard.curve_sections import curve_details, main_curve
from objbench.leaderboard.document import (
    Block,
    Cell,
    Comment,
    Fold,
    Heading,
    Link,
    Listing,
    Paragraph,
    Strong,
    bullets,
    paragraph,
    shortened,
    table,
)
from objbench.leaderboard.findings import findings, uncounted_words
from objbench.leaderboard.headline import headline, scale_words
from objbench.leaderboard.judge_rates import rates_sentences
from objbench.leaderboard.missing import gaps_sentence, missing_tasks
from objbench.leaderboard.reading import reading
from objbench.leaderboard.report import Report, SuiteReport
from objbench.leaderboard.settings import budget_sentence, seeds_words
from objbench.leaderboard.shared_start import start_sentence
from objbench.leaderboard.tables.columns import budget_table, column_table, gain_table
from objbench.leaderboard.tables.costs import (
    cost_table,
    heldout_table,
    step_sentence,
    step_table,
)
from objbench.leaderboard.tables.ranking import ranking_table, seeds_table
from objbench.leaderboard.tables.settings import (
    gaps_table,
    objectives_table,
    settings_table,
    stale_table,
)
from objbench.leaderboard.tables.tuning import tuning_sentence, tuning_table
from objbench.leaderboard.tables.verdicts import bounds_sentence, verdict_blocks
from objbench.results.heldout_loss_names import AFTER

MARK = "Made by `objbench leaderboard` from the records; edits are overwritten."
NOT_MEASURED = "Steps were not compared: that is done when one process runs a study."

_ARRANGED = (
    f'"mlm{AFTER}sop" is the loss of mlm on text that sop has rearranged, which is not '
    "comparable with a loss of mlm on text as it is."
)


def page_document(report: Report, title: str = "", notes: str = "") -> list[Block]:
    """The whole page.

    Args:
        title: what the study is called; the name in its plan when "".
        notes: the file beside the page with remarks by hand; "" for none.
    """
    return [
        Heading(1, f"Leaderboard: {title or report.plan.name}"),
        Comment(MARK),
        Paragraph(Strong(headline(report))),
        *paragraph(start_sentence(report.plan)),
        *([Paragraph(("Notes by hand: ", Link(notes, notes), "."))] if notes else []),
        *paragraph(gaps_sentence(len(report.plan.cells), report.gaps, report.stale)),
        *_verdicts(report),
        *main_curve(report),
        *_rankings(report),
        Heading(2, "Details"),
        *_details(report),
    ]


def _verdicts(report: Report) -> list[Block]:
    blocks = verdict_blocks(report)
    if not blocks:
        return paragraph(
            "None of the bundled claims concerns these objectives, so there is no verdict."
        )
    here = scale_words(report) or "not recorded"
    lead = (
        "A claim is confirmed if the whole 95% interval is at or above the claimed value, not "
        f"reproduced if it is wholly below. Verdicts apply to this scale only ({here})."
    )
    return [
        Heading(2, "Verdicts on papers' claims"),
        *paragraph(lead, bounds_sentence(report)),
        *blocks,
    ]


def _rankings(report: Report) -> list[Block]:
    blocks: list[Block] = []
    for suite in report.suites:
        if suite.is_ranked:
            better = "higher" if suite.suite.direction == "max" else "lower"
            score = f"{suite.suite.name}: {suite.suite.average_label}, {better} is better"
            blocks += [Heading(3, score), *_ranking(report, suite)]
    if not blocks:
        return []
    lead = (
        f"Brackets: 95% t-interval over {len(report.seeds)} seeds, paired by seed for gains. A "
        "positive gain is better."
        if len(report.seeds) >= MIN_RUNS
        else f"{_averaged(len(report.seeds))} A positive gain is better."
    )
    if len(report.seeds) >= MIN_RUNS and len(report.others) > 0:
        lead += " Objectives sharing a group letter are not significantly different."
    return [Heading(2, "Ranking"), Paragraph(lead), *blocks]


def _averaged(seeds: int) -> str:
    if seeds == 1:
        return "Scores of one seed, which gives no confidence interval."
    return f"Means over {seeds} seeds: too few for a confidence interval."


def _ranking(report: Report, suite: SuiteReport) -> list[Block]:
    unranked = [f"{row.objective} ({row.why})" for row in suite.rows if row.rank is None]
    words = uncounted_words(report, report.others)
    return [
        *paragraph(
            f"{words}." if words else "",
            f"Not ranked: {shortened(listed(unranked))}." if unranked else "",
        ),
        ranking_table(report, suite),
    ]


def _details(report: Report) -> list[Block]:
    return [
        _fold("What the numbers show, and what they do not", _shown(report)),
        *(fold for suite in report.suites for fold in _suite_details(report, suite)),
        *curve_details(report),
        *_cost_details(report),
        _fold("How to read this page", bullets(reading(report))),
        *_settings_details(report),
        _fold("What was not run", _not_run(report)),
        *(
            [
                _fold(
                    "Stale records",
                    [
                        Paragraph(
                            "Made with code, data or settings that have changed since; not "
                            "counted above."
                        ),
                        *stale_table(report.stale),
                    ],
                )
            ]
            if report.stale
            else []
        ),
    ]


def _fold(title: str, blocks: list[Block]) -> Fold:
    return Fold(title, tuple(blocks))


def _shown(report: Report) -> list[Block]:
    text = " ".join(
        part
        for part in (
            budget_sentence(report.plan),
            f"Seeds: {seeds_words(report.plan)}.",
            _machines(report.devices),
        )
        if part
    )
    scale = (
        f"Measured at {scale_words(report)}; nothing here says what happens at another scale."
        if report.scale
        else ""
    )
    rates = rates_sentences(report.rates) if report.verdicts else []
    shown = [*findings(report), *missing_tasks(s.suite for s in report.suites), scale]
    return [
        Paragraph(text),
        *bullets([item for item in (*shown, *report.caveats, *rates) if item]),
    ]


def _machines(devices: Sequence[str]) -> str:
    if not devices:
        return ""
    which = "one machine" if len(devices) == 1 else f"{len(devices)} machines"
    return f"All runs used {which}: {listed(devices)}."


def _suite_details(report: Report, suite: SuiteReport) -> list[Block]:
    name = suite.suite.name
    protocol = f"{suite.suite.summary.rstrip('.')}. Protocol: {suite.suite.protocol.rstrip('.')}."
    if not suite.is_ranked:
        protocol += " It has no average: its numbers are neither better nor worse."
    blocks: list[Block] = [
        Paragraph(protocol),
        *paragraph(suite.unscored),
        column_table(report, suite),
    ]
    if suite.interquartile:
        blocks += _interquartile(report, suite)
    folds: list[Block] = [_fold(f"{name}: protocol and columns", blocks)]
    seeds = seeds_table(report, suite)
    if seeds:
        folds.append(_fold(f"{name}: the score of every seed", seeds))
    if suite.along_budget is not None:
        number = len(report.seeds)
        means = Paragraph(
            "Scores of one pretraining seed."
            if number == 1
            else f"Means over {number} pretraining seeds."
        )
        along = budget_table(report, suite, suite.along_budget)
        folds.append(_fold(f"{name} over the budget", [means, along]))
    if suite.gains:
        blocks = [Paragraph(_gains_sentence(report))]
        for gains in suite.gains:
            blocks += [
                Heading(4, f"{gains.objective} against {report.baseline}"),
                gain_table(report, gains),
            ]
        folds.append(_fold(f"{name}: the gain on each column", blocks))
    if suite.other_curves:
        lines: list[dict[str, Cell]] = [
            {"objective": item.name, **_texts(suite, item.name)} for item in report.plan.objectives
        ]
        folds.append(_fold(f"{name}: other numbers of its curves", [table(lines)]))
    return folds


def _texts(suite: SuiteReport, objective: str) -> dict[str, Cell]:
    return {column: values[objective].text for column, values in suite.other_curves.items()}


def _interquartile(report: Report, suite: SuiteReport) -> list[Block]:
    groups = [" and ".join(group) for group in suite.suite.average_groups]
    text = (
        f"Interquartile mean of the gains over {report.baseline}: the mean of the middle half of "
        f"all seeds x {len(groups)} tasks ({listed(groups)})."
    )
    if len(report.seeds) >= MIN_RUNS:
        text += " Its interval is t with the standard error of a bootstrap over the seeds."
    lines: list[dict[str, Cell]] = [
        {"objective": name, "interquartile mean gain": found}
        for name, found in suite.interquartile.items()
    ]
    return [Paragraph(text), table(lines)]


def _gains_sentence(report: Report) -> str:
    text = (
        "Differences are paired by seed; the per-column contributions sum to the gain of the "
        "average."
    )
    if len(report.seeds) < MIN_RUNS:
        return text
    return (
        f"{text} Significant: by the paired t-test at 5%, corrected for the number of columns "
        "(Holm). The gains without a column are not corrected: they are one verdict seen several "
        "times."
    )


def _cost_details(report: Report) -> list[Block]:
    means = Paragraph("Means over the finished pretraining seeds; the largest peak memory.")
    folds = [_fold("Cost of pretraining", [means, cost_table(report)])]
    steps: list[Block] = [Paragraph(NOT_MEASURED)]
    if report.steps is not None:
        steps = [step_table(report.steps), Paragraph(step_sentence(report.steps))]
    folds.append(_fold("Cost of an optimizer step", steps))
    losses = heldout_table(report)
    if losses is not None:
        is_arranged = any(AFTER in title for title in losses.columns)
        text = comparable_losses(report) + (f" {_ARRANGED}" if is_arranged else "")
        folds.append(_fold("Loss on held-out text", [Paragraph(text), losses]))
    return [*folds]


def _settings_details(report: Report) -> list[Block]:
    plan = report.plan
    whole = json.dumps(
        {"study": plan.study, "data": plan.data}, indent=1, sort_keys=True, ensure_ascii=False
    )
    folds = [
        _fold(
            "Settings",
            [Listing("sh", plan.command), objectives_table(report), settings_table(report)],
        )
    ]
    if report.tuning is not None:
        text = Paragraph(tuning_sentence(report.tuning))
        folds.append(_fold("Tuning trials", [text, tuning_table(report.tuning)]))
    return [*folds, _fold("Every setting", [Listing("json", whole)])]


def _not_run(report: Report) -> list[Block]:
    names = [f"{f.name} ({f.objective} against {f.baseline})" for f in report.other_claims]
    found = [
        "" if report.gaps else "Every planned cell was run.",
        *missing_tasks(suite.suite for suite in report.suites),
        f"Not judged, since an objective is not in the study: {listed(names)}." if names else "",
    ]
    return [*bullets([text for text in found if text]), *gaps_table(report.gaps)]
