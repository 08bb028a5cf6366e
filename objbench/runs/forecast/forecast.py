"""A forecast: what is left of a study and what it takes, and the lines that say so.

``objbench plan`` makes one from shapes alone, and every run makes one of what it has counted and
measured; the lines are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from objbench.contract.suite import INITIAL_WEIGHTS
from objbench.judge.formatting import amount, count, duration, memory, three_digits
from objbench.results.plan import PlannedCell
from objbench.runs.forecast.disk import Disk
from objbench.runs.forecast.forecast_values import Evaluations, Pretraining

KINDS = {
    "trial": "trial",
    "trial_evaluation": "evaluation of trials",
    "pretrain": "pretraining",
    "evaluation": "evaluation",
    "floor": "floor",
    "curve": "curve",
}
UNSURE = 0.25
"""Part of the price by which a time may be off that has not been measured."""
AROUND = 12.0
"""Seconds of a run beside its cells, on two cores: Python starts in every process, the text is opened,
and the page and its pictures are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an hour of the device costs.

    Attributes:
        low, high: of an hour.
        currency: their unit.
        source: such as "2026-11-29" or "as given".
        measured: whether the hours are.
    """

    low: float
    high: float
    currency: str
    source: str
    measured: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is left of a study.

    Attributes:
        cells: kind -> number of those left.
        pretrainings: by objective, trials included.
        evaluations: by task, of every kind that evaluates an encoder.
        floors: cells that score a task without an encoder, of unknown time.
        jobs: cells that run at the same time.
        by: what the times are by; "" if there are none.
        disk: bytes.
        price: None for none.
        memory: lines on the memory of a step.
        seeds: a line on what the seeds can show; "" for none.
        assumed: what is assumed.
        done: cells that are in the run folder already and counted nowhere else here.
    """

    cells: Mapping[str, int]
    pretrainings: Sequence[Pretraining]
    evaluations: Sequence[Evaluations]
    floors: int
    jobs: int
    by: str
    disk: Disk
    price: Price | None = None
    memory: Sequence[str] = ()
    seeds: str = ""
    assumed: Sequence[str] = ()
    done: int = 0

    @property
    def pretraining_seconds(self) -> float | None:
        """Device seconds of all pretrainings; None if one of them is not known."""
        each = [one.each for one in self.pretrainings]
        if not each or None in each:
            return None
        pairs = zip(each, self.pretrainings, strict=True)
        return sum(seconds * one.runs for seconds, one in pairs if seconds is not None)

    @property
    def evaluation_seconds(self) -> float | None:
        """Device seconds of the evaluations that are estimated; None where none is."""
        known = [each.cells * each.seconds for each in self.evaluations if each.seconds is not None]
        return sum(known) if known else None

    def seconds_of(self, cell: PlannedCell) -> float | None:
        """Device seconds of one cell; None where they are not known."""
        if cell.kind in ("pretrain", "trial"):
            same = (
                o
                for o in self.pretrainings
                if (o.objective, o.steps) == (cell.objective, cell.step)
            )
            return next((one.each for one in same), None)
        if cell.kind == "curve" or (cell.floor and cell.floor not in INITIAL_WEIGHTS):
            return None
        tasks = (
            each for each in self.evaluations if (each.suite, each.task) == (cell.suite, cell.task)
        )
        return next((each.seconds for each in tasks), None)

    @property
    def device_seconds(self) -> float | None:
        """Of all cells whose seconds are estimated; None where those of a pretraining are not known."""
        pretraining, evaluating = self.pretraining_seconds, self.evaluation_seconds
        if pretraining is None and (self.pretrainings or evaluating is None):
            return None
        return (pretraining or 0.0) + (evaluating or 0.0)

    @property
    def seconds(self) -> float | None:
        """From the command to its page, ``jobs`` cells at a time; None as for ``device_seconds``."""
        seconds = self.device_seconds
        if seconds is None:
            return None
        longest = max((one.each or 0.0 for one in self.pretrainings), default=0.0)
        return AROUND + max(longest, seconds / self.jobs)

    @property
    def not_estimated(self) -> dict[str, int]:
        """Suite -> its evaluations whose time is not known, and those without an encoder."""
        found: dict[str, int] = {}
        for each in self.evaluations:
            if each.seconds is None:
                found[each.suite] = found.get(each.suite, 0) + each.cells
        return {**found, **({"floors without an encoder": self.floors} if self.floors else {})}


def lines_of(forecast: Forecast) -> list[str]:
    """What a forecast says, line by line, the most important first."""
    kinds = [count(number, KINDS[kind]) for kind, number in forecast.cells.items() if number]
    whole = sum(forecast.cells.values())
    if forecast.done and not whole:
        return [f"plan: nothing is left: all {count(forecast.done, 'cell')} are done"]
    done = f" left, {forecast.done:,} done" if forecast.done else ""
    parts = [f"plan: {count(whole, 'cell')}{done}: {', '.join(kinds)}"]
    if forecast.pretrainings:
        for is_trial in (True, False):
            own = [_each(one) for one in forecast.pretrainings if one.is_trial == is_trial]
            kind = "trial" if is_trial else "pretraining"
            parts += [f"each {kind}: {'; '.join(own)}"] if own else []
        parts.append(_pretrainings(forecast))
    if forecast.evaluations or forecast.floors:
        parts.append(_evaluations(forecast))
    parts += _whole(forecast)
    parts += [*forecast.memory, _disk(forecast)]
    parts += [forecast.seeds] if forecast.seeds else []
    parts += [f"assumed: {'; '.join(forecast.assumed)}"] if forecast.assumed else []
    return parts


def _each(one: Pretraining) -> str:
    text = f"{one.objective} {one.steps:,} steps, {amount(one.steps * one.flops)} FLOPs, "
    text += f"{amount(one.steps * one.tokens)} tokens"
    return text if one.each is None else f"{text}, {duration(one.each)}"


def _pretrainings(forecast: Forecast) -> str:
    made = forecast.pretrainings
    trials = sum(one.runs for one in made if one.is_trial)
    runs = sum(one.runs for one in made) - trials
    kinds = [count(trials, "trial")] * bool(trials) + [count(runs, "pretraining")] * bool(runs)
    flops = sum(one.runs * one.route_steps * one.flops for one in made)
    tokens = sum(one.runs * one.route_steps * one.tokens for one in made)
    line = f"{' and '.join(kinds)} left: {amount(flops)} FLOPs, {amount(tokens)} tokens"
    seconds = forecast.pretraining_seconds
    return line if seconds is None else f"{line}, about {duration(seconds)} {forecast.by}"


def _evaluations(forecast: Forecast) -> str:
    seconds, unknown = forecast.evaluation_seconds, forecast.not_estimated
    known = [each for each in forecast.evaluations if each.seconds is not None]
    parts = []
    if seconds is not None:
        by_suite: dict[str, float] = {}
        for each in known:
            by_suite[each.suite] = by_suite.get(each.suite, 0.0) + each.cells * (each.seconds or 0)
        shares = ", ".join(f"{suite} {duration(value)}" for suite, value in by_suite.items())
        cells = sum(each.cells for each in known)
        parts.append(f"{count(cells, 'evaluation')} left: about {duration(seconds)} ({shares})")
    if unknown:
        named = ", ".join(f"{suite} {number:,}" for suite, number in unknown.items())
        parts.append(f"time not estimated: {named}")
    return "; ".join(parts)


def _whole(forecast: Forecast) -> list[str]:
    """All device time together, how long that is, and what it costs."""
    seconds, waited = forecast.device_seconds, forecast.seconds
    if seconds is None or waited is None:
        return []
    line = f"in all about {duration(seconds)} of one device"
    if forecast.jobs > 1:
        line = f"in all about {duration(waited)}, {forecast.jobs} cells at a time"
    price = forecast.price
    if price is None:
        return [line]
    unsure = 0.0 if price.measured else UNSURE
    low, high = (
        seconds / 3600 * hour * factor
        for hour, factor in ((price.low, 1 - unsure), (price.high, 1 + unsure))
    )
    hour = _range(price.low, price.high)
    line += f"; {_range(low, high)} {price.currency} at {hour} an hour ({price.source})"
    return [line]


def _range(low: float, high: float) -> str:
    one, other = (
        f"{value:,.0f}" if value >= 1000 else three_digits(value) for value in (low, high)
    )
    return one if one == other else f"{one} to {other}"


def _disk(forecast: Forecast) -> str:
    disk = forecast.disk
    parts = [f"{memory(disk.encoders)} of disk for {count(disk.count, 'encoder')}"] * bool(
        disk.count
    )
    parts.append(f"{memory(disk.records)}{'' if parts else ' of disk'} for records and page")
    if disk.checkpoints:
        parts.append(f"at most {memory(disk.checkpoints)} for checkpoints at a time")
    if disk.tokens is not None:
        parts.append(f"{memory(disk.tokens)} for tokens")
    return f"about {', '.join(parts)}"
