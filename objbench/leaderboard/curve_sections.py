"""The part of a page about one score's curves: both pictures, what they show, and the targets.

A curve is of all seeds or of none, so an objective that lacks a point of a seed is not drawn but
named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from objbench.judge.formatting import count, listed, plain
from objbench.judge.score_arrays import Curve
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.judge.teacher_costs import uncounted_words
from objbench.leaderboard.curve_sources import (
    CurveSource,
    curve_sources,
    source_curves,
    unfinished_schedule,
)
from objbench.leaderboard.pictures.convergence import band_words, convergence_picture, is_drawable
from objbench.leaderboard.pictures.speedup import ClaimedSpeedup, speedup_picture
from objbench.leaderboard.speedups import Speedups, speedups
from objbench.leaderboard.tables.speedups import functions, speedup_table
from objbench.leaderboard.verdicts import judged_claims
from objbench.results.study_results import StudyResults


def curve_sections(results: StudyResults, pictures: dict[str, str]) -> list[str]:
    """The sections of every score with curves.

    Args:
        results: the study.
        pictures: filled with file name -> SVG.
    """
    return [
        part
        for source in curve_sources(results)
        for part in _section(results, source, pictures)
        if part
    ]


def _section(results: StudyResults, source: CurveSource, pictures: dict[str, str]) -> list[str]:
    curves = source_curves(results, source)
    title = f"## Convergence: {source.words} against spend"
    if not is_drawable(curves):
        return [title, "No objective has two finished points along its budget: no curve to draw."]
    baseline = results.plan.baseline
    lower = "" if source.sign > 0 else " (lower is better)"
    name = f"convergence-{source.stem}.svg"
    pictures[name] = convergence_picture(
        curves,
        baseline,
        f"{source.words}{lower}",
        is_finished=not unfinished_schedule(results),
    ).decode()
    alt = f"{source.words} of each objective against steps, tokens, FLOPs and device time"
    return [
        title,
        f"![{alt}]({name})",
        _convergence_text(results, source, curves),
        *_speedup_part(results, source, pictures),
    ]


def _convergence_text(
    results: StudyResults, source: CurveSource, curves: Mapping[str, Curve]
) -> str:
    seeds = len(results.seeds)
    if source.suite is not None:
        each = f" of {count(source.suite.seeds_per_point, 'fine-tuning seed')} each"
    else:
        each = ", each loss under the objective's own corruption of the text"
    parts = [f"Every point is the mean over {count(seeds, 'pretraining seed')}{each}."]
    if seeds > 1:
        parts.append(f"Bands: {band_words(seeds)}.")
    schedule = unfinished_schedule(results)
    training = results.plan.study.get("training", {})
    if schedule:
        parts.append(
            f"Hollow points are of unfinished models: the schedule ({plain(schedule)}) ends with "
            "the budget only."
        )
    elif isinstance(training, dict) and training.get("schedule") == "trunk":
        share = 100 * float(training.get("cooldown", 0.0))
        parts.append(
            "Every point is a finished model: a branch of its own, cooled down over "
            f"{share:g}% of the steps so far (trunk schedule)."
        )
    if words := uncounted_words(results, curves):
        parts.append(f"{words[0].upper()}{words[1:]}.")
    absent = [name for name, curve in curves.items() if not curve.whole]
    if absent:
        parts.append(f"Not drawn, for want of records of this score: {listed(absent)}.")
    return " ".join(parts)


def _speedup_part(
    results: StudyResults, source: CurveSource, pictures: dict[str, str]
) -> list[str]:
    baseline = results.plan.baseline
    all_found = speedups(results, source).values()
    found = {item.objective: functions(item) for item in all_found if item.headline}
    left_out = [f"{item.objective} ({item.why})" for item in all_found if item.why]
    parts = [f"### Speedup to each {source.words} of {baseline}"] if found or left_out else []
    if left_out:
        parts.append(f"Not compared, being incomplete: {'; '.join(left_out)}.")
    if not found:
        return parts
    name = f"speedup-{source.stem}.svg"
    label = f"{baseline}'s {source.words}"
    names = [objective.name for objective in results.plan.objectives]
    pictures[name] = speedup_picture(
        found, names, baseline, label, sign=source.sign, claims=_claimed(results, found)
    ).decode()
    alt = f"speedup of each objective over {baseline} against the {source.words} to be reached"
    return [
        *parts,
        f"![{alt}]({name})",
        _speedup_text(results, source, list(all_found)),
        speedup_table(results, source),
    ]


def _speedup_text(results: StudyResults, source: CurveSource, found: Sequence[Speedups]) -> str:
    baseline = results.plan.baseline
    interval = (
        "Square brackets: 95% interval at that target by itself (a paired test turned round)."
        if len(results.seeds) >= MIN_RUNS
        else f"Below {MIN_RUNS} pretraining seeds there is no interval."
    )
    clocks = " Each seed's spend is relative to what its baseline spent." * bool(found)
    return (
        f"The target runs over {baseline}'s own mean curve, made to rise by isotonic regression; "
        f"the speedup is what {baseline} spent there over what the objective spent where its mean "
        f"curve, made to rise likewise, is first as good.{clocks} {interval} What was not measured "
        'is a bound ("more than", "less than") and never extrapolated.'
    )


def _claimed(results: StudyResults, found: Mapping[str, object]) -> list[ClaimedSpeedup]:
    """The claimed speedups of the objectives that are drawn."""
    claims = {
        (item.file.name, item.claim.id): ClaimedSpeedup(
            objective=item.file.objective,
            axis=item.claim.axis,
            value=item.claim.value,
            words=" ".join(["claimed:", *item.claim.qualifier.split(), f"{item.claim.value:g}x"]),
        )
        for item in judged_claims(results)
        if item.claim.kind == "speedup" and item.file.objective in found
    }
    return list(claims.values())
