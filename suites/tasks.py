"""Tasks of one's own, fine-tuned as GLUE's are: a file names data, columns, kind and metric.

``objbench run --tasks FILE`` adds this suite and ``tasks_probe``; ``objbench_suites.own_tasks``
describes the file. The recipe is that of one of GLUE's protocols, "small-encoder" unless the option
``protocol`` says otherwise: for an encoder of BERT's size take "default" and a rate of 5e-5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from objbench import hookimpl
from objbench.contract.suite import CurveSuite, Suite
from objbench_suites.finetune_suite import FinetuneSuite
from objbench_suites.protocol import load_protocol
from objbench_suites.task_files import TaskFiles


class TasksSuite(FinetuneSuite):
    """Tasks of a file of the user's, fine-tuned."""

    name = "tasks"
    summary = "tasks of your own from a file (--tasks FILE), fine-tuned"
    version = 1
    takes_tasks = True

    @dataclass(frozen=True, kw_only=True)
    class Config(FinetuneSuite.Config):
        """Options of the suite of one's own tasks.

        Attributes:
            file: the file of tasks.
            protocol: one of GLUE's protocols, for its recipe and fine-tuning seeds.
        """

        file: str | None = None
        protocol: str = "small-encoder"

    def __init__(self, config: Any) -> None:
        files = TaskFiles(config.file, self.name)
        self._files = files
        base = load_protocol(config.protocol, "glue")
        super().__init__(config, files.table, files, files.protocol(base))

    def _printed_metrics(self) -> str:
        return self._files.described(self.tasks())


@hookimpl
def register_suites(register: Callable[[type[Suite | CurveSuite]], None]) -> None:
    """Offer the suite of one's own tasks."""
    register(TasksSuite)
