"""A verdict in one plain sentence, with everything it depends on.

What was not measured is written as a bound, "> 8.00x", never as a number.
"""

from __future__ import annotations

from collections.abc import Sequence

from objbench.judge.evidence import LeftOut
from objbench.judge.formatting import amount, count, listed, ratio, signed
from objbench.judge.interval_text import bounded, interval_text, is_bound_only
from objbench.judge.judgement import Judged
from objbench.judge.obstacle_text import held_back_text
from objbench.judge.papers.claims import Claim
from objbench.judge.reliability_text import exact_test_text, learnt_pairs_text
from objbench.judge.score_source import HELDOUT, loss_words
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.judge.statistics.power import FEWEST, MoreSeeds
from objbench.judge.statistics.speedup import Bound
from objbench.judge.stuck_share import stuck_text
from objbench.judge.verdict import Finding, Verdict

NOT_TESTED = "not tested"
"""In place of a verdict where the study does not have the score that the claim names."""

_HERE = " at this scale"


def sentence(item: Judged) -> str:
    """The answer to a claim, such as "inconclusive at 1.51M parameters ...: speedup in steps ..."."""
    found = "" if item.finding is None else found_text(item, item.finding)
    parts = [held_back_text(item), found, *limits(item)]
    parts += [] if item.is_primary else ["secondary, not corrected"]
    said = verdict_words(item).removesuffix(_HERE)
    return f"{said} {scale_text(item)}: {'; '.join(part for part in parts if part)}."


def limits(item: Judged) -> list[str]:
    """What a verdict depends on, each in a few words: why it is open, and how the paper differs."""
    found = [learnt_text(item), examples_text(item), *item.differences.others]
    if item.finding is not None and not item.held_back and item.verdict == "inconclusive":
        found.insert(0, together_text(item) or open_text(item, item.finding))
    if item.verdict == "refuted" and item.claim.qualifier:
        found.append(
            f"the paper says {item.claim.qualifier!r}, so other settings may still reach it"
        )
    return [text for text in found if text]


def together_text(item: Judged) -> str:
    """That a verdict is open because of the other claims; "" where they change nothing."""
    if item.alone == item.verdict:
        return ""
    return (
        f"{verdict_word(item, item.alone)} if judged alone, open with all {item.claims} primary "
        "verdicts judged at once (Holm)"
    )


def correction_sentence(judged: Sequence[Judged]) -> str:
    """How the primary verdicts are corrected for each other; "" where there are not several."""
    claims = max((item.claims for item in judged), default=1)
    if claims < 2:
        return ""
    return (
        f"The {claims} verdicts by the claims' own scores are judged at once (Holm, 5% in all); "
        "each interval is that of its claim alone."
    )


def learnt_text(item: Judged) -> str:
    """That a finding holds among runs that learnt, and how many did not; "" where it is not known.

    In brackets the exact two-sided 95% interval of the share of stuck runs.
    """
    shares = stuck_text(item.stuck)
    if not shares:
        return ""
    is_among = item.finding is not None and item.claim.kind != "leaves-plateau"
    return f"among runs that learnt (stuck: {shares})" if is_among else f"stuck: {shares}"


def examples_text(item: Judged) -> str:
    """The interval over seeds and evaluation examples; "" where there is none."""
    if item.over_examples is None or item.held_back:
        return ""
    low, high = item.over_examples
    text = f"over seeds and evaluation examples the interval is {range_text(item.claim, low, high)}"
    claimed = item.claim.value
    if item.verdict != "inconclusive" and low < claimed <= high:
        text += f" and contains {number(item.claim, claimed)}"
    return text


def range_text(claim: Claim, low: float, high: float) -> str:
    """An interval of the claim's kind, such as "[+0.20, +0.80]"."""
    return f"[{number(claim, low)}, {number(claim, high)}]"


def verdict_words(item: Judged) -> str:
    """The verdict of ``item``, as ``verdict_word``."""
    return verdict_word(item, item.verdict)


def verdict_word(item: Judged, verdict: Verdict) -> str:
    """A verdict on one axis of a claim.

    A claim is confirmed or refuted only at the paper's scale, by its score and its protocol.
    Elsewhere it is "reproduced at this scale" or not, and by a score that the claim does not name
    it is "found by" that score or not. Where the study lacks the score it is "not tested".
    """
    if not item.is_tested:
        return NOT_TESTED
    if verdict == "inconclusive" or item.differences.is_the_papers:
        return verdict
    not_ = "not " if verdict == "refuted" else ""
    if item.is_primary:
        return f"{not_}reproduced{_HERE}"
    score = item.source
    if score.startswith(HELDOUT):
        score = loss_words(score)
    return f"{not_}found by {score}"


def scale_text(item: Judged) -> str:
    """The scale of the measurement, beside the paper's where they differ."""
    found, paper = item.differences, item.file.scale_of(item.claim)
    theirs = f"(paper: {amount(paper.parameters)}, {amount(paper.tokens_seen)})"
    if found.parameters is None or found.tokens is None:
        return f"at an unrecorded scale {theirs}"
    ours = f"at {amount(found.parameters)} parameters and {amount(found.tokens)} tokens"
    return f"{ours} (the paper's scale)" if found.is_same_scale else f"{ours} {theirs}"


def found_text(item: Judged, finding: Finding) -> str:
    """Estimate, interval and seeds, beside what is claimed."""
    if finding.learnt is not None:
        return f"{item.file.objective} {learnt_pairs_text(finding.learnt)}"
    claim, estimate = item.claim, estimate_text(item.claim, finding)
    over = f"over {seeds_text(item.seeds, item.left_out)}{look_text(item)}"
    claimed = f"{claim.qualifier} {number(claim, claim.value)} claimed".lstrip()
    if finding.low is not None and not is_bound_only(finding.estimate, finding.low, finding.high):
        over = f"{level_text(finding.level)} interval {over}"
    if is_missed(claim, finding):
        bound = bound_text(claim, finding.estimate)
        return f"never reached the target ({what(claim)} {bound}) {over}, {claimed}"
    return f"{what(claim)} {estimate}, {over}, {claimed}"


def look_text(item: Judged) -> str:
    """Which look the seeds are of, after their number; "" where there is one and it is this."""
    if item.look is None or item.look.is_plain:
        return ""
    if item.look.is_declared:
        return f" at look {item.look.number} of {len(item.look.looks)}"
    return (
        f", which holds at every look, since seeds were added to the {item.look.looks[-1]} declared"
    )


def look_note(item: Judged) -> str:
    """By which interval a verdict is read where it is not the plain one, as a remark of its own."""
    look, finding = item.look, item.finding
    if look is None or look.is_plain or finding is None or finding.low is None:
        return ""
    level = level_text(finding.level)
    if look.is_declared:
        return f"look {look.number} of {len(look.looks)}, read by its {level} interval"
    return (
        f"seeds were added to the {look.looks[-1]} declared, so it is read by a {level} interval, "
        "which holds at every look"
    )


def level_text(level: float) -> str:
    """The coverage of an interval, such as "95%" or "99.4%", never rounded up to 100%."""
    digits = next(digits for digits in range(1, 12) if float(f"{100 * level:.{digits}f}") < 100)
    return f"{100 * level:.{digits}f}".rstrip("0").rstrip(".") + "%"


def what(claim: Claim) -> str:
    """What a claim's number is of."""
    return f"speedup in {claim.axis_words}" if claim.kind == "speedup" else "gain in points"


def number(claim: Claim, value: float) -> str:
    """A value of the claim's kind: "1.80x" or "+1.20"."""
    return ratio(value) if claim.kind == "speedup" else signed(value)


def estimate_text(claim: Claim, finding: Finding) -> str:
    """The estimate with its interval, such as "1.62x [1.44x, 1.85x]"."""
    ends = (finding.estimate, finding.low, finding.high)
    text = interval_text(*ends, lambda value: number(claim, value))
    is_never = is_bound_only(*ends) and is_missed(claim, finding)
    return f"never reached ({text})" if is_never else text


def is_missed(claim: Claim, finding: Finding) -> bool:
    """Whether the candidate never reached the target, by the estimate and its whole interval."""
    ends = {bound.side for bound in (finding.estimate, finding.low, finding.high) if bound}
    return claim.kind == "speedup" and ends == {"below"}


def bound_text(claim: Claim, bound: Bound) -> str:
    """A value, or a bound such as "> 8.00x"."""
    return bounded(bound, lambda value: number(claim, value))


def seeds_text(seeds: tuple[int, ...], left_out: tuple[LeftOut, ...]) -> str:
    """How many seeds are complete, and which of the study's are not, or stuck."""
    if not left_out:
        return count(len(seeds), "seed")
    stuck = listed([str(item.seed) for item in left_out if item.stuck])
    without = listed([str(item.seed) for item in left_out if not item.stuck])
    whys = [f"without {without}"] if without else []
    whys += [f"stuck: {stuck}"] if stuck else []
    return f"{len(seeds)} of {count(len(seeds) + len(left_out), 'seed')} ({'; '.join(whys)})"


def open_text(item: Judged, finding: Finding) -> str:
    """Why a finding is inconclusive, and how many more seeds would settle it."""
    reason = reason_text(finding)
    if finding.reason == "between points" or finding.learnt is not None:
        return reason
    if item.look is not None and item.look.following is not None:
        return f"{reason}; the next look is at {item.look.following} seeds"
    if finding.seeds < FEWEST:
        return reason
    if finding.more_seeds is None:
        return f"{reason}; we cannot estimate how many more seeds would settle it"
    return f"{reason}; {more_seeds_text(finding.more_seeds)} would be needed to settle it"


def more_seeds_text(more: MoreSeeds) -> str:
    """How many more seeds, such as "about 20 to 90 more seeds"."""
    if more.high is None:
        return f"{more.low} more seeds at the very least"
    if more.high == more.low:
        return f"about {count(more.low, 'more seed')}"
    return f"about {more.low} to {more.high} more seeds"


def few_seeds_text(seeds: int) -> str:
    """Why fewer than ``MIN_RUNS`` seeds settle nothing."""
    have = "one seed gives" if seeds == 1 else f"{seeds} seeds give"
    return f"{have} no confidence interval (objbench asks for at least {MIN_RUNS})"


def reason_text(finding: Finding) -> str:
    """Why the verdict is what it is, in half a sentence."""
    if finding.learnt is not None:
        return exact_test_text(finding.learnt, 1.0 - finding.level)
    claimed = f"{finding.claimed:g}"
    match finding.reason:
        case "too few seeds":
            return few_seeds_text(finding.seeds)
        case "not measured":
            low, high = finding.measured or (0.0, 0.0)
            return f"a speedup of {claimed} is outside the measured range {low:.3g} to {high:.3g}"
        case "between points":
            return (
                f"{claimed} is between two neighbouring points of the curve: more points would "
                "settle it, more seeds would not"
            )
        case "within":
            return f"{claimed} is within the {level_text(finding.level)} interval"
        case "settled":
            side = "at or above" if finding.verdict == "confirmed" else "below"
            return f"the whole {level_text(finding.level)} interval is {side} {claimed}"
