"""What a folder of studies says on papers' claims: which studies have both sides, and the verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from objbench.errors import ConfigError
from objbench.judge.formatting import listed
from objbench.judge.judgement import Judged, concerned, judge_by_every_score
from objbench.judge.obstacle_text import obstacle_texts
from objbench.judge.papers.claims import ClaimFile
from objbench.judge.verdict_sentence import open_text, verdict_words
from objbench.leaderboard.sent_words import marked_name
from objbench.results.run_folder import studies_in
from objbench.results.study_results import read_study_results
from objbench.results.submissions.marks import SentIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one study says on one claim.

    Attributes:
        study: the name of its folder.
        primary: the verdict by the score that the claim names, measured or not.
        settled: verdicts by other scores that are not inconclusive; secondary, not corrected.
        sent_in: what is known of a study that somebody else sent; None of one's own.
    """

    study: str
    primary: Judged
    settled: tuple[Judged, ...]
    sent_in: SentIn | None = None

    @property
    def name(self) -> str:
        """The study, and of one that somebody else sent what stands for it."""
        return marked_name(self.study, self.sent_in)

    @property
    def is_measured(self) -> bool:
        """Whether the study has the score that the claim names, of both sides."""
        return self.primary.finding is not None

    @property
    def is_settled(self) -> bool:
        """Whether the verdict by that score is not inconclusive."""
        return self.is_measured and self.primary.verdict != "inconclusive"

    @property
    def words(self) -> str:
        """The verdict, or that there is none, such as "not tested; not found by probe"."""
        has_word = self.is_measured or not self.primary.is_tested
        first = verdict_words(self.primary) if has_word else "not measured"
        return "; ".join([first, *dict.fromkeys(verdict_words(item) for item in self.settled)])

    @property
    def why(self) -> str:
        """Why the verdict is not settled; "" where it is."""
        if self.primary.verdict != "inconclusive":
            return ""
        reasons = obstacle_texts(self.primary)
        if not reasons and self.primary.finding is not None:
            reasons = [open_text(self.primary, self.primary.finding)]
        return "; ".join(reasons)


ByClaim = Mapping[tuple[str, str], tuple[Evidence, ...]]
"""(name of the claim file, id of the claim) -> evidence, in the order of the studies' names."""


def claim_evidence(folder: Path, files: Sequence[ClaimFile]) -> ByClaim:
    """What the studies in ``folder`` say on the claims of ``files``.

    Args:
        folder: has one folder per study, each with its plan.json and records.

    Raises:
        ConfigError: there is no study.
        RecordError: a plan or a record cannot be read.
    """
    runs = studies_in(folder)
    if not runs:
        raise ConfigError(
            f"{folder} holds no folder with a plan.json: name one that holds studies, such as "
            "leaderboard"
        )
    found: dict[tuple[str, str], tuple[Evidence, ...]] = {}
    for run in runs:
        results = read_study_results(run)
        judged = judge_by_every_score(results, concerned(results, files))
        of_claim: dict[tuple[str, str], list[Judged]] = {}
        for item in judged:
            of_claim.setdefault((item.file.name, item.claim.id), []).append(item)
        for key, (primary, *others) in of_claim.items():
            settled = tuple(item for item in others if item.verdict != "inconclusive")
            own = Evidence(
                study=run.name, primary=primary, settled=settled, sent_in=results.sent_in
            )
            found[key] = (*found.get(key, ()), own)
    return found


def evidence_words(found: Sequence[Evidence]) -> str:
    """In a few words which studies have evidence on a claim, such as "small-english, not settled"."""
    settled = [e.name for e in found if e.is_settled]
    if settled:
        return f"{listed(settled)}: settled"
    open_ = [e.name for e in found if e.is_measured]
    if open_:
        return f"{listed(open_)}: not settled"
    others = [e.name for e in found if e.settled]
    if others:
        return f"{listed(others)}: by other scores only"
    return "none" if not found else f"{listed([e.name for e in found])}: not its score"
