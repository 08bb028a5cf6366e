"""In what a measurement differs from the paper's: scale, score, protocol, schedule, equal spend.

A verdict holds for what was measured and for nothing else, so its sentence names these differences.
They are read from the plan and the records beside the claim's own account.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.papers.claims import Claim, ClaimFile
from objbench.judge.score_source import COMMON, HELDOUT, Pair, loss_words, planned_suite
from objbench.judge.shared_corruption import shared_masking
from objbench.judge.teacher_costs import uncounted_words
from objbench.results.plan import PlannedSuite
from objbench.results.records import EvaluationRecord, FloorRecord, Provenance
from objbench.results.study_results import StudyResults

# Parameters and tokens within this share of the paper's count as its scale.
SAME_SCALE = 0.1

_PROTOCOL = re.compile(r"(?P<name>[\w.-]+)(?: \(changed: (?P<changes>[^)]*)\))?:")


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperDifferences:
    """In what a measurement differs from the paper's.

    Attributes:
        parameters: of the baseline's encoder in this study; None before it has run. The paper's
            are in the claim.
        tokens: what the baseline was trained on in this study; None before it has run.
        is_same_scale: whether both are the paper's, up to ``SAME_SCALE``.
        others: every other difference, each in a few words.
        clocks: why device seconds of the two sides are not comparable; "" where they are.
    """

    parameters: int | None
    tokens: int | None
    is_same_scale: bool
    others: tuple[str, ...]
    clocks: str

    @property
    def is_the_papers(self) -> bool:
        """Whether scale, score, protocol and schedule are the paper's."""
        return self.is_same_scale and not self.others


def paper_differences(
    results: StudyResults, file: ClaimFile, claim: Claim, source: str
) -> PaperDifferences:
    """How the study's measurement differs from the paper's.

    Args:
        source: the score that is judged by; see ``score_sources``. "" if there is none.
    """
    pair = Pair(file.objective, file.baseline)
    suite = planned_suite(results, source)
    parts = [
        f"runs continue from the checkpoint {results.plan.checkpoint}"
        if results.plan.checkpoint
        else "",
        _score(results, file, claim, source, suite),
        _samples(results, pair, suite),
        _equal_spend(results, claim),
        uncounted_words(results, (pair.objective, pair.baseline)),
        _undecayed(results) if claim.kind == "speedup" else "",
    ]
    clocks = _clocks(results, pair)
    if claim.axis == "seconds":
        parts.append(clocks)
    parameters, tokens = _scale(results, file.baseline)
    paper = file.scale_of(claim)
    return PaperDifferences(
        parameters=parameters,
        tokens=tokens,
        is_same_scale=_near(parameters, paper.parameters) and _near(tokens, paper.tokens_seen),
        others=tuple(part for part in parts if part),
        clocks=clocks,
    )


def _undecayed(results: StudyResults) -> str:
    schedule = results.plan.training.unfinished
    if not schedule:
        return ""
    return f"learning rate not yet decayed before the last point ({schedule} schedule)"


def _clocks(results: StudyResults, pair: Pair) -> str:
    """Why device seconds of the two sides are not comparable; "" where they are."""
    ours, theirs = (
        {record.seed: record.provenance for record in results.pretrained(name)}
        for name in (pair.objective, pair.baseline)
    )
    both = [(ours[seed], theirs[seed]) for seed in ours if seed in theirs]
    if any(_machine(one) != _machine(other) for one, other in both):
        return "device seconds from different machines or settings"
    if not all(one.overlaps(other) for one, other in both):
        return "device seconds of runs that did not run side by side"
    return ""


def _machine(made: Provenance) -> tuple[str, int, int]:
    return made.device, made.threads, made.processes


def _scale(results: StudyResults, baseline: str) -> tuple[int | None, int | None]:
    """Parameters and tokens of the baseline's first run; None before it has finished."""
    records = results.pretrained(baseline)
    if not records or records[0].cost is None or not records[0].points:
        return None, None
    return records[0].cost.encoder_parameters, records[0].points[-1].meters.tokens


def _near(ours: int | None, theirs: float) -> bool:
    return ours is not None and abs(ours - theirs) <= SAME_SCALE * theirs


def _score(
    results: StudyResults, file: ClaimFile, claim: Claim, source: str, suite: PlannedSuite | None
) -> str:
    paper = file.score_of(claim)
    theirs = f"the paper's {paper.suite}"
    if not source:
        return ""
    if suite is None:
        how = "of the same tokens for both" if source == COMMON else ""
        if not how:
            term = source.removeprefix(HELDOUT)
            shared = shared_masking(results.plan, term, (file.objective, file.baseline))
            how = (
                f"both masked alike ({shared})"
                if shared
                else "each objective under its own corruption"
            )
        return f"scored by {loss_words(source)}, {how}, not by {theirs}"
    if suite.name != paper.suite:
        return f"scored by {suite.name} ({suite.average_label}), not by {theirs}"
    parts = []
    match = _PROTOCOL.match(suite.protocol)
    name = match["name"] if match else ""
    changes = match["changes"] if match else ""
    if name != paper.protocol:
        ours = f"protocol {name}{f' (changed: {changes})' if changes else ''}"
        theirs = paper.protocol
        parts.append(f"{ours}, not {theirs}" if name else f"a protocol other than {theirs}")
    elif changes:
        parts.append(f"protocol {name} with changes ({changes})")
    if suite.average_label != paper.average:
        parts.append(f"{suite.average_label}, not {paper.average}")
    return f"{suite.name} scored by {'; '.join(parts)}" if parts else ""


def _samples(results: StudyResults, pair: Pair, suite: PlannedSuite | None) -> str:
    if suite is None:
        return ""
    limits = {
        record.max_train_samples
        for record in results.records.values()
        if isinstance(record, EvaluationRecord)
        and not isinstance(record, FloorRecord)
        and record.suite == suite.name
        and record.objective in (pair.objective, pair.baseline)
        # A suite that trains nothing is not limited by it.
        and record.train_examples
    }
    sizes = [limit for limit in limits if limit is not None]
    return f"trained on at most {max(sizes):,} examples per task" if sizes else ""


def _equal_spend(results: StudyResults, claim: Claim) -> str:
    ours = results.plan.equalize
    if claim.kind != "gain" or ours == claim.axis:
        return ""
    if not claim.axis:
        return f"at equal {AXIS_WORDS[ours]}, where the paper's sides did not spend the same"
    return f"at equal {AXIS_WORDS[ours]}, not equal {claim.axis_words}"
