"""One run of the study whose processes are hurt at random moments, and started again until it is done.

Nothing times out, since a busy machine may be slow. A run that stands still is a finding too: its log
says who was hurt last.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import services
from crews import DRIVER, HEARTBEAT, LEASE, WORKER, Crew, Place
from processes import Command, began_at, send, wait_until_gone

from objbench.results.run_folder import RunFolder

SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGSTOP+SIGCONT")
MOST_STORED = 8
"""A blow comes after the run has stored at most so many more files, and some milliseconds."""

_MOST_STARTS = 60
_PARTS = ("checkpoints", "records", "encoders")
_ENDS = (0, 128 + signal.SIGINT, -signal.SIGKILL)
"""Exit codes of commands that are done, were interrupted, or were killed."""
_LOOK = 0.05


@dataclass(frozen=True)
class Blow:
    """What happens to one process.

    Attributes:
        signal: one of ``SIGNALS``.
        victim: its role.
    """

    signal: str
    victim: str


@dataclass
class Disturbed:
    """A run and what has happened to it.

    Attributes:
        crew: the executor.
        place: where it is.
        log: file of what its processes print.
        flags: of ``objbench run``, beside those of the crew.
        struck: the blows so far.
        faults: what its processes did that they should not.
        starts: how often a process was started.
    """

    crew: Crew
    place: Place
    log: Path
    flags: tuple[str, ...] = ()
    struck: list[Blow] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    starts: int = 0
    _alive: dict[str, Command] = field(default_factory=dict)

    def run(self, blows: Sequence[Blow], dice: Random) -> None:
        """Run the study to its end; of ``blows`` those are struck for which there is time."""
        left = list(blows)
        try:
            if not self.crew.is_driven:
                self._plan()
            while not self._is_done():
                if self.starts > _MOST_STARTS:
                    self.faults.append(f"it does not end after {self.starts} starts")
                    return
                self._keep_alive()
                if left and self._wait(dice.randrange(MOST_STORED + 1), left[0].victim):
                    time.sleep(dice.choice([0.0, dice.uniform(0.001, 0.05)]))
                    self._strike(left, dice)
                time.sleep(_LOOK)
            self._wait_for_the_others()
        finally:
            for command in self._alive.values():
                command.end()
            for pid in services.jobs(self.place):
                send(pid, signal.SIGKILL)

    def _is_done(self) -> bool:
        driver = self._alive.get(DRIVER)
        if driver is not None:
            return not driver.is_alive and driver.code == 0
        return (
            bool(self._alive)
            and not any(map(self._is_missing, self._alive))
            and (not any(command.is_alive for command in self._alive.values()))
        )

    def _is_missing(self, name: str) -> bool:
        """Whether a process has ended that still has something to do, or could begin by now."""
        command = self._alive.get(name)
        if command is None:
            return name == DRIVER or self._is_planned
        if command.is_alive:
            return False
        # A worker for which nothing is left has ended by itself.
        return command.code != 0 or (name != DRIVER and not self._is_complete)

    def _keep_alive(self) -> None:
        """Start again what has ended before all was done."""
        for name, words in self._members.items():
            if not self._is_missing(name):
                continue
            if (command := self._alive.get(name)) is not None and command.code not in _ENDS:
                self.faults.append(f"{name} ended with exit code {command.code}")
            self._alive[name] = self._started(words)

    @property
    def _members(self) -> dict[str, list[str]]:
        return dict(self.crew.members(self.place, *self.flags))

    @property
    def _is_planned(self) -> bool:
        """Whether workers can be started: as whoever starts them waits until there is a plan."""
        return self.place.store.exists("workers.json")

    @property
    def _is_complete(self) -> bool:
        """Whether every cell has its record."""
        folder = RunFolder(self.place.run, self.place.store)
        cells = folder.read_plan().cells
        return len(folder.finished_cells(cells)) == len(cells)

    def _started(self, words: list[str]) -> Command:
        self.starts += 1
        return Command(words, self.log)

    def _plan(self) -> None:
        """Plan the study, and kill what did."""
        command = self._started(self.place.driver(*self.crew.flags))
        while command.is_alive and not self._is_planned:
            time.sleep(_LOOK)
        command.end()

    def _wait(self, stored: int, victim: str) -> bool:
        """Wait until so much more is stored and there is a victim; not while somebody is missing."""
        seen, count = self._stored(), 0
        while not self._is_done() and not any(map(self._is_missing, self._members)):
            now = self._stored()
            count, seen = count + (now != seen), now
            if count >= stored and self._pids(victim):
                return True
            time.sleep(_LOOK)
        return False

    def _stored(self) -> frozenset[str]:
        store = self.place.store
        return frozenset(name for part in _PARTS for name in store.list(part))

    def _pids(self, victim: str) -> list[int]:
        if self.crew.is_cluster and victim != DRIVER:
            found = services.workers if victim == WORKER else services.heartbeats
            return found(self.place)
        alive = {name: command for name, command in self._alive.items() if command.is_alive}
        if victim == WORKER:
            return [pid for command in alive.values() for pid in command.workers()]
        return [command.pid for name, command in alive.items() if name.startswith(victim)]

    def _strike(self, left: list[Blow], dice: Random) -> None:
        blow = left[0]
        pids = self._pids(blow.victim)
        first, _, then = blow.signal.partition("+")
        pid = dice.choice(pids) if pids else 0
        began = began_at(pid)
        if not began or not send(pid, signal.Signals[first]):
            return  # It ended by itself just now.
        self.struck.append(left.pop(0))
        self._note(f"{blow.signal} to {blow.victim} {pid}")
        if then:
            time.sleep(1.5 * LEASE if self.crew.has_leases else 1.0)
            send(pid, signal.Signals[then])
        elif blow.victim != WORKER:
            # Its place is taken when it has gone, as a user's next command comes after the prompt.
            wait_until_gone(pid, began)
            self._note(f"{pid} is gone")

    def _note(self, what: str) -> None:
        with self.log.open("a") as log:
            log.write(f"-- {time.strftime('%H:%M:%S')} {what}\n")

    def _wait_for_the_others(self) -> None:
        """Workers end by themselves once nothing is left; a driver that was away sees that all is done."""
        for name, command in self._alive.items():
            if name.startswith(HEARTBEAT) and command.wait() not in _ENDS:
                self.faults.append(f"{name} ended with exit code {command.code} at the end")
        while services.jobs(self.place):
            time.sleep(_LOOK)
        if not self.crew.is_driven:
            code = self._started(self.place.driver(*self.crew.flags, *self.flags)).wait()
            if code != 0:
                self.faults.append(f"the driver that came back ended with exit code {code}")
