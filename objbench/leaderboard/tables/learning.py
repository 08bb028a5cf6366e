"""Whether the runs learnt, as a table: how many, by which step, and the losses that say so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from objbench.judge.formatting import loss
from objbench.judge.statistics.estimate import estimate
from objbench.leaderboard.document import Cell, Table, table
from objbench.leaderboard.line_words import KIND_WORDS
from objbench.leaderboard.quantity import Quantity, estimated, quantity
from objbench.leaderboard.report import Report
from objbench.leaderboard.run_learning import RunLearning
from objbench.leaderboard.text_bits import BITS, in_bits
from objbench.results.training_points import CommonLoss

_KINDS: Mapping[str, str] = dict([*KIND_WORDS.items(), ("own", "its own task")])


def learning_table(report: Report, names: Collection[str]) -> Table:
    """One row per objective of ``names``, then the line that a run has to reach."""
    shown = [report.learning[name] for name in report.learning if name in names]
    kinds = {kind for runs in shown for kind in runs.kinds}
    has_stuck = any(runs.seeds("stuck") for runs in report.learning.values())
    characters = report.characters_per_token if kinds - {"own"} else None
    lines = [_line(runs, len(kinds) > 1, has_stuck, characters) for runs in shown]
    for kind, words in KIND_WORDS.items():
        if report.lines is not None and kind in kinds and kind in report.lines.lines:
            name = "bigram line" if len(kinds) == 1 else f"bigram line, {words}"
            value = quantity(report.lines.lines[kind].bigram, "loss")
            line: dict[str, Cell] = {"objective": name, "common loss": value}
            if characters is not None:
                line[BITS] = in_bits(value, characters)
            lines.append(line)
    return table(lines, text_columns=2)


def _line(
    runs: RunLearning, has_kinds: bool, has_stuck: bool, characters: float | None
) -> dict[str, Cell]:
    learnt, stuck = runs.finals("learnt"), runs.finals("stuck")
    line: dict[str, Cell] = {"objective": runs.objective, "learnt": runs.words}
    if has_kinds:
        line["loss of"] = ", ".join(_KINDS[kind] for kind in sorted(runs.kinds))
    line["by step"] = _steps(runs.left_at)
    final = _mean([end.loss for end in learnt])
    line["common loss"] = final
    if characters is not None:
        line[BITS] = None if "own" in runs.kinds else in_bits(final, characters)
    line["order gain"] = _mean([end.order_gain for end in learnt])
    if has_stuck:
        line["loss if stuck"] = _range([end.loss for end in stuck])
        line["order gain if stuck"] = _range([end.order_gain for end in stuck])
    return line


def _mean(values: Sequence[float]) -> Quantity | None:
    return estimated(estimate(np.array(values)), "loss") if values else None


def _range(values: Sequence[float]) -> str | None:
    """The least and the greatest; nothing is inferred from runs that are stuck."""
    if not values:
        return None
    low, high = loss(min(values)), loss(max(values))
    return low if low == high else f"{low} to {high}"


def _steps(steps: Sequence[int]) -> str | None:
    if not steps:
        return None
    low, high = f"{steps[0]:,}", f"{steps[-1]:,}"
    return low if low == high else f"{low} to {high}"


def common_cell(runs: RunLearning, kind: str | None) -> Quantity | None:
    """The common loss at the end: over the runs that learnt, else over all, without an interval.

    Args:
        kind: what the baseline's predicts; another is said.
    """
    ends: tuple[CommonLoss, ...] = runs.finals("learnt") or runs.finals("unknown")
    is_stuck = not ends
    ends = ends or runs.finals("stuck")
    if not ends or ends[0].of == "own":
        return None
    notes = [] if ends[0].of == kind else [KIND_WORDS[ends[0].of]]
    if runs.seeds("stuck"):
        notes.append(f"{runs.share} learnt")
    found = estimate(np.array([end.loss for end in ends]))
    if is_stuck:
        return quantity(found.mean, "loss", ", ".join(notes))
    made = estimated(found, "loss")
    return Quantity(
        estimate=made.estimate, low=made.low, high=made.high, notation="loss", note=", ".join(notes)
    )
