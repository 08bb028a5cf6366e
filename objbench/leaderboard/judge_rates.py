"""How often the judge is wrong where the truth is known, in sentences."""

from __future__ import annotations

from collections.abc import Callable

from objbench.judge import JUDGE_VERSION
from objbench.judge.selftest.error_rates import RateRow, Rates
from objbench.judge.selftest.page import summary


def rates_sentences(rates: Rates | None) -> list[str]:
    """The rates that the judge is held to, and the worst of its stress tests.

    Args:
        rates: as ``read_rates`` gives them; None where none were measured of this judge.
    """
    if rates is None:
        return [
            (
                f"How often this judge (version {JUDGE_VERSION}) is wrong has not been measured; "
                "objbench selftest measures it."
            )
        ]
    found = [
        (
            f"The judge (version {rates.judge_version}) was tested on simulated studies whose truth is "
            f"known, {rates.repetitions:,} per comparison. {summary(rates)}"
        )
    ]
    strained = [row for row in rates.rows if not row.is_held]
    if strained:
        names = len(dict.fromkeys(row.scenario for row in strained))
        found.append(
            f"In {names} stress-test simulations, which have no required bound, the worst rates "
            f"are {_worst(strained, 'confirmations', lambda row: row.false_confirm)} and "
            f"{_worst(strained, 'refutations', lambda row: row.false_refute)}."
        )
    return found


def _worst(rows: list[RateRow], what: str, rate: Callable[[RateRow], float]) -> str:
    row = max(rows, key=rate)
    return f"{100 * rate(row):.1f}% false {what} ({row.scenario}, {row.seeds} seeds)"
