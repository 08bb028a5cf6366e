"""The recipes of a track that were judged, as tables: one per target, by FLOPs, with device time beside."""

from __future__ import annotations

from collections.abc import Sequence

from objbench.contract.meters import Axis
from objbench.judge.formatting import amount, count, duration, listed, named
from objbench.judge.statistics.record_test import RECORD_LEVEL, RecordTest
from objbench.judge.statistics.time_to_target import MedianSpend, median_spend
from objbench.judge.track.holders import Challenge, against, challenges, holder_of, ranked
from objbench.judge.track.rows import Row
from objbench.judge.track.track import Target
from objbench.leaderboard.document import Block, Cell, Paragraph, shortened, table
from objbench.leaderboard.quantity import Notation, Quantity, quantity
from objbench.leaderboard.sent_words import standing_words

_NOTATIONS: dict[Axis, Notation] = {"flops": "amount", "seconds": "seconds"}


def ranking_blocks(rows: Sequence[Row], target: Target) -> list[Block]:
    """Who holds the record of a target, and the recipes from the least FLOPs on."""
    order = ranked(rows, target, "flops")
    if not order:
        return [Paragraph("No recipe is scored by this target yet.")]
    holder = holder_of(rows, target, "flops")
    is_mixed = any(row.results.sent_in is not None for row in order)
    return [
        Paragraph(record_sentence(rows, target)),
        table(
            [
                {
                    "recipe": row.name,
                    "encoder": _encoder(row),
                    "FLOPs to the target": spend_quantity(row, target, "flops"),
                    "runs": _reached(row, target),
                    "first at evaluation point": first_points(row, target) or None,
                    "speedup over the holder": _ratio(row, holder, target),
                    "p": _p(row, holder, target),
                    "device time": spend_quantity(row, target, "seconds"),
                    "device": shortened(", ".join(row.devices), 60),
                    "tuning (not counted)": _tuning(row),
                    "cooldown branches (not counted)": _branches(row),
                    **({"run by": standing_words(row.results.sent_in)} if is_mixed else {}),
                }
                for row in order
            ],
            text_columns=2,
        ),
        Paragraph(_levels(order, holder, target)),
        *_seconds(rows, target),
    ]


def record_sentence(rows: Sequence[Row], target: Target) -> str:
    """Who holds the record in FLOPs, in one sentence, and who waits for it."""
    holder = holder_of(rows, target, "flops")
    if holder is None:
        said = "No recipe has reached the target with most of its runs"
    else:
        said = (
            f"The record is held by {shortened(holder.name, 80)}: "
            f"{spend_quantity(holder, target, 'flops').text} FLOPs"
        )
    waiting = [c.row.name for c in challenges(rows, target, "flops") if c.is_faster and not c.holds]
    if waiting:
        named = ", ".join(shortened(name, 80) for name in waiting)
        said += f"; {named} would take over and is not verified yet"
    return f"{said}."


def history_blocks(rows: Sequence[Row], target: Target) -> list[Block]:
    """Each row against the holder of its time, in the order of time."""
    found = challenges(rows, target, "flops")
    if len(found) < 2:
        return []
    return [
        table([_challenge(challenge) for challenge in found], text_columns=3),
        Paragraph(
            f"A row takes over with p < {RECORD_LEVEL:g}. Each is one test: of a hundred that are no "
            "faster about one would take over."
        ),
    ]


def spend_quantity(row: Row, target: Target, axis: Axis) -> Quantity:
    """The median over runs with its interval."""
    found = _median(row, target, axis)
    return Quantity(
        estimate=found.estimate, low=found.low, high=found.high, notation=_NOTATIONS[axis]
    )


def tested_words(test: RecordTest) -> str:
    """A test in words, such as "2.10x [1.80x, > 2.40x] at 96.83%, p 0.004"."""
    p = quantity(test.p, "p").text
    return f"{_of_test(test).text} at {percent_text(test.coverage)}, p {p}"


def percent_text(coverage: float) -> str:
    """What an interval covers, to a hundredth of a percent: "93.75%"."""
    return f"{100 * coverage:.2f}".rstrip("0").rstrip(".") + "%"


def _median(row: Row, target: Target, axis: Axis) -> MedianSpend:
    return median_spend(row.runs[target.id, axis])


def _of_test(test: RecordTest) -> Quantity:
    return Quantity(estimate=test.ratio, low=test.low, high=test.high, notation="speedup")


def _ratio(row: Row, holder: Row | None, target: Target) -> Cell:
    if holder is None or row is holder:
        return None
    return _of_test(against(row, holder, target, "flops"))


def _p(row: Row, holder: Row | None, target: Target) -> Cell:
    if holder is None or row is holder:
        return None
    return quantity(against(row, holder, target, "flops").p, "p")


def _reached(row: Row, target: Target) -> str:
    reached, of = _median(row, target, "flops").reached
    return f"{reached} of {of}"


def first_points(row: Row, target: Target) -> str:
    """At which evaluation points the runs had first reached the target; "" where none had."""
    points = sorted({run.point for run in row.runs[target.id, "flops"] if run.point})
    return ", ".join(map(str, points))


def _levels(rows: Sequence[Row], holder: Row | None, target: Target) -> str:
    """What the brackets of a table cover, by the numbers of runs in it."""
    own = {len(row.runs[target.id, "flops"]): row for row in rows}
    parts = [
        f"the {percent_text(_median(row, target, 'flops').coverage)} interval of a median of "
        f"{count(runs, 'run')}"
        for runs, row in sorted(own.items())
    ]
    if holder is not None and len(rows) > 1:
        theirs = len(holder.runs[target.id, "flops"])
        parts += [
            f"the {percent_text(against(row, holder, target, 'flops').coverage)} interval of the speedup of "
            f"{count(runs, 'run')} over {theirs}"
            for runs, row in sorted(own.items())
        ]
    return f"Brackets: {listed(parts)}."


def _encoder(row: Row) -> str:
    plan = row.results.plan
    planned = next(item for item in plan.objectives if item.name == row.objective)
    kind = planned.overrides.get("encoder.model_type", plan.model_type)
    records = row.results.pretrained(row.objective)
    costs = [record.cost for record in records if record.cost is not None]
    size = f", {amount(costs[0].encoder_parameters)} parameters" if costs else ""
    return f"{shortened(kind, 30)}{size}"


def _tuning(row: Row) -> str:
    trials = row.spent.trial_runs
    if not row.spent.trials:
        return "none declared"
    flops = sum(meters.flops for meters in trials)
    return f"{amount(flops)} FLOPs in {count(row.spent.trials, 'trial')}"


def _branches(row: Row) -> str:
    return f"{row.spent.branch_steps:,.0f} steps a run, {duration(row.spent.branch_seconds)}"


def _challenge(challenge: Challenge) -> dict[str, Cell]:
    row, test = challenge.row, challenge.test
    became = "takes over" if challenge.holds else "faster, not verified yet"
    return {
        "since": row.since[:10],
        "recipe": row.name,
        "against": None if challenge.holder is None else challenge.holder.name,
        "speedup over it": None if test is None else _of_test(test),
        "p": None if test is None else quantity(test.p, "p"),
        "result": became if challenge.is_faster else "does not take over",
    }


def _seconds(rows: Sequence[Row], target: Target) -> list[Block]:
    """Who holds the record in device time, device by device, and who has a smaller median for all that."""
    devices = sorted({row.devices[0] for row in rows if len(row.devices) == 1})
    said = []
    for device in devices:
        own = [row for row in rows if row.devices == (device,)]
        holder = holder_of(own, target, "seconds")
        if holder is not None:
            spent = spend_quantity(holder, target, "seconds").text
            said.append(
                f"In device time on {shortened(device, 60)} the record is held by "
                f"{shortened(holder.name, 80)}: {spent}."
            )
            least = _median(holder, target, "seconds").estimate.value
            refused = [c for c in challenges(own, target, "seconds") if c.test and not c.is_faster]
            lower = [
                shortened(c.row.name, 80)
                for c in refused
                if _median(c.row, target, "seconds").estimate.value < least
            ]
            if lower:
                said.append(
                    f"A smaller median is not enough to take over: {named(lower, 'row')} had p >= "
                    f"{RECORD_LEVEL:g} against the holder of the time."
                )
    return [Paragraph(" ".join(said))] if said else []
