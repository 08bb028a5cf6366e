"""The suite that is checked: how it is made, an encoder to score, and what it measured of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from objbench.contract.suite import EvaluationContext, Suite, TaskResult

MOST_TASKS = 3
"""Tasks of a suite that are evaluated: every one takes its time, and one code scores them all."""

MOST_TRAINED = 64
"""Training examples of an evaluation, so that a check takes seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class SuiteSubject:
    """A suite, and what its checks need.

    Attributes:
        make: makes the suite anew, with the same options.
        encoder: folder of an exported encoder with a token head.
        context: (**changes) -> the context of an evaluation with at most ``MOST_TRAINED`` training
            examples.
    """

    make: Callable[[], Suite]
    encoder: Path
    context: Callable[..., EvaluationContext]
    _kept: dict[tuple[Any, ...], TaskResult] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that are evaluated."""
        return self.make().tasks()[:MOST_TASKS]

    def evaluate(self, task: str, **changes: Any) -> TaskResult:
        """What a new suite measures of the encoder on ``task`` with the first seed."""
        suite = self.make()
        return suite.evaluate(self.encoder, task, suite.seeds()[0], self.context(**changes))

    def scored(self, task: str, **changes: Any) -> TaskResult:
        """The same, measured once for all checks."""
        key = (task, *sorted(changes.items()))
        if key not in self._kept:
            self._kept[key] = self.evaluate(task, **changes)
        return self._kept[key]
