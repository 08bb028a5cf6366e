"""Claims judged on a study: which evidence answers a claim, and what it says.

Where there is no evidence, or none that could be trusted, the answer is inconclusive and says
why. A run that diverged is a result and not a gap: the seeds that are left are the lucky ones, so
they confirm and refute nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from objbench.contract.meters import AXIS_WORDS, Axis
from objbench.errors import ConfigError
from objbench.judge.budgets import budget_mismatch
from objbench.judge.evidence import LeftOut, curve_evidence, gain_evidence
from objbench.judge.formatting import listed
from objbench.judge.paper_differences import Labels, labels
from objbench.judge.papers.claims import Claim, ClaimFile
from objbench.judge.score_source import (
    HELDOUT,
    Pair,
    check_source,
    following_suite,
    score_sources,
)
from objbench.judge.verdict import Finding, Verdict, judge_gain, judge_speedup
from objbench.judge.verdict_sentence import sentence
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A claim and the answer to it.

    Attributes:
        source: the score it was judged by: a suite, or "heldout:TERM".
        verdict: the finding's, or inconclusive where ``held_back`` says why.
        finding: what the counted seeds say; None where there is nothing to judge.
        by_axis: for a speedup, the finding on each axis that was measured.
        held_back: why the finding is no verdict; "" where it is.
        seeds: the pretraining seeds that count.
        left_out: the study's other seeds, with what they lack.
        sentence: all of it, in one.
    """

    file: ClaimFile
    claim: Claim
    source: str
    verdict: Verdict
    finding: Finding | None
    by_axis: Mapping[Axis, Finding]
    held_back: str
    seeds: tuple[int, ...]
    left_out: tuple[LeftOut, ...]
    labels: Labels
    sentence: str

    @property
    def title(self) -> str:
        """The claim's name: the file's and its own."""
        return f"{self.file.name} {self.claim.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What the evidence says, before it is put into words."""

    finding: Finding | None = None
    by_axis: Mapping[Axis, Finding]
    held_back: str
    seeds: tuple[int, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def concerned(results: StudyResults, files: Sequence[ClaimFile]) -> tuple[ClaimFile, ...]:
    """The claim files whose objective and baseline are both in the study."""
    names = {item.name for item in results.plan.objectives}
    return tuple(file for file in files if {file.objective, file.baseline} <= names)


def judge_claims(
    results: StudyResults, files: Sequence[ClaimFile], score: str = ""
) -> tuple[Judged, ...]:
    """Every claim of every file, judged on the study.

    Args:
        results: the study's plan and records.
        files: their objectives and baselines must be in the study.
        score: one of ``score_sources``. When "", the suite the claim names if the study
            has it, else the study's first suite, else a held-out term.

    Raises:
        ConfigError: an objective is not in the study, or the pair has no such score.
    """
    return tuple(
        judge_claim(results, file, claim, score) for file in files for claim in file.claims
    )


def judge_claim(results: StudyResults, file: ClaimFile, claim: Claim, score: str = "") -> Judged:
    """One claim, as ``judge_claims``."""
    if not concerned(results, [file]):
        names = [item.name for item in results.plan.objectives]
        raise ConfigError(
            f"claim {file.name} is about {file.objective} against {file.baseline}, and the study "
            f"has {listed(names)}: name a study with both"
        )
    pair = Pair(file.objective, file.baseline)
    source = score or _default(results, file, pair)
    if source:
        check_source(results, pair, source)
        answer = _answer(results, pair, claim, source)
    else:
        answer = _Answer(by_axis={}, held_back="the study holds no score of both objectives")
    found = labels(results, file, claim, source)
    verdict: Verdict = "inconclusive"
    if answer.finding is not None and not answer.held_back:
        verdict = answer.finding.verdict
    return Judged(
        file=file,
        claim=claim,
        source=source,
        verdict=verdict,
        finding=answer.finding,
        by_axis=answer.by_axis,
        held_back=answer.held_back,
        seeds=answer.seeds,
        left_out=answer.left_out,
        labels=found,
        sentence=sentence(
            claim, verdict, answer.finding, answer.held_back, answer.seeds, answer.left_out, found
        ),
    )


def judge_by_every_score(results: StudyResults, files: Sequence[ClaimFile]) -> tuple[Judged, ...]:
    """Every claim of every file, as ``judge_claims``, and then by each other score that answers it.

    Curves answer a claim about a speedup, points one about a gain.
    """
    judged = []
    for file in files:
        for claim in file.claims:
            first = judge_claim(results, file, claim)
            others = (name for name in _answering(results, file, claim) if name != first.source)
            judged += [first, *(judge_claim(results, file, claim, name) for name in others)]
    return tuple(judged)


def _answering(results: StudyResults, file: ClaimFile, claim: Claim) -> Iterator[str]:
    """The scores that can answer a claim."""
    for source in score_sources(results, Pair(file.objective, file.baseline)):
        is_loss = source.startswith(HELDOUT)
        has_curve = is_loss or following_suite(results, source) is not None
        if has_curve if claim.kind == "speedup" else not is_loss:
            yield source


def _default(results: StudyResults, file: ClaimFile, pair: Pair) -> str:
    sources = score_sources(results, pair)
    return file.score.suite if file.score.suite in sources else next(iter(sources), "")


def _answer(results: StudyResults, pair: Pair, claim: Claim, source: str) -> _Answer:
    answer = (
        _speedup(results, pair, claim, source)
        if claim.kind == "speedup"
        else _gain(results, pair, claim, source)
    )
    diverged = [str(item.seed) for item in answer.left_out if item.diverged]
    if diverged and not answer.held_back:
        seeds = f"seed{'s' if len(diverged) > 1 else ''} {listed(diverged)}"
        why = f"{seeds} diverged, and the seeds that did not are no fair sample"
        return replace(answer, held_back=why)
    return answer


def _gain(results: StudyResults, pair: Pair, claim: Claim, source: str) -> _Answer:
    if source.startswith(HELDOUT):
        why = "a gain in points cannot be read off a loss"
        return _Answer(by_axis={}, held_back=why)
    found = gain_evidence(results, pair, source)
    if not found.seeds:
        return _Answer(by_axis={}, held_back=_nothing(found.left_out), left_out=found.left_out)
    return _Answer(
        finding=judge_gain(found.differences, claim.value),
        by_axis={},
        held_back=_unequal(results, pair),
        seeds=found.seeds,
        left_out=found.left_out,
    )


def _speedup(results: StudyResults, pair: Pair, claim: Claim, source: str) -> _Answer:
    found = curve_evidence(results, pair, source)
    if not found.seeds:
        return _Answer(by_axis={}, held_back=_nothing(found.left_out), left_out=found.left_out)
    by_axis = {}
    for axis, (baseline, objective) in found.curves.items():
        # Seeds on clocks so different that their device seconds share no stretch.
        with suppress(ValueError):
            by_axis[axis] = judge_speedup(baseline, objective, claim.value)
    finding = by_axis.get(claim.axis)
    return _Answer(
        finding=finding,
        by_axis=by_axis,
        held_back="" if finding else f"no {AXIS_WORDS[claim.axis]} that the seeds share",
        seeds=found.seeds,
        left_out=found.left_out,
    )


def _unequal(results: StudyResults, pair: Pair) -> str:
    """Why the two were not given equal spend; "" where they were."""
    planned = {item.name: item for item in results.plan.objectives}
    found = [
        (name, budget_mismatch(results.plan, planned[name]))
        for name in (pair.objective, pair.baseline)
    ]
    whys = [f"{name}: {why}" for name, why in found if why]
    return f"spends are not equal ({'; '.join(whys)})" if whys else ""


def _nothing(left_out: tuple[LeftOut, ...]) -> str:
    whys = list(dict.fromkeys(item.why for item in left_out))
    first = whys[0] if whys else "no seed is planned"
    more = f" (and {len(whys) - 1} more reasons)" if len(whys) > 1 else ""
    return f"no seed is complete: {first}{more}"
