"""A part of the check in a process of its own: with a limit, and with its rows kept as they come.

The process is forked from one that has imported everything and begun nothing, neither CUDA nor
threads, so that a part starts at once. It leads a process group: at its limit all that it has
started is ended with it.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

_FORK = multiprocessing.get_context("fork")


DRY_PATIENCE = 20
"""By how much limits are stretched in a dry run: a CPU may be busy, and its times mean nothing."""


class Skip(Exception):
    """The part cannot be run here; the text says why."""


class Row(Protocol):
    """Stores a row of what a part has found, which is kept whatever happens afterwards."""

    def __call__(self, **values: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the check.

    Attributes:
        name: in the JSON.
        run: (setting, row) -> None; raises ``Skip`` where it cannot be run.
        limit: seconds after which it is ended.
    """

    name: str
    run: Callable[[Any, Row], None]
    limit: float

    def skipped(self, reason: str) -> dict[str, Any]:
        """The entry of this part if it is not run."""
        return self.entry(f"skipped: {reason}", 0.0, [])

    def entry(
        self, status: str, seconds: float, rows: list[dict[str, Any]], error: str = ""
    ) -> dict[str, Any]:
        """The entry of this part in the JSON."""
        return {
            "name": self.name,
            "status": status,
            "seconds": round(seconds, 2),
            "limit": self.limit,
            "error": error,
            "rows": rows,
        }


def run_part(part: Part, setting: Any, left: float) -> dict[str, Any]:
    """The entry of ``part``, which gets its limit or the seconds ``left``, if these are fewer."""
    began = time.monotonic()
    rows, end = setting.folder / "rows.jsonl", setting.folder / "end.json"
    process = _FORK.Process(target=_run, args=(part, setting, rows, end))
    process.start()
    process.join(min(part.limit * (DRY_PATIENCE if setting.dry else 1), left))
    is_cut = process.is_alive()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    seconds = time.monotonic() - began
    kept = _whole_lines(rows)
    if is_cut:
        return part.entry("cut", seconds, kept)
    if not end.exists():
        said = end.with_name("said.txt").read_text("utf-8", errors="replace")[-1000:]
        reason = f"{said}\nthe process ended with {process.exitcode}"
        return part.entry("failed", seconds, kept, reason)
    outcome = json.loads(end.read_text("utf-8"))
    return part.entry(outcome["status"], seconds, kept, outcome["error"])


def in_own_process(work: Callable[..., Any], *given: Any) -> Any:
    """The result of ``work``, which may begin CUDA; None if its process dies."""
    receive, send = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=lambda: send.send(work(*given)))
    process.start()
    send.close()
    with suppress(EOFError):
        return receive.recv()
    process.join()
    return None


def _run(part: Part, setting: Any, rows: Path, end: Path) -> None:
    os.setsid()
    said = os.open(end.with_name("said.txt"), os.O_WRONLY | os.O_CREAT)
    os.dup2(said, 1)
    os.dup2(said, 2)
    with rows.open("a", encoding="utf-8") as file:

        def row(**values: Any) -> None:
            file.write(json.dumps(_plain(values)) + "\n")
            file.flush()

        status, error = "ok", ""
        try:
            if setting.device.type == "cpu":
                torch.set_num_threads(1)
            part.run(setting, row)
        except Skip as reason:
            status = f"skipped: {reason}"
        except Exception:  # noqa: BLE001 - whatever it is, the other parts are wanted
            status, error = "failed", traceback.format_exc()
    end.write_text(json.dumps({"status": status, "error": error}), encoding="utf-8")
    os._exit(0)  # without the farewells of libraries, which may wait for threads that are not here


def _plain(value: Any) -> Any:
    """``value`` as JSON has it: rounded to 4 digits, and no number that is not finite."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else str(value)
    return value


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """The rows in ``path``; the last line of a part that was ended may be half written."""
    found = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        with suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return found
