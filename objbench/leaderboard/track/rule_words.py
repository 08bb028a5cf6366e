"""The rules of the track in whole sentences, as the page has them."""

from __future__ import annotations

from objbench.judge.statistics.record_test import RECORD_LEVEL


def rule_points() -> list[str]:
    """What a row must be, one sentence or two each."""
    return [
        (
            "A recipe chooses encoder, objective and its options, optimizer, schedule, batch, length, "
            "budget, seeds and tuning, as far as the track's file does not fix them. It starts from random "
            "weights and learns from no teacher."
        ),
        "Text, tokenizer and tokens are those of the track, by the SHA-256 of each part in every record.",
        (
            "At least five seeds are declared before the first is run. All of them count: a run that "
            "diverges or never reaches the target is censored and stays in the median and in the test. Seeds "
            "that were added later make no row."
        ),
        (
            "Evaluation points are those that the track fixes, and no others. The loss at one is that of "
            "masked language modelling on held-out text, in bits per character, whatever the objective is."
        ),
        (
            "A row from somebody else is ranked at once. It can hold the record once randomly drawn cells "
            "of it have been run again and agree."
        ),
    ]


def clock_points() -> list[str]:
    """What counts to a recipe's spend, and what is listed beside it."""
    return [
        (
            "Counted: every training step of the model that reaches the target, from random weights to the "
            "evaluation point, warm-up and its own cooldown included, forward and backward, as objbench "
            "counts FLOPs and device seconds."
        ),
        (
            "Not counted, and listed in the table: the trials of the declared tuning, and the cooldown "
            "branches, which end at earlier evaluation points and are in no later model. Tuning is not "
            "counted because a recipe, once found, is used again; it is listed because it was spent. What was "
            "tried outside of a declared tuning is in no record, and nobody can check it."
        ),
        (
            "Neither counted nor listed: tokenising, evaluation, checkpoints, and the compilation before "
            "the first step."
        ),
        (
            "Device time depends on the device and on what else it was doing. It is compared between rows of "
            "one device only."
        ),
    ]


def record_points() -> list[str]:
    """How spends and p-values come about."""
    return [
        (
            "Between two evaluation points a run's loss, made to fall by isotonic regression, is taken to "
            "be linear in the logarithm of the steps; the target counts as reached where that line first "
            "meets it. Spends on other axes are interpolated at the same share of the way, in their "
            "logarithm. Nothing is extrapolated: < and > are bounds."
        ),
        (
            "The number of a row is the median over its runs, with the exact interval of order statistics "
            "in brackets: with five runs the smallest and the largest, which cover the median with "
            "93.75%. The interval also contains the two evaluation points around the median run."
        ),
        (
            f"A row takes over from the holder if the Mann-Whitney test says with p < {RECORD_LEVEL:g} "
            "(one-sided, exact) that its runs take fewer FLOPs. That test needs no distribution and no "
            "scale, so it is the same for FLOPs and for their logarithm. Runs are not paired by seed: recipes "
            "differ in encoder and batch, so that equal seeds share nothing, and with five pairs no "
            "distribution-free paired test can give less than 1/32."
        ),
        (
            "Where a spend is a bound, the test takes the value that is worst for the new row: its own "
            "censored runs are slower than everything, the holder's reached the target just after their "
            "budget. Ties are the holder's."
        ),
        (
            "The speedup over the holder is the holder's FLOPs divided by the row's: the Hodges-Lehmann "
            "estimate, with the narrowest interval of the same test that covers at least 95%, which is "
            "96.83% for five runs against five. Both assume that the spends of two recipes differ by one "
            "constant factor, apart from chance; the p-value does not. The estimate is a median of "
            "ratios, so it is near the ratio of the two medians and not equal to it."
        ),
        (
            "Which tokens are hidden depends on batch and length. A row whose batch or length is not the "
            "holder's has to go below the target by a margin that a change of masks alone would exceed in "
            "1 of 100 cases; the track's file has the number. It is estimated from the spread of single "
            "tokens' losses, not measured. On English it costs such a row about a tenth of its spend: 5% "
            "to 12% in the six runs of the study small-english that reach both losses."
        ),
        (
            "Each target has a ranking of its own, by the median FLOPs; no score combines targets. Device "
            "time has a record of its own on each device, by the same test. So a row is tested once for "
            "each target, in FLOPs and in device time, each time at that level; these tests are not "
            "corrected for one another."
        ),
    ]
