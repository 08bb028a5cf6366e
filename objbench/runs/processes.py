"""Which of the cooperating processes this one is, as ``accelerate launch`` tells it.

A study on one process needs none of this. Under ``accelerate launch`` (or ``torchrun``) every
process runs the same command: all of them pretrain together, and the evaluations are dealt out.
"""

from __future__ import annotations

import os


def processes() -> int:
    """How many processes run this study together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """This process's number, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Whether this process is the one that plans, prints and writes what all share."""
    return rank() == 0


def join_processes(device: str) -> None:
    """Connect this process with the others, before any of them waits or trains.

    accelerate decides once in a process's life how it talks to others, and would decide for a GPU
    where none was asked for: first come, first served, so this comes first.
    """
    if processes() > 1:
        from accelerate import PartialState

        PartialState(cpu=device == "cpu")


def wait_for_all() -> None:
    """Return once every process has come here; at once where there is only one."""
    if processes() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()
