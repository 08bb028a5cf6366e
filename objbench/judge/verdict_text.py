"""Judged claims as text: the verdicts first, one line each, then what each rests on."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.formatting import DASH, amount, listed
from objbench.judge.judgement import Judged
from objbench.judge.verdict import Finding
from objbench.judge.verdict_sentence import bound_text, interval_text, number


def verdict_lines(judged: Sequence[Judged]) -> list[str]:
    """One line for each claim: its name and the sentence."""
    return [f"{item.title}: {item.sentence}" for item in judged]


def detail_text(item: Judged) -> str:
    """What one verdict rests on: the claim with its source, the seeds, and the numbers."""
    paper = item.file.scale_of(item.claim)
    scale = (
        f"{amount(paper.parameters)} parameters, {amount(paper.steps)} steps, "
        f"{amount(paper.tokens_seen)} tokens" + (f" ({paper.note})" if paper.note else "")
    )
    lines = [
        f"## {item.title}: {item.verdict}",
        "",
        f"- Claim: {item.claim.wording!r} ({item.claim.where}).",
        f"- Source: {item.file.source.paper}, {item.file.source.url}",
        f"- The paper's baseline: {scale}.",
        f"- Judged by {item.source or 'no score'} over seeds {_names(item.seeds)}.",
        *(f"- Left out: seed {gone.seed}: {gone.why}." for gone in item.left_out),
    ]
    table = numbers_table(item)
    if table:
        lines += ["", table]
    if item.by_axis and item.labels.clocks:
        lines += ["", f"The seconds: {item.labels.clocks}."]
    return "\n".join(lines)


def numbers_table(item: Judged) -> str:
    """Estimate, interval, seeds and more seeds; a row an axis for a speedup; "" without any."""
    if item.claim.kind == "gain":
        rows = [("gain", item.finding)] if item.finding is not None else []
        first = "points"
    else:
        first = f"at {item.file.baseline}'s final score"
        rows = [
            (AXIS_WORDS[axis] + (" (claimed)" if axis == item.claim.axis else ""), finding)
            for axis, finding in item.by_axis.items()
        ]
    lines = [{first: name, **_numbers(item, finding)} for name, finding in rows]
    if not lines:
        return ""
    align = ["left"] + ["right"] * (len(lines[0]) - 1)
    return tabulate(lines, headers="keys", tablefmt="pipe", disable_numparse=True, colalign=align)


def _numbers(item: Judged, finding: Finding) -> dict[str, str]:
    interval = interval_text(item.claim, finding).removeprefix("95% interval ")
    more = DASH if finding.more_seeds is None else str(finding.more_seeds)
    return {
        "estimate": bound_text(item.claim, finding.estimate),
        "95% interval": interval or DASH,
        f"against {item.file.baseline}": finding.direction,
        "seeds": str(finding.seeds),
        "more seeds": more,
        f"at least {number(item.claim, item.claim.value)}": (
            DASH if item.held_back else finding.verdict
        ),
    }


def _names(seeds: Sequence[int]) -> str:
    return listed([str(seed) for seed in seeds]) or "none"
