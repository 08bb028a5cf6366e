"""How often the judge is wrong where the truth is known, in sentences."""

from __future__ import annotations

from collections.abc import Callable

from objbench.judge import JUDGE_VERSION
from objbench.judge.formatting import listed
from objbench.judge.selftest.error_rates import RateRow, Rates
from objbench.judge.selftest.page import summary

_USUAL_SEEDS = 5


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
    strained = [row for row in rates.rows if not (row.is_held or row.is_contrast or row.topic)]
    if strained:
        names = len(dict.fromkeys(row.scenario for row in strained))
        found.append(
            f"In {names} stress-test simulations, which have no required bound, the worst rates "
            f"are {_worst(strained, 'confirmations', lambda row: row.false_confirm)} and "
            f"{_worst(strained, 'refutations', lambda row: row.false_refute)}."
        )
    lucky = [row for row in rates.rows if row.topic == "tuning" and row.seeds == _USUAL_SEEDS]
    if lucky:
        shares = listed(
            [
                f"{100 * (row.called_better + row.called_worse):.1f}% ({row.scenario})"
                for row in lucky
            ]
        )
        found.append(
            "What it cannot see is luck in tuning: two equal objectives, each with the best of its own "
            f"trials, were called different in {shares} of the studies of {_USUAL_SEEDS} seeds."
        )
    return found


def _worst(rows: list[RateRow], what: str, rate: Callable[[RateRow], float]) -> str:
    row = max(rows, key=rate)
    return f"{100 * rate(row):.1f}% false {what} ({row.scenario}, {row.seeds} seeds)"
