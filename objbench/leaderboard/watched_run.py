"""A run while it lasts: how far each pretraining is, and how many evaluations are done.

Read from the plan, the records and the logs of pretrainings alone, so another process, or another
machine that sees the folder, may look on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from objbench.results.plan import Plan, PlannedCell
from objbench.results.records import Status
from objbench.results.run_folder import RunFolder
from objbench.results.text_plan import TextPlan
from objbench.results.training_log import EvaluationLine, FollowedLog, TrainingLine

QUIET_SECONDS = 300.0
"""How long a cell may write no line before it is shown as silent, as ``objbench run`` reports it."""

State = Literal["running", "silent", "stopped", "failed", "diverged", "waiting", "ok"]
_ORDER: tuple[State, ...] = (
    "running",
    "silent",
    "stopped",
    "failed",
    "diverged",
    "waiting",
    "ok",
)


@dataclass(frozen=True, slots=True)
class WatchedCell:
    """A pretraining as it is now.

    Attributes:
        id: the cell's.
        state: "stopped" is one whose run was interrupted, as by Ctrl-C. "silent" is one that began,
            has no record, and writes no line any more: it hangs, was killed outright, or takes long
            for a step.
        training, evaluation: its last lines.
        quiet: seconds since its last line; None where it has none.
    """

    id: str
    state: State
    training: TrainingLine | None
    evaluation: EvaluationLine | None
    quiet: float | None

    @property
    def seconds_left(self) -> float | None:
        """By its speed so far; None where it does not run."""
        line = self.training
        if self.state != "running" or line is None or not line.done or not line.seconds:
            return None
        # Cooldown branches take as long for a step as the model that is logged.
        return (line.total - line.done) * line.seconds / max(line.step, 1)


@dataclass(frozen=True, slots=True)
class WatchedKind:
    """How many cells of one kind and suite are in which state.

    Attributes:
        name: such as "evaluation, glue".
        cells: all of them.
        states: state -> how many have it.
    """

    name: str
    cells: int
    states: Counter[str]


@dataclass(frozen=True, slots=True)
class WatchedRun:
    """A run as it is now.

    Attributes:
        name: of the study.
        pretrainings: those that run first, then what failed, what waits, and what is done.
        kinds: all other cells.
        done, failed, cells: numbers of cells.
        is_followed: these cells make the text; those of the study are planned once it is there.
    """

    name: str
    pretrainings: tuple[WatchedCell, ...]
    kinds: tuple[WatchedKind, ...]
    done: int
    failed: int
    cells: int
    is_followed: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether every cell has a record that is good, and no more cells follow."""
        return self.done == self.cells and not self.is_followed


class Watcher:
    """Looks at a run again and again, and reads only what is new.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = RunFolder(folder)
        self._logs: dict[tuple[str, str], FollowedLog] = {}

    def look(self) -> WatchedRun:
        """The run as it is now.

        Raises:
            RecordError: there is no plan, or a file cannot be read.
        """
        # Read again: rounds of tuning, or seeds that were added, make another plan.
        plan = self._folder.read_current_plan()
        status = self._folder.ended_cells(plan.cells)
        pretrainings = [
            self._pretraining(cell, status.get(cell.id))
            for cell in plan.cells
            if cell.kind in ("trial", "pretrain")
        ]
        pretrainings.sort(key=lambda cell: _ORDER.index(cell.state))
        found = Counter(status.values())
        return WatchedRun(
            name=plan.name,
            pretrainings=tuple(pretrainings),
            kinds=_kinds(plan, status),
            done=found["ok"],
            failed=found["failed"] + found["diverged"],
            cells=len(plan.cells),
            is_followed=isinstance(plan, TextPlan),
        )

    def _pretraining(self, cell: PlannedCell, status: Status | None) -> WatchedCell:
        log = self._logs.setdefault((cell.id, cell.key), FollowedLog(self._folder.log(cell)))
        log.look()
        quiet = None if log.last is None else _seconds_since(log.last.time)
        state: State
        if status is not None:
            state = status
        elif quiet is None:
            state = "waiting"
        elif log.is_stopped:
            state = "stopped"
        else:
            state = "running" if quiet < QUIET_SECONDS else "silent"
        return WatchedCell(cell.id, state, log.training, log.evaluation, quiet)


def _kinds(plan: Plan, status: dict[str, Status]) -> tuple[WatchedKind, ...]:
    """The cells that are no pretrainings, by kind and suite, in the order of the plan."""
    states: dict[str, Counter[str]] = {}
    for cell in plan.cells:
        if cell.kind not in ("trial", "pretrain"):
            name = f"{cell.kind.replace('_', ' ')}, {cell.suite}" if cell.suite else cell.kind
            states.setdefault(name, Counter())[status.get(cell.id, "waiting")] += 1
    return tuple(WatchedKind(name, found.total(), found) for name, found in states.items())


def _seconds_since(time: str) -> float:
    """Since a time that a log says; very many where it is none."""
    try:
        then = datetime.fromisoformat(time)
    except ValueError:
        return 1e9
    return max(
        0.0,
        (datetime.now(UTC) - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds(),
    )
