"""What a page says of whether its runs learnt: first in a sentence where some did not, then a table."""

from __future__ import annotations

from objbench.judge.formatting import count, listed, named
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.leaderboard.document import Block, Fold, Heading, Paragraph, paragraph
from objbench.leaderboard.foremost import MOST_DRAWN, MOST_ROWS
from objbench.leaderboard.line_words import KIND_WORDS, lines_sentence
from objbench.leaderboard.report import Report
from objbench.leaderboard.tables.learning import learning_table
from objbench.leaderboard.text_bits import bits_sentence

NOT_KNOWN = "Whether the runs learnt was not measured."

_RULE = (
    "A run has learnt if its common loss ends at or below the bigram line and shuffling the visible "
    "words makes it clearly worse (the order gain); otherwise it is stuck. Step: the "
    "evaluation point from which a run had learnt."
)
_HINTS = (
    "What to try: more steps, another scale of the initial weights, another learning rate or a longer "
    "warm-up, larger batches, and a look for duplicates in the text."
)
_HINTS_FROM_CHECKPOINT = (
    "What to try: a smaller learning rate or a longer warm-up, if they lost what the checkpoint knew; "
    "else more steps, and a look for duplicates in the text."
)


def learning_sentence(report: Report) -> str:
    """That runs are stuck, with hints, or that it is not known; "" where all learnt.

    What the headline says is not said again.
    """
    runs = list(report.learning.values())
    stuck = [own for own in runs if own.seeds("stuck")]
    unknown = sum(len(own.seeds("unknown")) for own in runs)
    every = sum(len(own.runs) for own in runs)
    not_known = ""
    is_in_headline = report.others and len(report.seeds) >= MIN_RUNS
    if unknown and not is_in_headline:
        not_known = NOT_KNOWN
        if unknown < every:
            not_known = f"Whether {unknown} of {count(every, 'run')} learnt is not known."
    if not stuck:
        return not_known
    whose = [f"{own.objective} ({own.share} learnt)" for own in stuck]
    which = listed(whose) if len(whose) <= MOST_DRAWN else named(whose)
    why, hints = "never left their first plateau", _HINTS
    if report.plan.checkpoint:
        why, hints = "end no better than counts of words", _HINTS_FROM_CHECKPOINT
    lead = f"Stuck runs: {which}. They {why}, so means and intervals are over the runs that learnt."
    return " ".join(part for part in (lead, hints, not_known) if part)


def learning_blocks(report: Report) -> list[Block]:
    """The section with the table; nothing where nothing is known of any run."""
    known = [name for name, runs in report.learning.items() if runs.is_known]
    if not known:
        return []
    kinds = {kind for name in known for kind in report.learning[name].kinds}
    lines = [
        lines_sentence(report.lines.lines[kind], report.characters_per_token)
        for kind in KIND_WORDS
        if report.lines is not None and kind in kinds and kind in report.lines.lines
    ]
    # Of text that is read from left to right the lines are other numbers of the same kind.
    blocks: list[Block] = [
        Heading(2, "Did the runs learn?"),
        *paragraph(_RULE, *lines[:1], bits_sentence(report.characters_per_token) if lines else ""),
    ]
    if len(known) <= MOST_ROWS:
        return [*blocks, learning_table(report, known)]
    stuck = [name for name in known if report.learning[name].seeds("stuck")][:MOST_DRAWN]
    if stuck:
        blocks.append(learning_table(report, stuck))
    elif not any(report.learning[name].seeds("unknown") for name in known):
        blocks.append(Paragraph(f"All runs of {len(known)} objectives learnt."))
    title = f"Did the runs learn: all {len(known)} objectives"
    return [*blocks, Fold(title, [learning_table(report, known)])]
