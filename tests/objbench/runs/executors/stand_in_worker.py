"""A worker whose cells train nothing and keep a checkpoint and a record: FOLDER STALE CELL [CELL ...]."""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from stand_in import cell

from objbench.results.atomic_files import whole_file
from objbench.results.fence import fenced, require_lease
from objbench.results.local_store import LocalStore
from objbench.runs.cells.outcome import Outcome
from objbench.runs.executors.leased_cells import LeasedCells
from objbench.runs.executors.leases import Leases, lease_name, this_worker
from objbench.runs.executors.supervision import Supervision

STEPS = 12


class Folder:
    """The records of a run folder, of a word each."""

    def __init__(self, root):
        self.store = LocalStore(root)

    def ended_cells(self, cells):
        records = {one.id: self.read_record(one) for one in cells}
        return {name: record.status for name, record in records.items() if record is not None}

    def read_record(self, one):
        if not self.store.exists(f"records/{one.id}"):
            return None
        return SimpleNamespace(status=self.store.read(f"records/{one.id}").decode().split()[0])

    def refuse(self, one, reason, fixable):
        require_lease()
        self.store.put_once(f"records/{one.id}", f"failed {reason}".encode())
        return Outcome(one.id, "failed", reason, fixable)


class Start:
    """Makes what runs the cells."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def __call__(self, report):
        return self.run

    def run(self, given):
        renew = partial(Leases(LocalStore(self.folder)).renew, lease_name(given.cell), given.lease)
        with fenced(renew):
            return self.train(given.cell.id)

    def train(self, name):
        checkpoint = self.folder / "checkpoints" / name
        found = checkpoint / "step"
        first = int(found.read_text()) if found.is_file() else 0
        for step in range(first + 1, STEPS + 1):
            (self.folder / "taken" / f"{name}.{step}.{os.getpid()}").touch()
            if name == "poison":
                os.kill(os.getpid(), signal.SIGSEGV)
            time.sleep(0.1)
            # Files, since a folder that takes another's place is gone for a moment, and an interrupt
            # may come in it. (Checkpoints of cells have the step in their names.)
            for part, text in (("by", os.getpid()), ("step", step)):
                with whole_file(checkpoint / part) as unfinished:
                    unfinished.write(str(text).encode())
        require_lease()
        LocalStore(self.folder).put_once(f"records/{name}", f"ok {os.getpid()}".encode())
        return Outcome(name, "ok", "done")


def main(root, stale, names):
    folder = Folder(root)
    cells = LeasedCells(
        [cell(name) for name in names],
        {},
        folder,
        Leases(folder.store, stale),
        refuse=folder.refuse,
        leave=lambda cell, text: print(f"{cell}: {text}", flush=True),
        say=lambda text: print(text, flush=True),
        ended=lambda outcome: print(outcome.id, outcome.status, flush=True),
        shares_memory=False,
        beat=stale / 5,
        owner=this_worker(),
        look=0.3,
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, signal.default_int_handler)
    try:
        Supervision([{}], Start(root), print).run(cells)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        cells.give_back()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
