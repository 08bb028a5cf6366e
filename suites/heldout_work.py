"""What the held-out suite asks of a device; in a module of its own, as ``Suite.work`` says."""

from __future__ import annotations

from objbench.contract.suite import Work
from objbench_suites.heldout import HeldoutSuite


def work(
    suite: HeldoutSuite, task: str, most: int | None, length: int, sequences: int | None
) -> Work:
    """A pass of every sequence under the masks, and of some a pass for each token after [CLS].

    That is what a masked model takes, and the most that any encoder does.

    Args:
        suite: with its options.
        task, most, length, sequences: as ``Suite.work`` has them; nothing is trained.
    """
    masked, in_turn = (
        number if sequences is None else min(number, sequences)
        for number in (suite.config.sequences, suite.config.pseudo)
    )
    read = masked + in_turn * (length - 1)
    assumed = (
        "held-out text is scored token by token too, which heads that read left to right need not"
    )
    if sequences is None:
        assumed += f"; there are {suite.config.sequences:,} held-out sequences"
    return Work(steps=0, trained=0, read=read, length=length, assumed=assumed)
