"""Cells that train nothing: what a supervised process does is said by the name of its cell.

Run as a program, it supervises some of them, as an executor would: FOLDER SLOTS CELL [CELL ...].
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from objbench.results.plan import PlannedCell
from objbench.runs.cells.outcome import Outcome
from objbench.runs.executors.supervision import Supervision
from objbench.runs.executors.worker_process import Given

SIGNALS = {"kill": signal.SIGKILL, "segv": signal.SIGSEGV, "term": signal.SIGTERM}


class Start:
    """Makes what runs the cells; how often each was begun, and where, is kept in a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __call__(self, report):
        return lambda given: self.run(given.cell, report)

    def run(self, cell, report):
        attempt = len(list(Path(self.folder).glob(f"{cell.id}.*"))) + 1
        seen = {
            "pid": os.getpid(),
            "begun_with": Path("/proc/self/environ").read_text().split("\0"),
        }
        (Path(self.folder) / f"{cell.id}.{attempt}").write_text(json.dumps(seen))
        report(cell.id, attempt, 9, "")
        # Such as "kill-2": killed in its first two attempts.
        what, _, number = cell.id.partition("-")
        if what in SIGNALS and attempt <= int(number):
            os.kill(os.getpid(), SIGNALS[what])
            time.sleep(60)
        if what == "exit" and attempt <= int(number):
            os._exit(3)
        if what == "child":
            # A process that a plugin leaves behind holds all that this one has open.
            if attempt == 1 and os.fork():
                os._exit(3)
            elif attempt == 1:
                time.sleep(float(number))
                os._exit(0)
        if what == "sleep":
            time.sleep(float(number))
        if what == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(60)
        if what == "memory" and attempt <= int(number):
            return Outcome(cell.id, "failed", "no memory", out_of_memory=True)
        if what == "bug":
            raise ZeroDivisionError("of the cell's runner")
        return Outcome(cell.id, "failed" if what == "fails" else "ok", f"attempt {attempt}")


class Unable:
    """Cannot begin."""

    def __init__(self, what):
        self.what = what

    def __call__(self, report):
        from objbench.errors import ConfigError

        if self.what == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ConfigError("the plugin is not there")


def cell(name, *needs):
    return PlannedCell(id=name, kind="pretrain", key="0" * 64, objective="mlm", seed=0, needs=needs)


class Cells:
    """Gives out cells one after the other; keeps what became of them."""

    def __init__(self, cells, attempts=None):
        from objbench.runs.executors.ready_cells import ReadyCells

        self.ready, self.attempts = ReadyCells(cells, {}), attempts
        self.outcomes, self.losses = {}, []

    @property
    def has_more(self):
        return self.ready.has_more

    def next(self, running):
        cell = self.ready.next(running)
        return None if cell is None else Given(cell)

    def revoked(self):
        return ()

    def end(self, cell, outcome):
        self.outcomes[cell.id] = outcome
        self.ready.end(cell.id, outcome.status)

    def lose(self, cell, loss):
        self.losses.append((cell.id, loss.kind))
        again = self.attempts.again(cell.id, loss) if self.attempts else None
        if again is None:
            self.end(cell, Outcome(cell.id, "failed", loss.words))
        else:
            self.ready.again(cell.id, again.delay / 100, alone=again.alone)


if __name__ == "__main__":
    folder, slots, *names = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        supervision = Supervision([{}] * int(slots), Start(folder), lambda *event: None)
        supervision.run(Cells([cell(name) for name in names]))
    except KeyboardInterrupt:
        sys.exit(130)
