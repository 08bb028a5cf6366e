"""A run that lasts as tables for a terminal: its pretrainings, and how its other cells stand."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from objbench.errors import printable
from objbench.leaderboard.watched_run import WatchedCell, WatchedRun

_COLUMNS = (
    "step",
    "loss",
    "gradient norm",
    "rate",
    "tokens/s",
    "held-out loss",
    "order gain",
    "left",
    "last line",
)


def watched_table(run: WatchedRun, rows: int | None = None) -> Group:
    """``run`` as rich shows it.

    Args:
        run: what a ``Watcher`` saw.
        rows: at most so many pretrainings; None for all.
    """
    failed = f", {run.failed:,} failed" if run.failed else ""
    title = f"{printable(run.name)}: {run.done:,} of {run.cells:,} cells done{failed}"
    return Group(Text(title), *_pretrainings(run, rows), *_kinds(run))


def _pretrainings(run: WatchedRun, rows: int | None) -> list[Table | Text]:
    shown = run.pretrainings[:rows]
    if not run.pretrainings:
        return []
    table = Table(box=None, pad_edge=False)
    table.add_column("pretraining", no_wrap=True)
    table.add_column("state")
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for cell in shown:
        # As text: names are not markup.
        table.add_row(*map(Text, (printable(cell.id), cell.state, *_values(cell))))
    more = len(run.pretrainings) - len(shown)
    return [table, Text(f"... and {more:,} more")] if more else [table]


def _values(cell: WatchedCell) -> list[str]:
    train, scored = cell.training, cell.evaluation
    norm = None if train is None else train.gradient_norm
    left = cell.seconds_left
    heldout = None if scored is None else scored.heldout.get("loss")
    gain = None if scored is None else scored.order_gain
    return [
        "" if train is None else f"{train.done:,}/{train.total:,}",
        "" if train is None else f"{train.loss:.3f}",
        "" if norm is None else f"{norm:.2f}",
        "" if train is None else f"{train.learning_rate:.2g}",
        "" if train is None else f"{train.tokens_per_second:,.0f}",
        "" if heldout is None else f"{heldout:.3f}",
        "" if gain is None else f"{gain:.2f}",
        "" if left is None else _rounded(left),
        "" if cell.quiet is None or cell.state == "ok" else f"{_rounded(cell.quiet)} ago",
    ]


def _kinds(run: WatchedRun) -> list[Table]:
    if not run.kinds:
        return []
    table = Table(box=None, pad_edge=False)
    table.add_column("other cells", no_wrap=True)
    for name in ("done", "failed", "waiting or running", "all"):
        table.add_column(name, justify="right")
    for kind in run.kinds:
        failed = kind.states["failed"] + kind.states["diverged"]
        counts = (kind.states["ok"], failed, kind.states["waiting"], kind.cells)
        table.add_row(Text(printable(kind.name)), *(f"{count:,}" for count in counts))
    return [table]


def _rounded(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} d"
