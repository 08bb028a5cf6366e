"""How to read a page: what its words and numbers mean, and nothing about words it does not use."""

from __future__ import annotations

from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.judge.statistics.ranks import MOST_PAIRED
from objbench.leaderboard.document import Strong, Text
from objbench.leaderboard.report import Report
from objbench.leaderboard.shared_start import shared_words


def reading(report: Report) -> list[Text]:
    """The words of the page of ``report``, one point each."""
    is_compared = bool(report.others)
    has_interval = len(report.seeds) >= MIN_RUNS
    found: list[Text] = []
    if report.verdicts:
        found.append(_CLAIM)
    if any(suite.is_ranked for suite in report.suites):
        found.append(_SCORE)
        if any(suite.floors.rows for suite in report.suites):
            found.append(_FLOOR_OF_CHECKPOINT if report.plan.checkpoint else _FLOOR)
        if any(runs.is_known for runs in report.learning.values()):
            found.append(_LEARNT_FROM_CHECKPOINT if report.plan.checkpoint else _LEARNT)
        if is_compared:
            found.append((Strong("Gain"), _gain(report)))
        if is_compared and has_interval:
            is_paired = len(report.plan.objectives) <= MOST_PAIRED
            found.append(_GROUP if is_paired else _AGAINST_BASELINE)
        if is_compared and len(report.seeds) > 1:
            found.append(_SEEDS_BETTER)
    if any(item.headline for curve in report.curves for item in curve.speedups.values()):
        found.append((Strong("Speedup"), _speedup(report.baseline)))
    if report.suites and len(report.seeds) > 1:
        found.append(_NOISE)
    return [*found, _AXES, _DASH]


def _gain(report: Report) -> str:
    shared = shared_words(report.plan)
    text = ": difference to the baseline at the same seed" + (
        f", so with the same {shared}" if shared else ""
    )
    text += "; positive is better, also where a lower score is."
    if len(report.seeds) >= MIN_RUNS:
        text += (
            " Each interval stands alone: about one in twenty true nulls looks significant by it."
        )
    return text


def _speedup(baseline: str) -> str:
    return (
        f": the whole budget of {baseline}, at the end of which it has its final score, divided by "
        "what the objective spent when it first reached that score, on each compute axis, from the "
        f"mean curves of all seeds. It is the whole budget also where {baseline} had that score "
        "earlier. Below 1x is slower. A value after < or > is a bound: < where the score was never "
        "reached within the budget, > where it was reached before the first point measured."
    )


_CLAIM: Text = (
    Strong("Claim"),
    (
        ': "at least this much". Reproduced at this scale if the whole 95% interval is at or above '
        "the claimed value, not reproduced if it is wholly below, else inconclusive; with fewer "
        f"than {MIN_RUNS} pretraining seeds there is no interval and no other verdict. Only with "
        "the paper's scale, score and protocol is it confirmed or refuted. By a score that the "
        "claim does not name it is found or not found, which is no verdict on the claim. A claim "
        "whose own score the study lacks is not tested."
    ),
)
_SCORE: Text = (
    Strong("Score"),
    (
        ": the average that the protocol names, in points. Fine-tuning seeds are averaged within "
        "their pretraining run first; the interval is the 95% t-interval over pretraining seeds."
    ),
)
_FLOOR: Text = (
    Strong("Floor"),
    (
        ": what the same examples give without any pretraining. A score that is not above its floors "
        "shows nothing of what pretraining did and carries no verdict."
    ),
)
_LEARNT: Text = (
    Strong("Learnt"),
    (
        ": how many finished runs have left their first plateau. Means, intervals and gains are over "
        "these alone; a gain over the seeds at which both sides have."
    ),
)
_FLOOR_OF_CHECKPOINT: Text = (
    Strong("Floor"),
    (
        ": what the same examples give without further pretraining, from the checkpoint as it was and "
        "without any encoder. A score that is not above its floors shows nothing of what further "
        "pretraining did and carries no verdict."
    ),
)
_LEARNT_FROM_CHECKPOINT: Text = (
    Strong("Learnt"),
    (
        ": how many finished runs end with an encoder that predicts better than pairs of words and uses "
        "their order, as the checkpoint may from the start: a run that is stuck has lost it, or never "
        "had it. Means, intervals and gains are over the others alone; a gain over the seeds at which "
        "both sides have."
    ),
)
_GROUP: Text = (
    Strong("Group, rank"),
    (
        ": all pairs of objectives compared at once (paired t-tests, Holm, 5%). Two that share a "
        "letter are not significantly different; the rank's interval holds every rank that the "
        "seeds allow."
    ),
)
_AGAINST_BASELINE: Text = (
    Strong("Better, worse"),
    (
        ": every objective compared with the baseline at once (paired t-tests, Holm, 5%), and with no "
        "other objective."
    ),
)
_SEEDS_BETTER: Text = (
    Strong("Seeds better"),
    (
        ": at how many seeds the objective beats the baseline, a tie counting half, with the exact 95% "
        "interval of the share of all seeds; a dash below 3 seeds."
    ),
)
_NOISE: Text = (
    Strong("Noise floor"),
    (
        ": the smallest difference of two objectives' means that an unpaired t-test (5%) can "
        "distinguish from reseeding alone; sd: standard deviation from seed to seed."
    ),
)
_AXES: Text = (
    Strong("Steps"),
    " are optimizer steps, ",
    Strong("tokens"),
    " leave out padding, ",
    Strong("FLOPs"),
    " are counted forward and backward on the real step, ",
    Strong("device time"),
    " leaves out evaluation, checkpoints and warm-up.",
)
_DASH: Text = (
    "A dash marks a value that is missing or does not apply. What is incomplete is not ranked; what "
    "is missing is named under What was not run."
)
