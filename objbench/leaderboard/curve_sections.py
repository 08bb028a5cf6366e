"""A score along the budget: its pictures, what they show, and the speedups to several targets.

A curve is of all seeds or of none, so an objective that lacks a point of a seed is not drawn but
named.
"""

from __future__ import annotations

from collections.abc import Collection

from objbench.judge.formatting import count, listed
from objbench.judge.score_arrays import Curve
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.leaderboard.comparable_losses import term_sentence
from objbench.leaderboard.document import Block, Fold, Heading, Paragraph, Picture, paragraph
from objbench.leaderboard.findings import uncounted_words
from objbench.leaderboard.headline import loss_parts, scale_words
from objbench.leaderboard.pictures.convergence import convergence_picture
from objbench.leaderboard.pictures.speedup import ClaimedSpeedup, speedup_picture
from objbench.leaderboard.report import CurveReport, Report
from objbench.leaderboard.speedups import speedup_quantity
from objbench.leaderboard.tables.bounds import Form, bound_forms, bounds_sentence
from objbench.leaderboard.tables.ranking import final_speedups
from objbench.leaderboard.tables.speedups import speedup_table
from objbench.leaderboard.tables.verdicts import found_speedups
from objbench.results.plan import PlannedTraining

NO_CURVE = "No objective has two finished points along its budget: no curve to draw."

# The first engine in which no branch leaves the trunk during the warm-up.
_OWN_RUNS_SINCE = 5


def main_curves(report: Report) -> list[Block]:
    """The picture of the study's first score with curves, and of those the headline rests on."""
    blocks: list[Block] = []
    known = {form for found in found_speedups(report) for form in bound_forms(found)}
    for curve in report.curves:
        if _is_main(report, curve):
            title = Heading(2, f"Curves: {curve.source.words}")
            blocks += [title, *(_shown(report, curve, known) or [Paragraph(NO_CURVE)])]
    return blocks


def _is_main(report: Report, curve: CurveReport) -> bool:
    return curve is report.curves[0] or bool(loss_parts(report, curve))


def _shown(report: Report, curve: CurveReport, known: Collection[Form]) -> list[Block]:
    """A curve's picture and the speedups by it; nothing where there is none to draw."""
    return [_picture(curve), *_final(report, curve, known)] if curve.is_drawable else []


def curve_details(report: Report) -> list[Block]:
    """What the pictures show, every further score with curves, and the targets of all."""
    folds: list[Block] = []
    for curve in report.curves:
        if not curve.is_drawable:
            continue
        blocks = [] if _is_main(report, curve) else _shown(report, curve, ())
        blocks += paragraph(*_convergence_sentences(report, curve))
        folds.append(Fold(f"Curves: {curve.source.words}", blocks))
        targets = _targets(report, curve)
        if targets:
            title = f"Speedup to each {curve.source.words} of {report.baseline}"
            folds.append(Fold(title, targets))
    return folds


def pictures(report: Report, name: str = "") -> dict[str, bytes]:
    """File name -> picture (SVG), for the curves that there are to draw.

    Args:
        name: what the study is called; the name in its plan when "".
    """
    found = {}
    title = picture_title(report, name)
    names = [objective.name for objective in report.plan.objectives]
    for curve in report.curves:
        if not curve.is_drawable:
            continue
        source = curve.source
        lower = "" if source.sign > 0 else " (lower is better)"
        found[_convergence_file(curve)] = convergence_picture(
            curve.curves,
            report.baseline,
            f"{source.words}{lower}",
            title=title,
            is_finished=not report.plan.training.unfinished,
        )
        functions = {n: s.functions for n, s in curve.speedups.items() if s.headline}
        if functions:
            found[_speedup_file(curve)] = speedup_picture(
                functions,
                names,
                report.baseline,
                f"{report.baseline}'s {source.words}",
                title=title,
                sign=source.sign,
                claims=[c for c in _claimed(report) if c.objective in functions],
            )
    return found


def picture_title(report: Report, name: str = "") -> str:
    """Study, scale and date of a picture."""
    seeds = count(len(report.seeds), "seed")
    return ", ".join(
        part for part in (name or report.plan.name, scale_words(report), seeds, report.date) if part
    )


def _convergence_file(curve: CurveReport) -> str:
    return f"convergence-{curve.source.stem}.svg"


def _speedup_file(curve: CurveReport) -> str:
    return f"speedup-{curve.source.stem}.svg"


def _picture(curve: CurveReport) -> Picture:
    words = curve.source.words
    alt = f"{words} of each objective against steps, tokens, FLOPs and device time"
    return Picture(alt, _convergence_file(curve))


def _final(report: Report, curve: CurveReport, known: Collection[Form]) -> list[Block]:
    """The speedups to the baseline's final score."""
    speedups = final_speedups(report, curve)
    if not speedups:
        return []
    interval = (
        " [95% interval]" if len(report.seeds) >= MIN_RUNS else ", too few seeds for an interval"
    )
    lead = (
        f"Speedup{interval}: the whole budget of {report.baseline}, divided by what the objective "
        f"spent when it first reached {report.baseline}'s final {curve.source.words}."
    )
    found = [
        speedup_quantity(finding)
        for item in curve.speedups.values()
        for finding in item.headline.values()
    ]
    return [*paragraph(lead, bounds_sentence(found, known)), *speedups]


def _convergence_sentences(report: Report, curve: CurveReport) -> list[str]:
    if curve.source.suite is not None:
        each = f" of {count(curve.source.suite.seeds_per_point, 'fine-tuning seed')} each"
    else:
        each = ""
    seeds = len(report.seeds)
    found = [
        f"Every point is one pretraining seed{each.replace(' each', '')}."
        if seeds == 1
        else f"Every point is the mean over {seeds} pretraining seeds{each}."
    ]
    if curve.source.suite is None:
        own = "Each loss is under the objective's own corruption of the text."
        found.append(term_sentence(report, curve.source.term) or own)
    found += _points_sentences(report, curve)
    if words := uncounted_words(report, curve.curves):
        found.append(f"{words}.")
    absent = [name for name, own in curve.curves.items() if not own.whole]
    if absent:
        found.append(f"Not drawn, because records of this score are missing: {listed(absent)}.")
    return found


def _points_sentences(report: Report, curve: CurveReport) -> list[str]:
    """What kind of model a point is."""
    training, engine = report.plan.training, report.plan.engine_version
    if training.unfinished:
        hollow = "Hollow points are unfinished models, whose learning rate has not yet decayed"
        return [f"{hollow} ({training.unfinished} schedule)."]
    if training.schedule != "trunk":
        return []
    cooled = f"cooled down over {100 * training.cooldown:g}% of the steps so far (trunk schedule)"
    found = [f"Every point is a finished model: a branch of its own, {cooled}."]
    if engine >= _OWN_RUNS_SINCE:
        found.append(
            "It is a run of its length, with the steps of warm-up of the whole budget; a point "
            "that would leave the trunk during these is a run of its own, with its own warm-up."
        )
    elif early := _forked_in_warm_up(training, curve.curves[report.baseline]):
        found.append(
            f"The first {count(early, 'point')} left the trunk during the warm-up and cooled down "
            "from below the peak rate, so a run of that length would differ (engine version "
            f"{engine}; not so since {_OWN_RUNS_SINCE})."
        )
    return found


def _forked_in_warm_up(training: PlannedTraining, curve: Curve) -> int:
    """How many points of a curve left the trunk before the warm-up was over."""
    return sum(share / (1 + training.cooldown) < training.warmup for share in curve.shares)


def _targets(report: Report, curve: CurveReport) -> list[Block]:
    left_out = [f"{item.objective} ({item.why})" for item in curve.speedups.values() if item.why]
    blocks = paragraph(
        f"Not compared, being incomplete: {'; '.join(left_out)}." if left_out else ""
    )
    table = speedup_table(report, curve)
    if not table:
        return blocks
    words = curve.source.words
    alt = f"speedup of each objective over {report.baseline} against the {words} to be reached"
    return [*blocks, Picture(alt, _speedup_file(curve)), Paragraph(_method(report)), *table]


def _method(report: Report) -> str:
    baseline = report.baseline
    interval = (
        "Brackets: 95% interval at that target by itself (an inverted paired t-test)."
        if len(report.seeds) >= MIN_RUNS
        else f"With fewer than {MIN_RUNS} pretraining seeds there is no interval."
    )
    return (
        f"Targets are taken along {baseline}'s mean curve after isotonic regression; the speedup "
        f"is what {baseline} had spent there divided by what the objective spent where its own mean "
        "curve, after the same regression, first matches it. Each seed's spend is relative to "
        f"what its baseline spent. {interval} An unmeasured end is a bound (<, >) and never "
        "extrapolated."
    )


def _claimed(report: Report) -> list[ClaimedSpeedup]:
    """The claimed speedups, each once."""
    claims = {
        (item.file.name, item.claim.id): ClaimedSpeedup(
            objective=item.file.objective,
            axis=item.claim.axis,
            value=item.claim.value,
            words=" ".join(["claimed:", *item.claim.qualifier.split(), f"{item.claim.value:g}x"]),
        )
        for item in report.verdicts
        if item.claim.kind == "speedup"
    }
    return list(claims.values())
