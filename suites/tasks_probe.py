"""Tasks of one's own, by linear probes of the frozen encoder, as ``probe`` has them for GLUE.

``objbench run --tasks FILE`` adds this suite and ``tasks``; ``objbench_suites.own_tasks`` describes
the file, and ``objbench_suites.probing_suite`` how probes are fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from objbench import hookimpl
from objbench.contract.suite import CurveSuite, Suite
from objbench_suites.probing_suite import ProbingSuite
from objbench_suites.protocol import load_protocol
from objbench_suites.task_files import TaskFiles


class TasksProbeSuite(ProbingSuite):
    """Tasks of a file of the user's, by linear probes."""

    name = "tasks_probe"
    summary = "tasks of your own from a file (--tasks FILE), by linear probes"
    reference = "after Conneau & Kiela 2018 (SentEval), arXiv:1803.05449"
    version = 1
    takes_tasks = True

    @dataclass(frozen=True, kw_only=True)
    class Config(ProbingSuite.Config):
        """Options of the probes of one's own tasks.

        Attributes:
            file: the file of tasks.
        """

        file: str | None = None

    def __init__(self, config: Any) -> None:
        files = TaskFiles(config.file, self.name)
        self._files = files
        base = load_protocol("default", "glue")
        super().__init__(
            config, files.table, files, files.protocol(base), "tasks of the user's own"
        )

    def _printed_metrics(self) -> str:
        return self._files.described(self.tasks())


@hookimpl
def register_suites(register: Callable[[type[Suite | CurveSuite]], None]) -> None:
    """Offer the probes of one's own tasks."""
    register(TasksProbeSuite)
