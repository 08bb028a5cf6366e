"""What linear probes ask of a device; in a module of its own, as ``Suite.work`` says."""

from __future__ import annotations

from objbench.contract.suite import Work
from objbench_suites.counted_sizes import CountedSizes
from objbench_suites.probe import ProbeSuite


class _Counted(CountedSizes, ProbeSuite):
    """The suite, with the examples of a folder counted."""


def work(
    suite: ProbeSuite, task: str, most: int | None, length: int, sequences: int | None
) -> Work:
    """What the suite says itself, of the examples that are at hand.

    Args:
        suite: with its options.
        task, most, length, sequences: as ``Suite.work`` has them; no held-out text is read.
    """
    return _Counted(suite.config).work(task, most)
