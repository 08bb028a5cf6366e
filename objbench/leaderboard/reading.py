"""How to read a page: what its words and numbers mean."""

from __future__ import annotations

from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.leaderboard.document import Strong, Text

READING: tuple[Text, ...] = (
    (
        Strong("Claim"),
        (
            ': "at least this much". Confirmed if the whole 95% interval is at or above the claimed '
            "value, not reproduced at this scale (to the judge: refuted) if all of it is below, else "
            f"inconclusive; with fewer than {MIN_RUNS} pretraining seeds there is no interval and no "
            "other verdict."
        ),
    ),
    (
        Strong("Score"),
        (
            ": the average that the protocol names, in points. Fine-tuning seeds are averaged within "
            "their pretraining run first; the interval is the 95% t-interval over pretraining seeds."
        ),
    ),
    (
        Strong("Gain"),
        (
            ": difference to the baseline at the same seed, so with the same initial weights, "
            "documents and masks; positive is better, also where a lower score is. Each interval "
            "is for itself alone: of twenty differences that are none, one looks like one."
        ),
    ),
    (
        Strong("Group, rank"),
        (
            ": all pairs of objectives compared at once (paired t-tests, Holm, 5%). Two that share a "
            "letter are not significantly different; the true rank is in the interval."
        ),
    ),
    (
        Strong("Seeds better"),
        ": at how many seeds the objective beats the baseline; a tie counts half.",
    ),
    (
        Strong("Speedup"),
        (
            ": what the baseline spent to reach its final score, divided by what the objective spent "
            "where it first reached that score, on each compute axis, from the mean curves of all "
            'seeds. Below 1x is slower. "< 1.02x": the score was never reached within the budget, so '
            'the speedup is below that; "> 8.00x": it was reached before the first point measured.'
        ),
    ),
    (
        Strong("Noise floor"),
        (
            ": the smallest difference of two objectives' means that reseeding alone does not make "
            "(95%, unpaired); sd: standard deviation from seed to seed."
        ),
    ),
    (
        Strong("Steps"),
        " are optimizer steps, ",
        Strong("tokens"),
        " leave out padding, ",
        Strong("FLOPs"),
        " are counted forward and backward on the real step, ",
        Strong("device time"),
        " leaves out evaluation, checkpoints and warm-up.",
    ),
    (
        "A dash marks a missing value: what is incomplete is not ranked, and is named under What was "
        "not run."
    ),
)
