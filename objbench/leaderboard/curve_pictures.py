"""The pictures of a study's curves: their files, what they are called, and what they show."""

from __future__ import annotations

from objbench.judge.formatting import count, loss
from objbench.judge.score_source import COMMON
from objbench.leaderboard.document import Picture
from objbench.leaderboard.headline import scale_words
from objbench.leaderboard.line_words import BIGRAM, named_lines
from objbench.leaderboard.pictures.convergence import (
    NO_REFERENCES,
    References,
    convergence_picture,
)
from objbench.leaderboard.pictures.drawing import DISTINCT
from objbench.leaderboard.pictures.speedup import ClaimedSpeedup, speedup_picture
from objbench.leaderboard.report import CurveReport, Report
from objbench.leaderboard.text_bits import BITS, bits


def pictures(report: Report, name: str = "", kind: str = "svg") -> dict[str, bytes]:
    """File name -> picture, for the curves that there are to draw.

    Args:
        name: what the study is called; the name in its plan when "".
        kind: "svg", "png" or "pdf", which is also how the files' names end.
    """
    found = {}
    title = picture_title(report, name)
    for curve in report.curves:
        if not curve.is_drawable:
            continue
        source, shown = curve.source, curve.drawn
        names = [objective.name for objective in report.plan.objectives]
        if len(names) > DISTINCT:
            # By their places among all, some of those that are drawn would look the same.
            names = [name for name in names if name in shown]
        lower = "" if source.sign > 0 else " (lower is better)"
        found[_convergence_file(curve, kind)] = convergence_picture(
            {name: curve.curves[name] for name in shown},
            names,
            report.baseline,
            f"{source.words}{lower}",
            title=title,
            note=" ".join(part for part in (curve.drawn_words, _bits(report, curve)) if part),
            is_finished=not report.plan.training.unfinished,
            counted=curve.counted,
            references=_references(curve),
            kind=kind,
        )
        functions = {n: s.functions for n, s in curve.speedups.items() if s.headline and n in shown}
        if functions:
            found[_speedup_file(curve, kind)] = speedup_picture(
                functions,
                names,
                report.baseline,
                f"{report.baseline}'s {source.words}",
                title=title,
                note=curve.drawn_words,
                sign=source.sign,
                claims=[c for c in claimed_speedups(report) if c.objective in functions],
                kind=kind,
            )
    return found


def picture_title(report: Report, name: str = "") -> str:
    """Study, scale and date of a picture."""
    seeds = count(len(report.seeds), "seed")
    return ", ".join(
        part for part in (name or report.plan.name, scale_words(report), seeds, report.date) if part
    )


def convergence_block(curve: CurveReport) -> Picture:
    """The convergence picture, as a block of the page."""
    which = "the best objectives" if curve.drawn_words else "each objective"
    alt = f"{curve.source.words} of {which} against steps, tokens, FLOPs and device time"
    return Picture(alt, _convergence_file(curve))


def speedup_block(report: Report, curve: CurveReport) -> Picture:
    """The speedup picture, as a block of the page."""
    which = "the best objectives" if curve.drawn_words else "each objective"
    words = curve.source.words
    alt = f"speedup of {which} over {report.baseline} against the {words} to be reached"
    return Picture(alt, _speedup_file(curve))


def _bits(report: Report, curve: CurveReport) -> str:
    """What a loss in the picture is in bits per character; "" where that is not known."""
    characters = report.characters_per_token
    if curve.source.name != COMMON or characters is None:
        return ""
    return f"One nat per token is {loss(bits(1.0, characters))} {BITS}."


def _references(curve: CurveReport) -> References:
    if curve.lines is None:
        return NO_REFERENCES
    return References(values=named_lines(curve.lines), needed=(BIGRAM,))


def _convergence_file(curve: CurveReport, kind: str = "svg") -> str:
    return f"convergence-{curve.source.stem}.{kind}"


def _speedup_file(curve: CurveReport, kind: str = "svg") -> str:
    return f"speedup-{curve.source.stem}.{kind}"


def claimed_speedups(report: Report) -> list[ClaimedSpeedup]:
    """The claimed speedups, each once."""
    claims = {
        (item.file.name, item.claim.id): ClaimedSpeedup(
            objective=item.file.objective,
            axis=item.claim.axis,
            value=item.claim.value,
            words=" ".join(["claimed:", *item.claim.qualifier.split(), f"{item.claim.value:g}x"]),
        )
        for item in report.verdicts
        if item.claim.kind == "speedup" and item.claim.axis
    }
    return list(claims.values())
