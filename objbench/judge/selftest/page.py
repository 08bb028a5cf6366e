"""A self-test as a page in markdown: what was drawn, what is required, and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

from objbench.judge.formatting import DASH
from objbench.judge.selftest.error_rates import (
    LEAST_COVERAGE,
    MOST_COVERAGE,
    MOST_ERRORS,
    ClaimRates,
    RateRow,
    Rates,
)
from objbench.judge.selftest.scenarios import STRESS_TESTS
from objbench.judge.selftest.simulate import Noise

_REQUIRED = (
    f"Required in the first two tables: at most {MOST_ERRORS:.0%} false confirmations, at most "
    f"{MOST_ERRORS:.0%} false refutations, and {LEAST_COVERAGE:.0%} to {MOST_COVERAGE:.0%} "
    "coverage of the 95% interval."
)
_COLUMNS = (
    'Every claim is "at least this much". False confirmed: the worse of a claim just above the '
    "truth (by 0.05 points, or 2%) and one well above it. False refuted: the worse of a claim of "
    "exactly the truth and one well below it. Power: how often a claim that far from the truth (in "
    "brackets) is settled. Open: intervals with an unmeasured end, which cover everything beyond it."
)
_PERCENTILE = (
    "Coverage of the plain 95% percentile bootstrap on the same simulated studies. It is too narrow "
    "with few seeds, so no verdict uses it."
)


def selftest_page(rates: Rates) -> str:
    """The whole page, from the stored rates alone."""
    rows = rates.rows if rates.drawn_from else rates.held
    null = [row for row in rows if row.is_null]
    planted = [row for row in rows if not row.is_null]
    if rates.drawn_from:
        parts = [
            "# The judge on real training runs",
            _drawn(rates),
            "## The same objective on both sides (A/A)",
            _null_table(null),
            "## A planted effect",
            "The baseline is charged twice for every step, so the other side is twice as fast. "
            + _COLUMNS,
            _planted_table(planted),
        ]
    else:
        parts = [
            "# The judge's own test",
            summary(rates),
            _simulated(rates),
            _REQUIRED,
            "## Equal objectives (A/A)",
            _null_table(null),
            "## Planted effects",
            _COLUMNS,
            _planted_table(planted),
            "## Stress tests",
            "The bounds do not apply here. Each study breaks an assumption of the method:",
            _stress_list(stress := [row for row in rates.rows if not row.is_held]),
            _planted_table(stress),
            "## The percentile bootstrap, for comparison",
            _PERCENTILE,
            _percentile_table(rates.rows),
        ]
    parts.insert(1, "<!-- Made by `objbench selftest`; edits are overwritten. -->")
    made_with = [f"- {what}: {value}" for what, value in sorted(rates.made_with.items())]
    parts += ["## Made with", "\n".join(made_with), f"```sh\n{rates.command}\n```"]
    return "\n\n".join(parts) + "\n"


def summary(rates: Rates) -> str:
    """What was found in the rows that the bounds apply to, in one line."""
    held = rates.held
    if not held:
        return "No row that the bounds apply to."
    coverages = [row.coverage for row in held]
    seeds = ", ".join(str(count) for count in sorted({row.seeds for row in held}))
    verdict = "Every bound holds" if not rates.faults else f"Broken: {'; '.join(rates.faults)}"
    return (
        f"{verdict}: over {len(held)} simulated comparisons ({seeds} seeds), at most "
        f"{_share(max(row.false_confirm for row in held))} false confirmations and "
        f"{_share(max(row.false_refute for row in held))} false refutations; the 95% interval "
        f"covers the truth in {_share(min(coverages))} to {_share(max(coverages))}."
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


def _null_table(rows: Sequence[RateRow]) -> str:
    lines = []
    for row in rows:
        null = row.claim("the truth")
        lines.append(
            {
                "study": row.scenario,
                "seeds": row.seeds,
                "coverage": _share(row.coverage),
                "called better": DASH if null is None else _share(null.confirmed),
                "called worse": DASH if null is None else _share(null.refuted),
                "false confirmed": _share(row.false_confirm),
                "power: refuted": _power(row.claim("well above"), "refuted"),
            }
        )
    return _table(lines)


def _planted_table(rows: Sequence[RateRow]) -> str:
    return _table(
        [
            {
                "study": row.scenario,
                "seeds": row.seeds,
                "truth": f"{row.truth:.3g}",
                "coverage": _share(row.coverage),
                "open": _share(row.open_ended) if row.kind == "speedup" else DASH,
                "false confirmed": _share(row.false_confirm),
                "false refuted": _share(row.false_refute),
                "power: confirmed": _power(row.claim("well below"), "confirmed"),
                "power: refuted": _power(row.claim("well above"), "refuted"),
            }
            for row in rows
        ]
    )


def _percentile_table(rows: Sequence[RateRow]) -> str:
    return _table(
        [
            {
                "study": row.scenario,
                "seeds": row.seeds,
                "percentile bootstrap": _share(row.percentile_coverage),
                "the judge": _share(row.coverage),
            }
            for row in rows
            if row.percentile_coverage is not None
        ]
    )


def _power(claim: ClaimRates | None, verdict: str) -> str:
    if claim is None:
        return DASH
    share = claim.confirmed if verdict == "confirmed" else claim.refuted
    return f"{_share(share)} ({claim.claimed:.3g})"


def _share(value: float) -> str:
    return f"{100 * value:.1f}%"


def _table(lines: Sequence[Mapping[str, object]]) -> str:
    if not lines:
        return "Nothing measured."
    align = ["left", *["right"] * (len(lines[0]) - 1)]
    rows = [[str(cell) for cell in line.values()] for line in lines]
    return tabulate(rows, list(lines[0]), tablefmt="pipe", disable_numparse=True, colalign=align)
