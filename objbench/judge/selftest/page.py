"""A self-test as a page in markdown: what was drawn, what is required, and what was found."""

from __future__ import annotations

from collections.abc import Sequence

from objbench.judge.selftest.bounds import ENOUGH, LEAST_COVERAGE, MOST_COVERAGE, MOST_ERRORS
from objbench.judge.selftest.differences import SEED_SD
from objbench.judge.selftest.error_rates import RateRow, Rates
from objbench.judge.selftest.rate_tables import (
    luck_table,
    null_table,
    percent,
    percentile_table,
    planted_table,
    reliability_table,
)
from objbench.judge.selftest.scenario import Topic
from objbench.judge.selftest.simulate import Noise
from objbench.judge.selftest.stress_scenarios import STRESS_TESTS

_REQUIRED = (
    "Required of every row, except in the comparisons without a rule, under tuning and in the stress "
    f"tests: at most {MOST_ERRORS:.0%} false confirmations, at most {MOST_ERRORS:.0%} false "
    f"refutations, at least {LEAST_COVERAGE:.0%} coverage of the 95% interval, and at most "
    f"{MOST_COVERAGE:.0%} by its test alone: an interval also contains the two points around the estimate, "
    "which makes it wider where seeds are quiet. With "
    f"fewer than {ENOUGH:,} studies per row, a bound counts as broken only if a judge exactly at the "
    "bound would make as many errors with a probability below 0.1%."
)
_COLUMNS = (
    'Every claim is "at least this much". False confirmed: the worse of a claim just above the '
    "truth (by 0.05 points, or 2%) and one well above it. False refuted: the worse of a claim of "
    "exactly the truth and one well below it. Power: how often a claim that far from the truth (in "
    "brackets) is settled. Open: intervals with an unmeasured end, which cover everything beyond it; "
    "where the truth itself is beyond the curves, they always cover it."
)
_LEARNING = (
    "A run that never leaves its plateau says nothing about what its objective does to an encoder. The "
    "judge compares the pairs in which both runs learnt, and gives no verdict where there are fewer "
    "than 3; the truth is that of the runs that learn. Judged: in how many of the studies drawn there "
    "are enough pairs. Coverage and false verdicts are shares of these, power is a share of all."
)
_COUNTED = "A judge that counts stuck runs like others, which this one does not:"
_RELIABILITY = (
    'The claim "more of its runs learn" is judged by McNemar\'s exact test over pairs of seeds, which '
    "needs at least six pairs in which only one side learnt. Where the two learn equally often, both "
    "columns are errors; elsewhere one is the power and the other an error."
)
_LOOKS = (
    "A user adds seeds and looks again until a claim is settled; seeds is the last look. Looks that "
    "were declared before the first run share the 5% (linear alpha spending). Where none were, the "
    "first look has its 95% interval and every later one the interval that holds at every look. "
    "Coverage: the share of studies in which the intervals of all looks cover the truth."
)
_UNCORRECTED = "A judge that takes every look for the only one, which this one does not:"
_TUNING = (
    "Two equal objectives, each with the best of six settings in trials of its own. The mean scores of "
    f"the settings differ by as much as seeds do ({SEED_SD:g} points, one standard deviation). The "
    "settings chosen may differ in what they are worth, and the judge compares the objectives at these "
    "settings: it cannot know that luck chose them, and with more seeds it sees the difference more "
    "often. More tuning seeds help. No bound applies; a study's page says on which seeds its settings "
    "were chosen, and warns where that was a single one."
)
_PERCENTILE = (
    "Coverage of the plain 95% percentile bootstrap on the same simulated studies. It is too narrow "
    "with few seeds, so no verdict uses it."
)


def selftest_page(rates: Rates) -> str:
    """The whole page, from the stored rates alone."""
    parts = _real_parts(rates) if rates.drawn_from else _simulated_parts(rates)
    parts.insert(1, "<!-- Made by `objbench selftest`; edits are overwritten. -->")
    made_with = [f"- {what}: {value}" for what, value in sorted(rates.made_with.items())]
    parts += ["## Made with", "\n".join(made_with), f"```sh\n{rates.command}\n```"]
    return "\n\n".join(parts) + "\n"


def _real_parts(rates: Rates) -> list[str]:
    return [
        "# The judge on real training runs",
        _drawn(rates),
        "## The same objective on both sides (A/A)",
        null_table([row for row in rates.rows if row.is_null]),
        "## A planted effect",
        "The baseline is charged twice for every step, so the other side is twice as fast. "
        + _COLUMNS,
        planted_table([row for row in rates.rows if not row.is_null]),
    ]


def _simulated_parts(rates: Rates) -> list[str]:
    held = [row for row in rates.held if not row.topic]
    stress = [row for row in rates.rows if not (row.is_held or row.topic)]
    return [
        "# The judge's own test",
        summary(rates),
        _simulated(rates),
        _REQUIRED,
        "## Equal objectives (A/A)",
        null_table([row for row in held if row.is_null]),
        "## Planted effects",
        _COLUMNS,
        planted_table([row for row in held if not row.is_null]),
        *_topic_parts(rates, "learning", "## Runs that did not learn", _LEARNING, _COUNTED),
        "## How often runs learn",
        _RELIABILITY,
        reliability_table([row for row in rates.rows if row.topic == "reliability"]),
        *_topic_parts(rates, "looks", "## Looking more than once", _LOOKS, _UNCORRECTED),
        "## Settings chosen by luck",
        _TUNING,
        luck_table([row for row in rates.rows if row.topic == "tuning"]),
        "## Stress tests",
        "The bounds do not apply here. Each study breaks an assumption of the method:",
        _stress_list(stress),
        planted_table(stress),
        "## The percentile bootstrap, for comparison",
        _PERCENTILE,
        percentile_table(rates.rows),
    ]


def _topic_parts(
    rates: Rates, topic: Topic, title: str, text: str, without_rule: str
) -> tuple[str, ...]:
    """A rule of the judge: its rates with it, and for comparison without it."""
    rows = [row for row in rates.rows if row.topic == topic]
    with_rule, without = (
        planted_table([row for row in rows if row.is_contrast == is_contrast])
        for is_contrast in (False, True)
    )
    return title, text, with_rule, without_rule, without


def summary(rates: Rates) -> str:
    """What was found in the rows that the bounds apply to, in one line."""
    held = rates.held
    if not held:
        return "No row that the bounds apply to."
    coverages = [row.coverage for row in held if row.is_measured and row.coverage is not None]
    seeds = ", ".join(str(count) for count in sorted({row.seeds for row in held}))
    verdict = "Every bound holds"
    if rates.faults:
        verdict = f"Broken: {'; '.join(rates.faults)}"
    elif rates.repetitions < ENOUGH:
        verdict = (
            f"No bound is broken by more than chance explains with {rates.repetitions:,} studies per "
            f"row, which does not show that all hold: that takes {ENOUGH:,}"
        )
    return (
        f"{verdict}: over {len(held)} simulated comparisons ({seeds} seeds), at most "
        f"{percent(max(row.false_confirm for row in held))} false confirmations and "
        f"{percent(max(row.false_refute for row in held))} false refutations; the 95% interval "
        f"covers the truth in {percent(min(coverages))} to {percent(max(coverages))}."
    )


def _drawn(rates: Rates) -> str:
    return (
        f"{rates.repetitions:,} studies per row (judge version {rates.judge_version}, seed "
        f"{rates.seed}), drawn from {rates.drawn_from}: two disjoint groups of seeds of one "
        "objective, one of which acts as the baseline. Studies drawn from the same runs overlap, so "
        "the rates are rough and hold for these runs only; the bounds are for the simulation."
    )


def _simulated(rates: Rates) -> str:
    noise = Noise()
    return (
        f"{rates.repetitions:,} simulated studies per row (judge version {rates.judge_version}, "
        f"seed {rates.seed}). The truth is that of the mean over all seeds. Unless a row says "
        f"otherwise, seeds differ by {noise.level:g} points in level and {noise.clock:.0%} in "
        f"clock, {noise.shared:.0%} of which is shared by the two objectives of a seed, with "
        f"{noise.evaluation:g} points of evaluation noise at each of 11 points."
    )


def _stress_list(rows: Sequence[RateRow]) -> str:
    known = {scenario.name: scenario.stress for scenario in STRESS_TESTS}
    names = dict.fromkeys(row.scenario for row in rows)
    return "\n".join(f"- **{name}**: {known.get(name, 'no longer simulated')}." for name in names)
