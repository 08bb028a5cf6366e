"""How to read a page across scales: what its words and numbers mean."""

from __future__ import annotations

from objbench.leaderboard.across.comparison import Comparison
from objbench.leaderboard.document import Strong, Text


def reading(found: Comparison) -> list[Text]:
    """The words of the page of ``found``, one point each."""
    has_recipes = any(score.recipes for pair in found.pairs for score in pair.scores)
    return [
        _RUNG,
        _GAIN,
        _SPEEDUP,
        *([_RECIPES] if has_recipes else []),
        *([_TREND] if found.has_trends else []),
        _LIMITS,
    ]


_RUNG: Text = (
    Strong("Encoder, scale"),
    (
        ": its architecture; the parameters of the encoder, and the tokens and training FLOPs of "
        "the baseline's pretraining, per seed."
    ),
)
_GAIN: Text = (
    Strong("Gain"),
    (
        ": difference to the baseline at the end of the budget and at the same seed, with its 95% "
        "t-interval; positive is better, also of losses."
    ),
)
_SPEEDUP: Text = (
    Strong("Speedup"),
    (
        ": the baseline's whole budget divided by what the objective spent when it first reached the "
        "baseline's final score; then the same of its score at two thirds of its budget, which equal "
        "objectives always reach. Below 1x is slower. A value after < or > is a bound: an end that "
        "was not measured."
    ),
)
_TREND: Text = (
    Strong("Trend"),
    (
        ": the slope of the least-squares line of the gain, or of the logarithm of the speedup, over "
        "log10 of the FLOPs, all studies of an encoder weighing the same; a t-test with the errors of "
        "the studies' own seeds and Welch's degrees of freedom. Scales that differ by less than 1.25 "
        "times are one. What else differs between the studies, such as tuned settings, is part of it."
    ),
)
_RECIPES: Text = (
    Strong("Encoders at one scale"),
    (
        ": the gain with one encoder less that with another, and the ratio of their speedups, by "
        "Welch's t-test over the seeds of the two studies."
    ),
)
_LIMITS: Text = (
    "Within a study objectives are compared at once and at the look it has reached; over the studies "
    "nothing is corrected but the trends and the differences of encoders, and these not for looks. "
    "Nothing is extrapolated beyond the largest scale."
)
