"""The registry of claims: a page and a listing of all that ship, and what the studies say on each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from objbench.judge.formatting import DASH, amount, count, listed
from objbench.judge.papers.claims import READ_WORDS, Claim, ClaimFile
from objbench.judge.verdict_sentence import scale_text
from objbench.leaderboard.claim_evidence import ByClaim, Evidence, evidence_words
from objbench.leaderboard.document import (
    Block,
    Cell,
    Comment,
    Heading,
    Link,
    Listing,
    Paragraph,
    bullets,
    paragraph,
    table,
)
from objbench.leaderboard.tables.verdicts import claim_words

COMMAND = "objbench claims --markdown --studies leaderboard > leaderboard/claims/README.md"
NOT_VERIFIED = "not-verified.md"
_OPEN = "not said"


def listing_rows(
    files: Sequence[ClaimFile], evidence: ByClaim | None = None
) -> Iterator[tuple[str, ...]]:
    """A row of words per claim, after one of titles; the last column is there with evidence."""
    titles = ("CLAIM", "OBJECTIVE AGAINST BASELINE", "CLAIMED", "SCORE", "SCALE", "RUNS", "READ")
    yield (*titles, "EVIDENCE") if evidence is not None else titles
    for file, claim in _claims(files):
        row = (
            f"{file.name} {claim.id}",
            file.sides,
            claim_words(claim),
            file.score_of(claim).suite,
            _scale(file, claim),
            _runs(claim),
            file.read_of(claim),
        )
        yield (*row, evidence_words(_of(evidence, file, claim))) if evidence is not None else row


def registry_page(files: Sequence[ClaimFile], evidence: ByClaim | None = None) -> list[Block]:
    """The page: what the studies say, every claim, and where the numbers were read.

    Args:
        files: the claims, in the order of the page.
        evidence: of the studies in the folder that the page's own folder is in; None leaves it out.
    """
    claims = list(_claims(files))
    papers = len({file.source.url for file in files})
    return [
        Heading(1, "Papers' claims"),
        Comment("Made by `objbench claims --markdown`; edits are overwritten."),
        *paragraph(
            f"{count(len(claims), 'claim')} from {count(papers, 'source')}.",
            "" if evidence is None else _settled_sentence(claims, evidence),
            _runs_sentence(claims),
            "A paper's own interval would have to come from its pretraining runs: with one per side "
            "there is none.",
        ),
        *(_evidence_blocks(claims, evidence) if evidence is not None else ()),
        Heading(2, "The claims"),
        table([_line(file, claim, evidence) for file, claim in claims], text_columns=8),
        Heading(2, "Where the numbers were read"),
        *bullets(list(_readings(claims))),
        Paragraph(
            (
                "Claims whose numbers could not be verified are in ",
                Link(NOT_VERIFIED, NOT_VERIFIED),
                " and are not judged.",
            )
        ),
        Paragraph("This page is made by:"),
        Listing("sh", COMMAND),
    ]


def _claims(files: Sequence[ClaimFile]) -> Iterator[tuple[ClaimFile, Claim]]:
    for file in files:
        for claim in file.claims:
            yield file, claim


def _of(evidence: ByClaim | None, file: ClaimFile, claim: Claim) -> tuple[Evidence, ...]:
    return (evidence or {}).get((file.name, claim.id), ())


def _line(file: ClaimFile, claim: Claim, evidence: ByClaim | None) -> Mapping[str, Cell]:
    score = file.score_of(claim)
    line: dict[str, Cell] = {
        "claim": Link(f"{file.name} {claim.id}", f"{file.name}.toml"),
        "paper": Link(file.source.paper.partition(",")[0], file.source.url),
        "objective against baseline": file.sides,
        "claimed": claim_words(claim),
        "score": f"{score.suite} ({score.average})",
        "scale (parameters, tokens)": _scale(file, claim),
        "runs per side": _runs(claim),
        "read": file.read_of(claim),
    }
    if evidence is not None:
        line["evidence here"] = evidence_words(_of(evidence, file, claim))
    return line


def _scale(file: ClaimFile, claim: Claim) -> str:
    scale = file.scale_of(claim)
    return f"{amount(scale.parameters)}, {amount(scale.tokens_seen)}"


def _runs(claim: Claim) -> str:
    return _OPEN if claim.runs is None else str(claim.runs)


def _runs_sentence(claims: Sequence[tuple[ClaimFile, Claim]]) -> str:
    runs = [claim.runs for _, claim in claims]
    single = sum(number == 1 for number in runs)
    more = sorted({number for number in runs if number is not None and number > 1})
    parts = [f"{single} rest on one pretraining run per side"]
    for number in more:
        parts.append(f"{runs.count(number)} on {number} runs")
    if None in runs:
        parts.append(f"for {runs.count(None)} the source does not say")
    return f"{listed(parts)}."


def _settled_sentence(claims: Sequence[tuple[ClaimFile, Claim]], evidence: ByClaim) -> str:
    settled = sum(
        any(own.is_settled for own in _of(evidence, file, claim)) for file, claim in claims
    )
    return f"The studies here settle {settled or 'none'} of them by the score that the claim names."


def _evidence_blocks(
    claims: Sequence[tuple[ClaimFile, Claim]], evidence: ByClaim
) -> Iterator[Block]:
    yield Heading(2, "What the studies here say")
    lines: list[Mapping[str, Cell]] = []
    for file, claim in claims:
        for own in _of(evidence, file, claim):
            if not own.is_measured and not own.settled:
                continue
            lines.append(
                {
                    "claim": f"{file.name} {claim.id}",
                    "study": Link(own.name, f"../{own.study}/README.md"),
                    "at": scale_text(own.primary).removeprefix("at "),
                    "verdict": own.words,
                    "why it is open": own.why or DASH,
                    "seeds": str(len(own.primary.seeds)) if own.is_measured else DASH,
                }
            )
    if lines:
        yield Paragraph(
            "The verdict is the one by the score that the claim names; what was found by other "
            "scores comes after it, is secondary and not corrected, and is no verdict on the claim."
        )
        yield table(lines, text_columns=5)
    unmeasured = [_of(evidence, file, claim) for file, claim in claims]
    beside = sum(bool(f) and not any(e.is_measured or e.settled for e in f) for f in unmeasured)
    absent = sum(not found for found in unmeasured)
    parts = []
    if beside:
        parts.append(
            f"{count(beside, 'other claim')}: a study here has both sides, but not the score, and no "
            "other score settles anything."
        )
    if absent:
        parts.append(f"{count(absent, 'claim')}: no study here has both sides.")
    yield from bullets(parts)


def _readings(claims: Sequence[tuple[ClaimFile, Claim]]) -> Iterator[str]:
    for read, words in READ_WORDS.items():
        number = sum(file.read_of(claim) == read for file, claim in claims)
        if number:
            yield f"{read}: {words} ({count(number, 'claim')})."
