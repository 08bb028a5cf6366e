"""What is folded away below a page's first minute: findings, costs, settings, what is missing."""

from __future__ import annotations

import json
from collections.abc import Sequence

from objbench.judge.formatting import listed, named
from objbench.judge.score_source import HELDOUT
from objbench.leaderboard.comparable_losses import comparable_losses
from objbench.leaderboard.curve_sections import curve_details
from objbench.leaderboard.document import Block, Fold, Listing, Paragraph, bullets, paragraph
from objbench.leaderboard.findings import findings
from objbench.leaderboard.headline import scale_words
from objbench.leaderboard.judge_rates import rates_sentences
from objbench.leaderboard.line_words import bigram_words
from objbench.leaderboard.missing import missing_tasks
from objbench.leaderboard.reading import reading
from objbench.leaderboard.report import Report
from objbench.leaderboard.settings import budget_sentence, seeds_words
from objbench.leaderboard.suite_details import suite_details
from objbench.leaderboard.tables.costs import (
    cost_table,
    heldout_table,
    step_sentence,
    step_table,
)
from objbench.leaderboard.tables.settings import (
    gaps_table,
    objectives_table,
    settings_table,
    stale_table,
)
from objbench.leaderboard.tables.tuning import tuning_sentence, tuning_table
from objbench.leaderboard.text_bits import BITS, bits_sentence
from objbench.results.heldout_loss_names import AFTER

NOT_MEASURED = "Steps were not compared: that is done when one process runs a study."

_ARRANGED = (
    f'"mlm{AFTER}sop" is the loss of mlm on text that sop has rearranged, which is not '
    "comparable with a loss of mlm on text as it is."
)


def details(report: Report) -> list[Block]:
    """Everything but a page's first minute, each kind in a fold."""
    return [
        Fold("What the numbers show, and what they do not", shown_blocks(report)),
        *(fold for suite in report.suites for fold in suite_details(report, suite)),
        *curve_details(report),
        *cost_details(report),
        Fold("How to read this page", bullets(reading(report))),
        *settings_details(report),
        Fold("What was not run", not_run_blocks(report)),
        *stale_details(report),
    ]


def shown_blocks(report: Report) -> list[Block]:
    """What may be said of the numbers, and what they do not show."""
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


def cost_details(report: Report) -> list[Fold]:
    """What pretraining and a step of it took, and the held-out losses it ended with."""
    means = Paragraph("Means over the finished pretraining seeds; the largest peak memory.")
    folds = [Fold("Cost of pretraining", [means, cost_table(report)])]
    steps: list[Block] = [Paragraph(NOT_MEASURED)]
    if report.steps is not None:
        steps = [step_table(report.steps), Paragraph(step_sentence(report.steps))]
    folds.append(Fold("Cost of an optimizer step", steps))
    losses = heldout_table(report)
    if losses is not None:
        is_arranged = any(AFTER in title for title in losses.columns)
        text = comparable_losses(report) + (f" {_ARRANGED}" if is_arranged else "")
        # Elsewhere it is said where whether the runs learnt is.
        is_first = BITS in losses.columns and not any(r.is_known for r in report.learning.values())
        words = bits_sentence(report.characters_per_token) if is_first else ""
        folds.append(Fold("Loss on held-out text", [*paragraph(text, words), losses]))
    return folds


def settings_details(report: Report) -> list[Fold]:
    """How the study was made: its settings, what was tuned, and everything that was asked for."""
    plan = report.plan
    whole = json.dumps(
        {"study": plan.study, "data": plan.data}, indent=1, sort_keys=True, ensure_ascii=False
    )
    folds = [
        Fold(
            "Settings",
            [Listing("sh", plan.command), objectives_table(report), settings_table(report)],
        )
    ]
    if report.tuning is not None:
        texts = paragraph(tuning_sentence(report.tuning), _tuning_line(report))
        folds.append(Fold("Tuning trials", [*texts, tuning_table(report.tuning)]))
    return [*folds, Fold("Every setting", [Listing("json", whole)])]


def _tuning_line(report: Report) -> str:
    """The line that a loss which settings were chosen by has to reach; "" where it has none."""
    score = report.tuning.score if report.tuning is not None else ""
    if report.common_lines is None or HELDOUT + score not in report.common_terms:
        return ""
    line = bigram_words(report.common_lines, report.characters_per_token)
    return f"A setting has learnt at or below the {line}."


def not_run_blocks(report: Report) -> list[Block]:
    """What is missing, and which claims were not judged."""
    names = [f"{f.name} ({f.sides})" for f in report.other_claims]
    left_out = named(names, "claim file")
    found = [
        "" if report.gaps else "Every planned cell was run.",
        *missing_tasks(suite.suite for suite in report.suites),
        f"Not judged, since the study lacks one of the sides: {left_out}." if names else "",
    ]
    return [*bullets([text for text in found if text]), *gaps_table(report.gaps)]


def stale_details(report: Report) -> list[Block]:
    """The records that no longer count; nothing where all do."""
    if not report.stale:
        return []
    text = "Made with code, data or settings that have changed since; not counted above."
    return [Fold("Stale records", [Paragraph(text), *stale_table(report.stale)])]
