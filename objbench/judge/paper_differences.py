"""In what a measurement is not the paper's: scale, score, protocol, schedule, equal spend.

A verdict holds for what was measured and for nothing else, so each carries these labels in its
sentence. They are read from the plan and the records beside the claim's own account.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.formatting import amount, plain
from objbench.judge.papers.claims import Claim, ClaimFile, Scale
from objbench.judge.score_source import HELDOUT, Pair, planned_suite
from objbench.judge.teacher_costs import uncounted_words
from objbench.results.plan import PlannedSuite
from objbench.results.records import EvaluationRecord, Provenance
from objbench.results.study_results import StudyResults

# Parameters and tokens within this share of the paper's are its scale.
SAME_SCALE = 0.1

_PROTOCOL = re.compile(r"(?P<name>[\w.-]+)(?: \(changed: (?P<changes>[^)]*)\))?:")


@dataclass(frozen=True, slots=True)
class Labels:
    """What a verdict's sentence says of its circumstances.

    Attributes:
        scale: follows the verdict, such as "at 1.51M parameters and 24.6M tokens (paper: 28.5M,
            131B)".
        apart: everything else in which the measurement is not the paper's.
        clocks: why device seconds of the two sides are not comparable; "" where they are.
    """

    scale: str
    apart: tuple[str, ...]
    clocks: str


def labels(results: StudyResults, file: ClaimFile, claim: Claim, source: str) -> Labels:
    """How the study's measurement differs from the paper's.

    Args:
        source: the score that is judged by; see ``score_sources``. "" if there is none.
    """
    pair = Pair(file.objective, file.baseline)
    suite = planned_suite(results, source)
    parts = [
        _score(file, source, suite),
        _samples(results, pair, suite),
        _equal_spend(results, claim),
        uncounted_words(results, (pair.objective, pair.baseline)),
        _unannealed(results) if claim.kind == "speedup" else "",
    ]
    clocks = _clocks(results, pair)
    if claim.axis == "seconds":
        parts.append(clocks)
    scale = _scale(results, file.baseline, file.scale_of(claim))
    return Labels(scale, tuple(part for part in parts if part), clocks)


def _unannealed(results: StudyResults) -> str:
    """Whether the curves' points before the last are of a schedule that goes on; "" if not."""
    training = results.plan.study.get("training")
    schedule = training.get("schedule") if isinstance(training, dict) else None
    # On a trunk every point is finished by a cooldown of its own.
    if schedule is None or schedule == "trunk":
        return ""
    return f"points before the last unannealed ({plain(schedule)} schedule)"


def _clocks(results: StudyResults, pair: Pair) -> str:
    """Why device seconds of the two sides are not comparable; "" where they are."""
    ours, theirs = (
        {record.seed: record.provenance for record in results.pretrained(name)}
        for name in (pair.objective, pair.baseline)
    )
    both = [(ours[seed], theirs[seed]) for seed in ours if seed in theirs]
    if any(_machine(one) != _machine(other) for one, other in both):
        return "device seconds of different machines or settings"
    # Times of one form, in one time zone: they sort as text.
    if any(one.finished <= other.started or other.finished <= one.started for one, other in both):
        return "device seconds of runs that were not side by side"
    return ""


def _machine(made: Provenance) -> tuple[str, int, int]:
    return made.device, made.threads, made.processes


def _scale(results: StudyResults, baseline: str, paper: Scale) -> str:
    theirs = f"{amount(paper.parameters)}, {amount(paper.tokens_seen)}"
    records = results.pretrained(baseline)
    cost = records[0].cost if records else None
    if cost is None or not records[0].points:
        return f"at a scale not recorded (paper: {theirs})"
    parameters, tokens = cost.encoder_parameters, records[0].points[-1].meters.tokens
    text = f"at {amount(parameters)} parameters and {amount(tokens)} tokens"
    same = _near(parameters, paper.parameters) and _near(tokens, paper.tokens_seen)
    return f"{text} (the paper's scale)" if same else f"{text} (paper: {theirs})"


def _near(ours: float, theirs: float) -> bool:
    return abs(ours - theirs) <= SAME_SCALE * theirs


def _score(file: ClaimFile, source: str, suite: PlannedSuite | None) -> str:
    theirs = f"the paper's {file.score.suite}"
    if not source:
        return ""
    if suite is None:
        term = source.removeprefix(HELDOUT)
        return f"by held-out {term} loss, each under its own corruption, not by {theirs}"
    if suite.name != file.score.suite:
        return f"by {suite.name} ({suite.average_label}), not by {theirs}"
    parts = []
    match = _PROTOCOL.match(suite.protocol)
    name = match["name"] if match else ""
    changes = match["changes"] if match else ""
    if name != file.score.protocol:
        ours = f"protocol {name}{f' (changed: {changes})' if changes else ''}"
        theirs = file.score.protocol
        parts.append(f"{ours}, not {theirs}" if name else f"another protocol than {theirs}")
    elif changes:
        parts.append(f"protocol {name} with changes ({changes})")
    if suite.average_label != file.score.average:
        parts.append(f"{suite.average_label}, not {file.score.average}")
    return f"{suite.name} by {'; '.join(parts)}" if parts else ""


def _samples(results: StudyResults, pair: Pair, suite: PlannedSuite | None) -> str:
    if suite is None:
        return ""
    limits = {
        record.max_train_samples
        for record in results.records.values()
        if isinstance(record, EvaluationRecord)
        and record.suite == suite.name
        and record.objective in (pair.objective, pair.baseline)
    }
    sizes = [limit for limit in limits if limit is not None]
    return f"fine-tuned on at most {max(sizes):,} examples a task" if sizes else ""


def _equal_spend(results: StudyResults, claim: Claim) -> str:
    ours = results.plan.equalize
    if claim.kind != "gain" or ours == claim.axis:
        return ""
    return f"at equal {AXIS_WORDS[ours]}, not equal {AXIS_WORDS[claim.axis]}"
