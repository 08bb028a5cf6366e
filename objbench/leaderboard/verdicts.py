"""The verdicts on papers' claims, one line each, and how often the judge is wrong.

Every claim that ships and whose objectives are in the study is judged by the score it names, or
the study's first, and beside it by every other score that can answer it. Claims about others are
named as not judged.
"""

from __future__ import annotations

from collections.abc import Callable

from objbench.judge import JUDGE_VERSION
from objbench.judge.formatting import escaped, listed
from objbench.judge.judgement import Judged, concerned, judge_by_every_score
from objbench.judge.papers.claims import shipped_claims
from objbench.judge.selftest.error_rates import RateRow, Rates, read_rates
from objbench.judge.selftest.page import summary
from objbench.judge.verdict_sentence import sentence, verdict_words
from objbench.leaderboard.curve_sources import source_words
from objbench.results.study_results import StudyResults


def judged_claims(results: StudyResults) -> tuple[Judged, ...]:
    """Every claim about the study's objectives, by every score that can answer it."""
    return results.once(
        "judged claims", lambda: judge_by_every_score(results, concerned(results, shipped_claims()))
    )


def verdict_line(item: Judged) -> str:
    """One verdict as a line of markdown: the claim, the score, and the judge's sentence."""
    by = f", by {source_words(item.source)}" if item.source else ""
    words = verdict_words(item)
    rest = escaped(sentence(item).removeprefix(words))
    return f"**{item.file.name} {item.claim.id}**{by}: **{words}**{rest}"


def verdict_lines(results: StudyResults) -> list[str]:
    """One line a claim and score; one that says so where no claim is about these objectives."""
    lines = [verdict_line(item) for item in judged_claims(results)]
    return lines or [
        (
            "No claim that ships is about the objectives of this study: no verdict. "
            "(`objbench verify --claim FILE` judges others.)"
        )
    ]


def not_judged(results: StudyResults) -> str:
    """The claims that ship and are about other objectives, in one sentence; "" if none."""
    files = shipped_claims()
    about = {file.name for file in concerned(results, files)}
    names = [f"{f.name} ({f.objective} against {f.baseline})" for f in files if f.name not in about]
    if not names:
        return ""
    return f"Not judged, since an objective is not in the study: {listed(names)}."


def rates_sentences(rates: Rates | None) -> list[str]:
    """How often the judge is wrong, where the truth is known.

    Args:
        rates: as ``read_rates`` gives them; None where none were measured of this judge.
    """
    if rates is None:
        return [
            (
                f"How often this judge (version {JUDGE_VERSION}) is wrong has not been measured: "
                "`objbench selftest` does."
            )
        ]
    found = [
        (
            f"The judge itself (version {rates.judge_version}) was tried on simulated studies whose "
            f"truth is known, {rates.repetitions:,} a comparison. {summary(rates)}"
        )
    ]
    strained = [row for row in rates.rows if not row.is_held]
    if strained:
        names = len(dict.fromkeys(row.scenario for row in strained))
        found.append(
            f"In {names} further simulations, made to strain it and held to no bound, the worst is "
            f"{_worst(strained, 'confirmations', lambda row: row.false_confirm)} and "
            f"{_worst(strained, 'refutations', lambda row: row.false_refute)}."
        )
    return found


def judge_lines(results: StudyResults) -> list[str]:
    """The verdicts, then the rates of the judge that gave them."""
    lines = verdict_lines(results)
    return [*lines, *rates_sentences(read_rates())] if judged_claims(results) else lines


def _worst(rows: list[RateRow], what: str, rate: Callable[[RateRow], float]) -> str:
    row = max(rows, key=rate)
    return f"{100 * rate(row):.1f}% false {what} ({row.scenario}, {row.seeds} seeds)"
