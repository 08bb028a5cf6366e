"""The self-test as a page: what was drawn, what is required, what was found, where it strains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

from objbench.judge.selftest.error_rates import (
    LEAST_COVERAGE,
    MOST_COVERAGE,
    MOST_ERRORS,
    ClaimRates,
    RateRow,
    Rates,
)
from objbench.judge.selftest.scenarios import STRAINED
from objbench.judge.selftest.simulate import Noise

_DASH = "-"
_STRAINS = {scenario.name: scenario.strains for scenario in STRAINED}

_REQUIRED = (
    f"Required of the first two tables: false confirmations at most {MOST_ERRORS:.0%}, false "
    f"refutations at most {MOST_ERRORS:.0%}, coverage of the 95% interval "
    f"{LEAST_COVERAGE:.0%} to {MOST_COVERAGE:.0%}."
)
_COLUMNS_SAY = (
    'A claim says "at least". "False confirmed": the worse of a claim just above the truth '
    '(0.05 points, or 2%) and one well above. "False refuted": the worse of a claim of exactly '
    "the truth and one well below. Power: how often a claim that far off (in brackets) is settled. "
    '"Open": intervals with an end beyond what was measured, which hold everything beyond it.'
)
_PERCENTILE_SAYS = (
    "Coverage of the plain 95% percentile bootstrap over the same simulated studies: too narrow "
    "with few seeds, which is why no verdict rests on it."
)

_HANDICAP_SAYS = (
    "The baseline is charged twice for every step, so the other side is two times as fast. "
)


def selftest_page(rates: Rates, command: str, made_with: Mapping[str, str]) -> str:
    """The whole page, as markdown.

    Args:
        rates: what was found.
        command: that makes it again.
        made_with: machine and versions, by what they are.
    """
    parts = [
        "# The judge's own test",
        "<!-- Made by `objbench selftest`; edits are overwritten. -->",
        summary(rates),
        _setting(rates),
        _REQUIRED,
        "## Claims about equal objectives (A/A)",
        _null_table([row for row in rates.held if row.is_null]),
        "## Planted effects",
        _COLUMNS_SAY,
        _planted_table([row for row in rates.held if not row.is_null]),
        "## Where the method strains",
        "No bounds here; this is what happens.",
        _strained_list(rates),
        _planted_table([row for row in rates.rows if not row.is_held]),
        "## The percentile bootstrap, for comparison",
        _PERCENTILE_SAYS,
        _percentile_table(rates.rows),
        "## Made with",
        "\n".join(f"- {what}: {value}" for what, value in made_with.items()),
        f"```sh\n{command}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def real_page(rates: Rates, what: str, command: str, made_with: Mapping[str, str]) -> str:
    """The page of a self-test on real training runs, as markdown.

    Args:
        rates: what was found, by ``real_runs``.
        what: the runs it was found on, in a few words.
        command, made_with: as for ``selftest_page``.
    """
    parts = [
        "# The judge on real training runs",
        "<!-- Made by `objbench selftest`; edits are overwritten. -->",
        _drawn(rates, what),
        "## The same objective on both sides (A/A)",
        _null_table([row for row in rates.rows if row.is_null]),
        "## A planted effect",
        _HANDICAP_SAYS + _COLUMNS_SAY,
        _planted_table([row for row in rates.rows if not row.is_null]),
        "## Made with",
        "\n".join(f"- {what}: {value}" for what, value in made_with.items()),
        f"```sh\n{command}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _drawn(rates: Rates, what: str) -> str:
    return (
        f"{rates.repetitions:,} studies a row (judge version {rates.judge_version}, seed "
        f"{rates.seed}), drawn from {what}: two disjoint groups of seeds of one objective, one of "
        "them in the part of the baseline. Studies drawn from the same runs overlap, so the rates "
        "are theirs and rough; the bounds are for the simulation."
    )


def _setting(rates: Rates) -> str:
    noise = Noise()
    return (
        f"{rates.repetitions:,} simulated studies a row (judge version {rates.judge_version}, seed "
        f"{rates.seed}). The truth is that of the mean over all seeds. Unless a row says otherwise "
        f"seeds lie {noise.level:g} points apart in level and {noise.clock:.0%} in clock, "
        f"{noise.shared:.0%} of it shared by the two objectives of a seed, with "
        f"{noise.evaluation:g} points of evaluation noise at each of 11 points."
    )


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


def _null_table(rows: Sequence[RateRow]) -> str:
    lines = []
    for row in rows:
        null, far = row.claim("the truth"), row.claim("well above")
        lines.append(
            [
                row.scenario,
                row.seeds,
                _share(row.coverage),
                _DASH if null is None else _share(null.confirmed),
                _DASH if null is None else _share(null.refuted),
                _share(row.false_confirm),
                _power(far, "refuted"),
            ]
        )
    headers = [
        "study",
        "seeds",
        "coverage",
        "called better",
        "called worse",
        "false confirmed",
        "power: refuted",
    ]
    return _table(headers, lines)


def _planted_table(rows: Sequence[RateRow]) -> str:
    lines = [
        [
            row.scenario,
            row.seeds,
            f"{row.truth:.3g}",
            _share(row.coverage),
            _share(row.open_ended) if row.kind == "speedup" else _DASH,
            _share(row.false_confirm),
            _share(row.false_refute),
            _power(row.claim("well below"), "confirmed"),
            _power(row.claim("well above"), "refuted"),
        ]
        for row in rows
    ]
    headers = [
        "study",
        "seeds",
        "truth",
        "coverage",
        "open",
        "false confirmed",
        "false refuted",
        "power: confirmed",
        "power: refuted",
    ]
    return _table(headers, lines)


def _percentile_table(rows: Sequence[RateRow]) -> str:
    lines = [
        [row.scenario, row.seeds, _share(row.percentile_coverage), _share(row.coverage)]
        for row in rows
        if row.percentile_coverage is not None
    ]
    return _table(["study", "seeds", "percentile bootstrap", "the judge"], lines)


def _strained_list(rates: Rates) -> str:
    names = dict.fromkeys(row.scenario for row in rates.rows if not row.is_held)
    return "\n".join(
        f"- **{name}**: {_STRAINS.get(name, 'not held to the bounds')}." for name in names
    )


def _power(claim: ClaimRates | None, verdict: str) -> str:
    if claim is None:
        return _DASH
    share = claim.confirmed if verdict == "confirmed" else claim.refuted
    return f"{_share(share)} ({claim.claimed:.3g})"


def _share(value: float) -> str:
    return f"{100 * value:.1f}%"


def _table(headers: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    align = ["left", *["right"] * (len(headers) - 1)]
    rows = [[str(cell) for cell in line] for line in lines]
    if not rows:
        return "Nothing measured."
    return tabulate(rows, headers, tablefmt="pipe", disable_numparse=True, colalign=align)
