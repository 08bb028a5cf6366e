"""Which of the cooperating processes this one is, according to ``accelerate launch``.

A study on one process needs none of this. Under ``accelerate launch`` (or ``torchrun``) every
process runs the same command: all of them pretrain together, and each runs its share of the
evaluations.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from objbench.errors import ConfigError, ObjbenchError, one_line


def cores() -> int:
    """The cores that this process may use, which may be fewer than the machine has."""
    # A batch system binds a job to its share of the machine.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processes() -> int:
    """How many processes run this study together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """This process's number, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Whether this process plans, prints, and writes what all processes share."""
    return rank() == 0


def require_all_processes() -> None:
    """Refuse to go on with fewer processes than were asked for.

    Raises:
        ConfigError: ``accelerate launch`` was asked for several processes and started one.
    """
    # On a CPU it announces where the processes meet, and starts a single one that is not told how
    # many they are.
    launched = "ACCELERATE_DYNAMO_BACKEND" in os.environ and "MASTER_PORT" in os.environ
    if launched and "WORLD_SIZE" not in os.environ:
        raise ConfigError(
            "accelerate launch was asked for several processes and started one, as it does on a "
            "CPU: start them with `torchrun --nproc-per-node N -m objbench run ...`, or ask for one"
        )


def join_processes(device: str) -> None:
    """Connect this process with the others, before any of them waits or trains.

    accelerate decides only once per process how to communicate, and would choose a GPU even where
    none was asked for, so this comes before anything else that uses accelerate.

    Raises:
        ConfigError: as ``require_all_processes``.
    """
    require_all_processes()
    if processes() > 1:
        from accelerate import PartialState

        PartialState(cpu=device == "cpu")


def wait_for_all() -> None:
    """Return when every process has called this; immediately if there is only one."""
    if processes() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()


def on_main(do: Callable[[], None]) -> None:
    """Have the main process do something while the others wait; where it fails, all of them fail.

    A process that went on alone would wait for the others in its next collective operation.

    Raises:
        ObjbenchError: on every process but the main one, which raises what ``do`` raised.
    """
    if processes() == 1:
        do()
        return
    from accelerate.utils import broadcast_object_list

    fault: Exception | None = None
    if is_main():
        try:
            do()
        # Nothing is hidden: it is raised again once the others know.
        except Exception as error:  # noqa: BLE001
            fault = error
    told = ["" if fault is None else one_line(fault) or type(fault).__name__]
    broadcast_object_list(told, from_process=0)
    if fault is not None:
        raise fault
    if told[0]:
        raise ObjbenchError(f"the main process failed: {told[0]}")
