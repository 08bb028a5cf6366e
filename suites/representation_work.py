"""What the representation suite asks of a device; in a module of its own, as ``Suite.work`` says."""

from __future__ import annotations

from objbench.contract.suite import Work
from objbench_suites.representation import RepresentationSuite


def work(
    suite: RepresentationSuite, task: str, most: int | None, length: int, sequences: int | None
) -> Work:
    """A pass of every sequence, and one of each of its halves, which [CLS] precedes.

    The sums over their states, on the CPU, are not counted.

    Args:
        suite: with its options.
        task, most, length, sequences: as ``Suite.work`` has them; nothing is trained.
    """
    wanted = suite.config.sequences
    number = wanted if sequences is None else min(wanted, sequences)
    tokens = length + 2 * (1 + (length - 1) // 2)
    assumed = f"there are {wanted:,} held-out sequences" if sequences is None else ""
    return Work(steps=0, trained=0, read=3 * number, length=tokens / 3, assumed=assumed)
