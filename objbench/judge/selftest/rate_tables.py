"""The tables of a self-test's page, from the stored rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

from objbench.judge.formatting import DASH
from objbench.judge.selftest.error_rates import ClaimRates, RateRow


def null_table(rows: Sequence[RateRow]) -> str:
    """Equal objectives: how often they are called different."""
    lines = []
    for row in rows:
        lines.append(
            {
                "study": row.scenario,
                "seeds": row.seeds,
                "coverage": percent(row.coverage),
                "called better": percent(row.called_better),
                "called worse": percent(row.called_worse),
                "false confirmed": percent(row.false_confirm),
                "power: refuted": _power(row.claim("well above"), "refuted", row.judged),
            }
        )
    return _table(lines)


def planted_table(rows: Sequence[RateRow]) -> str:
    """Coverage, false verdicts and power; how many studies were judged, where some were not."""
    is_partly_judged = any(row.judged < 1.0 for row in rows)
    return _table(
        [
            {
                "study": row.scenario,
                "seeds": row.seeds,
                **({"judged": percent(row.judged)} if is_partly_judged else {}),
                "truth": f"{row.truth:.3g}",
                "coverage": percent(row.coverage),
                "open": percent(row.open_ended) if row.kind == "speedup" else DASH,
                "false confirmed": percent(row.false_confirm),
                "false refuted": percent(row.false_refute),
                "power: confirmed": _power(row.claim("well below"), "confirmed", row.judged),
                "power: refuted": _power(row.claim("well above"), "refuted", row.judged),
            }
            for row in rows
        ]
    )


def luck_table(rows: Sequence[RateRow]) -> str:
    """Equal objectives with settings of their own: how often they are called different."""
    return _table(
        [
            {
                "study": row.scenario,
                "seeds": row.seeds,
                "coverage": percent(row.coverage),
                "called better": percent(row.called_better),
                "called worse": percent(row.called_worse),
                "called different": percent(row.called_better + row.called_worse),
            }
            for row in rows
        ]
    )


def reliability_table(rows: Sequence[RateRow]) -> str:
    """Whether more runs learn: how often that is found, and how often the opposite."""
    return _table(
        [
            {
                "study": row.scenario,
                "seeds": row.seeds,
                "truth": f"{row.truth:+.3g} points" if row.truth else "equal",
                "called more often": percent(row.claims[0].confirmed),
                "called less often": percent(row.claims[0].refuted),
            }
            for row in rows
        ]
    )


def percentile_table(rows: Sequence[RateRow]) -> str:
    """Coverage of the percentile bootstrap beside that of the judge, where it was measured."""
    return _table(
        [
            {
                "study": row.scenario,
                "seeds": row.seeds,
                "percentile bootstrap": percent(row.percentile_coverage),
                "the judge": percent(row.coverage),
            }
            for row in rows
            if row.percentile_coverage is not None
        ]
    )


def _power(claim: ClaimRates | None, verdict: str, judged: float) -> str:
    """How often a claim is settled, of all studies drawn."""
    if claim is None:
        return DASH
    settled = claim.confirmed if verdict == "confirmed" else claim.refuted
    return f"{percent(judged * settled)} ({claim.claimed:.3g})"


def percent(value: float | None) -> str:
    """A share in percent; a dash where there is none."""
    return DASH if value is None else f"{100 * value:.1f}%"


def _table(lines: Sequence[Mapping[str, object]]) -> str:
    if not lines:
        return "Nothing measured."
    align = ["left", *["right"] * (len(lines[0]) - 1)]
    rows = [[str(cell) for cell in line.values()] for line in lines]
    return tabulate(rows, list(lines[0]), tablefmt="pipe", disable_numparse=True, colalign=align)
