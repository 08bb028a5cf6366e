"""Workers as tasks of Ray, on a cluster that is there or on one that is begun for the run.

Ray retries nothing: what a worker leaves is continued by another one, from its checkpoint. Every
worker is a process of its own, which ends with its task and so frees the memory of its GPU.

When the run is killed, Ray ends its workers; the same command continues. To close the terminal and
leave the run to the cluster, submit the command itself: ``ray job submit -- objbench run ...``.
"""

from __future__ import annotations

import errno
import importlib
import os
import re
import signal
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from objbench.engine.training.interruption import INTERRUPTS
from objbench.errors import ConfigError, first_line, one_line
from objbench.runs.environment import changed_environment
from objbench.runs.starters.started_workers import Share, WorkerEnd
from objbench.runs.starters.worker_call import WorkerCall

_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_USAGE_STATS_PROMPT_ENABLED": "0"}
"""A cluster that is begun for a run sends nothing to Ray's makers."""

_ANSWER = 10.0
"""Seconds in which a cluster must answer. Ray itself asks for minutes, without a word, and does not hear
Ctrl-C meanwhile."""

_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""How every connection of HTTP/2 begins, with settings that are empty (RFC 9113, section 3.4). Ray speaks
gRPC, which is HTTP/2, and whatever does answers with settings of its own."""
_SETTINGS = 4
_HEADER = 9

_GRACE = 30.0
"""Seconds that workers are given to end: those that they give the processes of their cells, and more."""


class RayCluster:
    """A Ray cluster.

    Args:
        address: of one that is there, such as "10.0.0.1:6379"; when None, that of RAY_ADDRESS, else
            the one that runs on this machine, else one is begun.
        workers: how many; as many as there is room for when None.
        device: torch device string; workers get no GPU where it is "cpu".
    """

    name = "ray"

    def __init__(self, address: str | None, workers: int | None, device: str | None) -> None:
        self._address, self._workers = address, workers
        self._wants_gpus = device is None or device.startswith("cuda")
        self._resources: dict[str, float] = {}
        self._is_ours = False

    def open(self) -> None:
        """Connect; a ConfigError where no cluster answers."""
        ray = importlib.import_module("ray")
        if ray.is_initialized():
            return
        if self._address:
            require_answer(self._address, "--address")
        elif address := os.environ.get("RAY_ADDRESS"):
            require_answer(address, "RAY_ADDRESS")
        # Ray puts a handler in the place of ours, and ends the process at once.
        ours = threading.current_thread() is threading.main_thread()
        before = {number: signal.getsignal(number) for number in INTERRUPTS if ours}
        try:
            with changed_environment(_QUIET):
                ray.init(
                    address=self._address,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="ERROR",
                )
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            where = f"--address {self._address}" if self._address else "--executor ray"
            raise ConfigError(
                f"{where}: no Ray cluster can be used: {first_line(error)}"
            ) from error
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        self._is_ours = True

    def share(self, at_once: int) -> Share:
        """One worker per GPU, or as many as there are long cells and cores, with equal cores."""
        nodes = [
            (node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0))
            for node in importlib.import_module("ray").nodes()
            if node["Alive"]
        ]
        workers, cpus, gpus = spread(nodes, self._workers, at_once, self._wants_gpus)
        self._resources = {"num_cpus": cpus, "num_gpus": gpus}
        return Share(workers, max(1, int(cpus)))

    def start(self, calls: Sequence[WorkerCall], folder: Path) -> list[Any]:
        """Start a task for each call."""
        ray = importlib.import_module("ray")
        task = ray.remote(max_retries=0, max_calls=1, **self._resources)(_work)
        return [task.options(name=f"objbench work {call.name}").remote(call) for call in calls]

    def ended(self, worker: Any) -> WorkerEnd | None:
        """How a task has ended."""
        ray = importlib.import_module("ray")
        ready, _ = ray.wait([worker], timeout=0)
        if not ready:
            return None
        try:
            return WorkerEnd(refusal=ray.get(worker))
        except ray.exceptions.RayError as error:
            # Of an error of the task, Ray's own begins with the task's name and a traceback.
            return WorkerEnd(loss=first_line(getattr(error, "cause", None) or error))

    def cancel(self, workers: Sequence[Any]) -> None:
        """Interrupt tasks as Ctrl-C would, and wait for their end."""
        ray = importlib.import_module("ray")
        for worker in workers:
            ray.cancel(worker, force=False)
        ray.wait([*workers], num_returns=len(workers), timeout=_GRACE)

    def close(self) -> None:
        """Disconnect, which ends a cluster that was begun here."""
        if self._is_ours:
            importlib.import_module("ray").shutdown()


def require_answer(address: str, given_as: str) -> None:
    """Make sure that what listens at the address of a cluster speaks its language.

    Args:
        address: HOST:PORT, also after "ray://"; or "auto" or "local", which Ray looks up itself.
        given_as: the flag or variable that has it.

    Raises:
        ConfigError: nothing listens, it is something else, or it is no address.
    """
    if address in ("auto", "local"):
        return
    parts = re.fullmatch(r"(?:ray://)?\[?([^/\s\[\]]+)\]?:(\d{1,5})", address)
    if parts is None or not 0 < int(parts[2]) < 2**16:
        raise ConfigError(
            f"{given_as} {address}: not the address of a Ray cluster; write it as 10.0.0.1:6379"
        )
    try:
        with socket.create_connection((parts[1], int(parts[2])), _ANSWER) as connection:
            _require_grpc(connection)
    # A name whose parts are empty or too long for one is no OSError.
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or one_line(error)
        raise ConfigError(
            f"{given_as} {address}: no Ray cluster answers there ({why}): begin one with ray start "
            f"--head, or leave {given_as} out"
        ) from error


def _require_grpc(connection: socket.socket) -> None:
    """Make sure that gRPC is spoken at the other end; encrypted, it cannot be told.

    Raises:
        OSError: it is not, or nothing is said in time.
    """
    if os.environ.get("RAY_USE_TLS", "0").lower() not in ("", "0", "false"):
        return
    connection.sendall(_GREETING)
    said = b""
    while len(said) < _HEADER and (more := connection.recv(_HEADER - len(said))):
        said += more
    if len(said) < _HEADER or said[3] != _SETTINGS:
        raise OSError(errno.EPROTO, "what listens there is no Ray cluster")


def spread(
    nodes: Sequence[tuple[float, float]], wanted: int | None, at_once: int, wants_gpus: bool
) -> tuple[int, float, int]:
    """How a study is spread over machines: (workers, cores of each, GPUs of each).

    Without GPUs a worker gets as many cores as all of them can have at the same time. On one
    machine these are the cores that a cell has in ``ProcessPool``.

    Args:
        nodes: (cores, GPUs) of each machine.
        wanted: the number of workers; when None, one per GPU, or one per core and long cell.
        at_once: the long cells of a round, which can run at the same time.
        wants_gpus: whether GPUs are used where there are any.
    """
    gpus = int(sum(gpus for _, gpus in nodes))
    if wants_gpus and gpus:
        share = min(cpus / count for cpus, count in nodes if count)
        return wanted or gpus, share if share < 1 else float(int(share)), 1
    cores = int(sum(cpus for cpus, _ in nodes))
    workers = wanted or max(1, min(cores, at_once))
    most = int(max((cpus for cpus, _ in nodes), default=1))
    fits = (n for n in range(most, 0, -1) if sum(int(cpus // n) for cpus, _ in nodes) >= workers)
    return workers, float(next(fits, 1)), 0


def _work(call: WorkerCall) -> str:
    """The task: a function of a module, so that Ray sends its name and not its code."""
    # Ray cancels a task by Ctrl-C, which does nothing in the workers of a cluster that was begun in the
    # background: shells begin that with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return call()
