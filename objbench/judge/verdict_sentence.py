"""A verdict in one plain sentence, with everything it depends on.

What was not measured is written as a bound, "more than 8.00x", never as a number.
"""

from __future__ import annotations

from collections.abc import Callable

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.evidence import LeftOut
from objbench.judge.formatting import count, listed, ratio, signed
from objbench.judge.paper_differences import Labels
from objbench.judge.papers.claims import Claim
from objbench.judge.statistics.speedup import Bound
from objbench.judge.verdict import Finding, Verdict

_SIDES = {"": "", "below": "less than ", "above": "more than "}


def sentence(
    claim: Claim,
    verdict: Verdict,
    finding: Finding | None,
    held_back: str,
    seeds: tuple[int, ...],
    left_out: tuple[LeftOut, ...],
    found: Labels,
) -> str:
    """The answer to a claim, such as "inconclusive at ...: speedup in steps 1.80x, ...".

    Args:
        held_back: why the finding is no verdict; "" where it is.
        seeds: those that count.
        left_out: the others.
    """
    parts = [held_back] if held_back else []
    if finding is not None:
        parts.append(found_text(claim, finding, seeds, left_out))
        parts.append("" if held_back else more_text(finding))
    elif left_out:
        parts.append(seeds_text(seeds, left_out))
    parts += found.apart
    if verdict == "refuted" and claim.qualifier:
        parts.append(f"{claim.qualifier!r} leaves other settings open")
    return f"{verdict} {found.scale}: {'; '.join(part for part in parts if part)}."


def found_text(
    claim: Claim, finding: Finding, seeds: tuple[int, ...], left_out: tuple[LeftOut, ...]
) -> str:
    """Estimate, interval and seeds, beside what is claimed."""
    claimed = f"{claim.qualifier} {number(claim, claim.value)} claimed".lstrip()
    parts = [bound_text(claim, finding.estimate), interval_text(claim, finding)]
    parts += [seeds_text(seeds, left_out), claimed]
    return f"{what(claim)} {', '.join(part for part in parts if part)}"


def what(claim: Claim) -> str:
    """What a claim's number is of."""
    return f"speedup in {AXIS_WORDS[claim.axis]}" if claim.kind == "speedup" else "gain in points"


def number(claim: Claim, value: float) -> str:
    """A value of the claim's kind: "1.80x" or "+1.20"."""
    write: Callable[[float], str] = ratio if claim.kind == "speedup" else signed
    return write(value)


def bound_text(claim: Claim, bound: Bound) -> str:
    """A value, or a bound in words."""
    return _SIDES[bound.side] + number(claim, bound.value)


def interval_text(claim: Claim, finding: Finding) -> str:
    """The finding's interval; "" where there is none."""
    if finding.low is None or finding.high is None:
        return ""
    low, high = (bound_text(claim, end) for end in (finding.low, finding.high))
    return f"95% interval {low}" if low == high else f"95% interval {low} to {high}"


def seeds_text(seeds: tuple[int, ...], left_out: tuple[LeftOut, ...]) -> str:
    """How many seeds count, and which of the study's do not."""
    if not left_out:
        return count(len(seeds), "seed")
    without = listed([str(item.seed) for item in left_out])
    return f"{len(seeds)} of {count(len(seeds) + len(left_out), 'seed')} (without {without})"


def more_text(finding: Finding) -> str:
    """How many more seeds would settle it, where it is not settled."""
    if finding.verdict != "inconclusive":
        return ""
    if finding.more_seeds is None:
        return f"{finding.why}; no number of more seeds can be given that would settle it"
    more = count(finding.more_seeds, "more seed")
    return f"{finding.why}; about {more} would settle it at this spread"
