"""A score along the budget: its pictures, what they show, and the speedups to several targets.

A curve is of all seeds or of none, so an objective that lacks a point of a seed is not drawn but
named.
"""

from __future__ import annotations

from collections.abc import Collection

from objbench.judge.formatting import count, listed
from objbench.judge.score_arrays import Curve
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.leaderboard.comparable_losses import common_sentence, term_sentence
from objbench.leaderboard.curve_pictures import convergence_block, speedup_block
from objbench.leaderboard.document import Block, Fold, Heading, Paragraph, paragraph, shortened
from objbench.leaderboard.findings import uncounted_words
from objbench.leaderboard.foremost import MOST_ROWS
from objbench.leaderboard.headline import loss_parts
from objbench.leaderboard.line_words import bigram_words
from objbench.leaderboard.report import CurveReport, Report
from objbench.leaderboard.speedups import speedup_quantity
from objbench.leaderboard.tables.bounds import Form, bound_forms, bounds_sentence
from objbench.leaderboard.tables.line_spend import line_spend_blocks
from objbench.leaderboard.tables.ranking import final_speedups
from objbench.leaderboard.tables.speedups import speedup_table
from objbench.leaderboard.tables.verdicts import found_speedups
from objbench.results.planned_study import PlannedTraining

NO_CURVE = "No objective has two finished points along its budget: no curve to draw."

# The first engine in which no branch leaves the trunk during the warm-up.
_OWN_RUNS_SINCE = 5


def main_curves(report: Report) -> list[Block]:
    """The picture of the study's first score with curves, and of those the headline rests on.

    Among them that of the common loss, where it is known whether runs learnt.
    """
    blocks: list[Block] = []
    known = {form for found in found_speedups(report) for form in bound_forms(found)}
    for curve in report.curves:
        if is_main(report, curve):
            title = Heading(2, f"Curves: {curve.source.words}")
            blocks += [title, *(_shown(report, curve, known) or [Paragraph(NO_CURVE)])]
    return blocks


def is_main(report: Report, curve: CurveReport) -> bool:
    """Whether a curve is above the details: the first, and those the headline rests on."""
    is_first = curve is report.curves[0]
    return is_first or curve.lines is not None or bool(loss_parts(report, curve))


def _shown(report: Report, curve: CurveReport, known: Collection[Form]) -> list[Block]:
    """A curve's picture and the speedups by it; nothing where there is none to draw."""
    if not curve.is_drawable:
        return []
    return [
        convergence_block(curve),
        *paragraph(curve.drawn_words),
        *final_blocks(report, curve, known),
    ]


def curve_details(report: Report) -> list[Block]:
    """What the pictures show, every further score with curves, and the targets of all."""
    folds: list[Block] = []
    for curve in report.curves:
        if not curve.is_drawable:
            continue
        blocks = [] if is_main(report, curve) else _shown(report, curve, ())
        blocks += paragraph(*convergence_sentences(report, curve))
        folds.append(Fold(f"Curves: {curve.source.words}", blocks))
        targets = target_blocks(report, curve)
        if targets:
            folds.append(Fold(_targets_title(report, curve), targets))
        if spends := line_spend_blocks(report, curve):
            folds.append(Fold(f"Spend until the {curve.source.words} reached each line", spends))
    return folds


def final_blocks(report: Report, curve: CurveReport, known: Collection[Form] = ()) -> list[Block]:
    """The speedups to the baseline's final score.

    Args:
        known: kinds of bounds that the page has explained before.
    """
    speedups = final_speedups(curve, curve.above_fold)
    if not speedups:
        return []
    interval = (
        " [95% interval]" if len(report.seeds) >= MIN_RUNS else " (too few seeds for an interval)"
    )
    lead = (
        f"Speedup{interval}: the whole budget of {report.baseline}, divided by what the objective "
        f"spent when it first reached {report.baseline}'s final {curve.source.words}."
    )
    found = [
        speedup_quantity(finding)
        for name in curve.above_fold
        for finding in curve.speedups[name].headline.values()
    ]
    rest = (
        f'All are in "{_targets_title(report, curve)}" below.'
        if len(curve.curves) > MOST_ROWS
        else ""
    )
    return [*paragraph(lead, bounds_sentence(found, known), rest), *speedups]


def convergence_sentences(report: Report, curve: CurveReport) -> list[str]:
    """What a point of the curves is, and who is missing."""
    if curve.source.suite is not None:
        each = f" of {count(curve.source.suite.seeds_per_point, 'fine-tuning seed')} each"
    else:
        each = ""
    seeds = len(report.seeds)
    has_stuck = not all(counted.all() for counted in curve.counted.values())
    but = ", without those whose run is stuck" if has_stuck else ""
    found = [
        f"Every point is one pretraining seed{each.replace(' each', '')}."
        if seeds == 1
        else f"Every point is the mean over {seeds} pretraining seeds{each}{but}."
    ]
    if curve.source.suite is None:
        own = "Each loss is under the objective's own corruption of the text."
        found.append(
            common_sentence(report, curve) or term_sentence(report, curve.source.term) or own
        )
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


def target_blocks(report: Report, curve: CurveReport) -> list[Block]:
    """The speedups to several targets, and how they are found."""
    left_out = [f"{item.objective} ({item.why})" for item in curve.speedups.values() if item.why]
    blocks = paragraph(
        shortened(f"Not compared, being incomplete: {'; '.join(left_out)}.") if left_out else ""
    )
    table = speedup_table(report, curve)
    if not table:
        return blocks
    line = ""
    if curve.lines is not None:
        line = f"Of these losses the {bigram_words(curve.lines, report.characters_per_token)}."
    method = [*paragraph(_method(report), line, curve.drawn_words), *table]
    return [*blocks, speedup_block(report, curve), *method]


def _targets_title(report: Report, curve: CurveReport) -> str:
    return f"Speedup to each {curve.source.words} of {report.baseline}"


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
