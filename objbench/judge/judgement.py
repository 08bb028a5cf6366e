"""Claims judged on a study: which evidence answers a claim, and what it says.

A verdict is read at a look that was declared (``looks``), on runs that learnt. Where there is no
evidence, or none that can be trusted, the answer is inconclusive and gives every reason, the most
basic first (``obstacles``). The verdict by the score that a claim names is the verdict on it, and
those of several claims are judged at once (``primaries``); by any other score it is secondary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from objbench.errors import ConfigError
from objbench.judge.answers import Answer, answer_claim
from objbench.judge.claimed_sides import as_planned
from objbench.judge.formatting import listed
from objbench.judge.obstacles import HeldBack
from objbench.judge.paper_differences import PaperDifferences, paper_differences
from objbench.judge.papers.claims import Claim, ClaimFile
from objbench.judge.primaries import at_once
from objbench.judge.score_source import (
    HELDOUT,
    Pair,
    check_source,
    following_suite,
    is_loss,
    is_the_common_loss,
    score_sources,
)
from objbench.judge.stuck_share import StuckShare, stuck_share
from objbench.judge.verdict import Finding, Verdict
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged(Answer):
    """A claim and the answer to it; ``verdict_sentence`` puts it into words.

    Attributes:
        source: the score it was judged by: a suite, or "heldout:TERM"; "" where the study does not
            have the one that the claim names.
        verdict: the finding's, or inconclusive where it is held back, or where the claims judged at
            once leave it open.
        alone: the verdict, had the claim been the only one.
        claims: how many primary verdicts it was judged at once with, itself included.
        stuck: how many runs of the baseline and of the objective are stuck.
        differences: in what the measurement differs from the paper's.
    """

    file: ClaimFile
    claim: Claim
    source: str
    verdict: Verdict
    alone: Verdict
    claims: int = 1
    stuck: tuple[StuckShare, StuckShare]
    differences: PaperDifferences

    @property
    def title(self) -> str:
        """The claim's name: the file's and its own."""
        return f"{self.file.name} {self.claim.id}"

    @property
    def is_tested(self) -> bool:
        """Whether the study has a score that the claim can be judged by."""
        return all(own.obstacle != "score not in study" for own in self.held_back)

    @property
    def named_score(self) -> str:
        """The suite that the claim names, whether or not the study has it."""
        return self.file.score_of(self.claim).suite

    @property
    def is_primary(self) -> bool:
        """Whether it was judged by the score that the claim names; by another it is secondary.

        A claim about how often runs learn needs no score.
        """
        return self.source in ("", self.named_score)


def concerned(results: StudyResults, files: Sequence[ClaimFile]) -> tuple[ClaimFile, ...]:
    """The claim files whose objective and baseline are both in the study, under its names."""
    found = (as_planned(results.plan, file) for file in files)
    return tuple(file for file in found if file is not None)


def judge_claims(
    results: StudyResults, files: Sequence[ClaimFile], score: str = ""
) -> tuple[Judged, ...]:
    """Every claim of every file, judged on the study, the primary verdicts at once.

    Args:
        results: the study's plan and records.
        files: their objectives and baselines must be in the study.
        score: one of ``score_sources``; the suite that the claim names when "".

    Raises:
        ConfigError: an objective is not in the study, or the pair has no such score.
    """
    return _at_once(
        results,
        [judge_claim(results, file, claim, score) for file in files for claim in file.claims],
    )


def judge_claim(
    results: StudyResults, file: ClaimFile, claim: Claim, score: str = "", claims: int = 1
) -> Judged:
    """One claim, as ``judge_claims``, by itself.

    Args:
        claims: how many claims share the error rate.
    """
    planned = as_planned(results.plan, file)
    if planned is None:
        names = [item.name for item in results.plan.objectives]
        raise ConfigError(
            f"claim {file.name} is about {file.sides}, and the study has {listed(names)}: name a "
            "study with both"
        )
    file = planned
    pair = Pair(file.objective, file.baseline)
    needs_score = claim.kind != "leaves-plateau"
    suite = file.score_of(claim).suite
    source = (score or _primary(results, suite, pair)) if needs_score else ""
    if source:
        check_source(results, pair, source)
    if source or not needs_score:
        answer = answer_claim(results, pair, claim, source, claims)
    else:
        answer = Answer(by_axis={}, held_back=(HeldBack("score not in study", (suite,)),))
    verdict: Verdict = "inconclusive"
    if answer.finding is not None and not answer.held_back:
        verdict = answer.finding.verdict
    return Judged(
        file=file,
        claim=claim,
        source=source,
        verdict=verdict,
        alone=verdict,
        finding=answer.finding,
        by_axis=answer.by_axis,
        by_axis_early=answer.by_axis_early,
        held_back=answer.held_back,
        seeds=answer.seeds,
        left_out=answer.left_out,
        over_examples=answer.over_examples,
        look=answer.look,
        stuck=(stuck_share(results, pair.baseline), stuck_share(results, pair.objective)),
        differences=paper_differences(results, file, claim, source),
    )


def judge_by_every_score(results: StudyResults, files: Sequence[ClaimFile]) -> tuple[Judged, ...]:
    """Every claim of every file, as ``judge_claims``, each followed by the secondary verdicts on it.

    Curves answer a claim about a speedup, points one about a gain.
    """
    judged = []
    for first in judge_claims(results, files):
        file, claim = first.file, first.claim
        others = (name for name in _answering(results, file, claim) if name != first.source)
        judged += [first, *(judge_claim(results, file, claim, name) for name in others)]
    return tuple(judged)


def _at_once(results: StudyResults, judged: Sequence[Judged]) -> tuple[Judged, ...]:
    """The same, with the primary verdicts corrected for each other."""
    tested = [item for item in judged if item.is_primary and _is_tested(item.finding)]

    def verdict(index: int, claims: int) -> Verdict:
        item = tested[index]
        again = judge_claim(results, item.file, item.claim, item.source, claims)
        return again.finding.verdict if again.finding is not None else "inconclusive"

    verdicts = at_once([item.finding.verdict for item in tested if item.finding], verdict)
    found = {
        id(item): replace(
            item, verdict="inconclusive" if item.held_back else at_once_, claims=len(tested)
        )
        for item, at_once_ in zip(tested, verdicts, strict=True)
    }
    return tuple(found.get(id(item), item) for item in judged)


def _is_tested(finding: Finding | None) -> bool:
    return finding is not None and finding.reason != "too few seeds"


def _answering(results: StudyResults, file: ClaimFile, claim: Claim) -> Iterator[str]:
    """The scores that can answer a claim, each once; none where it needs none."""
    if claim.kind == "leaves-plateau":
        return
    for source in score_sources(results, Pair(file.objective, file.baseline)):
        has_curve = source.startswith(HELDOUT) or following_suite(results, source) is not None
        if source.startswith(HELDOUT) and is_the_common_loss(results, source):
            continue
        if has_curve if claim.kind == "speedup" else not is_loss(results, source):
            yield source


def _primary(results: StudyResults, suite: str, pair: Pair) -> str:
    """The score that a claim names; "" where the study does not have it."""
    return suite if suite in score_sources(results, pair) else ""
