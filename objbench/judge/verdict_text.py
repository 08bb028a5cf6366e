"""Judged claims as text: the verdicts first, one line each, then what each is based on."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.evidence import LeftOut
from objbench.judge.formatting import DASH, amount, count, listed
from objbench.judge.judgement import Judged
from objbench.judge.obstacle_text import obstacle_texts
from objbench.judge.papers.claims import READ_WORDS
from objbench.judge.statistics.power import MoreSeeds
from objbench.judge.verdict import Comparison, Finding
from objbench.judge.verdict_sentence import (
    estimate_text,
    level_text,
    number,
    range_text,
    sentence,
    verdict_word,
    verdict_words,
)

_COMPARISONS: dict[Comparison, str] = {
    "better": "better",
    "worse": "worse",
    "unclear": "not significantly different",
}


def verdict_lines(judged: Sequence[Judged]) -> list[str]:
    """One line per claim: its name and the sentence."""
    return [f"{item.title}: {sentence(item)}" for item in judged]


def detail_text(item: Judged) -> str:
    """What one verdict is based on: the claim with its source, the seeds, and the numbers."""
    paper = item.file.scale_of(item.claim)
    scale = (
        f"{amount(paper.parameters)} parameters, {amount(paper.steps)} steps, "
        f"{amount(paper.tokens_seen)} tokens" + (f" ({paper.note})" if paper.note else "")
    )
    lines = [
        f"## {item.title}: {verdict_words(item)}",
        "",
        f"- Claim: {item.claim.wording!r} ({item.claim.where}).",
        f"- Source: {item.file.source.paper}, {item.file.source.url}",
        f"- The paper's baseline: {scale}.",
        _measured(item),
        f"- Score: {_score_text(item)}.",
        f"- Seeds: {_seeds_text(item)}.",
        *_left_out_lines(item.left_out),
    ]
    for table in (numbers_table(item), early_table(item)):
        lines += ["", table] if table else []
    if item.by_axis and item.differences.clocks:
        lines += ["", f"Not comparable: {item.differences.clocks}."]
    return "\n".join(lines)


def _score_text(item: Judged) -> str:
    if item.source or item.claim.kind == "leaves-plateau":
        return item.source or "none"
    return f"{item.named_score}, which the study does not have"


def _seeds_text(item: Judged) -> str:
    """The seeds that the verdict counts, or why none does."""
    if item.seeds:
        return listed([str(seed) for seed in item.seeds])
    why = obstacle_texts(item)
    return f"none counts, since {why[0]}" if why else "none counts"


def _measured(item: Judged) -> str:
    """Who measured the paper's number, on how many runs, and where it was read."""
    runs = item.claim.runs
    on = "" if runs is None else f", {count(runs, 'pretraining run')} per side"
    read = READ_WORDS[item.file.read_of(item.claim)]
    return f"- Measured by {item.file.source.measured}{on}; read in {read}."


def numbers_table(item: Judged) -> str:
    """Estimate, interval, seeds and more seeds; one row per axis for a speedup; "" without any."""
    if item.claim.kind == "gain":
        rows = [("gain", item.finding)] if item.finding is not None else []
        first = "points"
    else:
        first = f"at {item.file.baseline}'s final score"
        rows = [
            (AXIS_WORDS[axis] + (" (claimed)" if axis == item.claim.axis else ""), finding)
            for axis, finding in item.by_axis.items()
        ]
    return _table(
        [{first: name, **_numbers(item, finding), **_said(item, finding)} for name, finding in rows]
    )


def early_table(item: Judged) -> str:
    """A speedup's numbers for the score at two thirds of the baseline's spend; "" without any."""
    first = f"at {item.file.baseline}'s score at two thirds of its budget"
    return _table(
        [
            {first: AXIS_WORDS[axis], **_numbers(item, finding)}
            for axis, finding in item.by_axis_early.items()
        ]
    )


def _table(lines: Sequence[dict[str, str]]) -> str:
    if not lines:
        return ""
    align = ["left"] + ["right"] * (len(lines[0]) - 1)
    return tabulate(lines, headers="keys", tablefmt="pipe", disable_numparse=True, colalign=align)


def _numbers(item: Judged, finding: Finding) -> dict[str, str]:
    crossed = item.over_examples
    return {
        f"estimate [{level_text(finding.level)} interval]": estimate_text(item.claim, finding),
        **({"over seeds and examples": range_text(item.claim, *crossed)} if crossed else {}),
        f"against {item.file.baseline}": (
            DASH if finding.low is None else _COMPARISONS[finding.comparison]
        ),
        "seeds": str(finding.seeds),
        "more seeds": _range(finding.more_seeds),
    }


def _said(item: Judged, finding: Finding) -> dict[str, str]:
    """The verdict on the claimed axis, and what that on another would be."""
    verdict = item.verdict if finding is item.finding else finding.verdict
    words = DASH if item.held_back else verdict_word(item, verdict)
    return {f"at least {number(item.claim, item.claim.value)}": words}


def _range(more: MoreSeeds | None) -> str:
    if more is None:
        return DASH
    if more.high is None:
        return f"{more.low} or more"
    return str(more.low) if more.high == more.low else f"{more.low} to {more.high}"


def _left_out_lines(left_out: Sequence[LeftOut]) -> list[str]:
    """One line per reason, with the seeds that it holds for."""
    seeds: dict[str, list[str]] = {}
    for gone in left_out:
        seeds.setdefault(gone.why, []).append(str(gone.seed))
    return [
        f"- Left out: {'seed' if len(own) == 1 else 'seeds'} {listed(own)}: {why}."
        for why, own in seeds.items()
    ]
