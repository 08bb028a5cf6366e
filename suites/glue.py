"""GLUE on the development sets: nine tasks, fine-tuned by a protocol that is a data file.

Wang et al. 2019, GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language
Understanding (arXiv:1804.07461). A task whose data is absent is named and left out of the average,
whose label then says so; it is never counted as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from objbench import hookimpl
from objbench.contract.suite import CurveSuite, Suite
from objbench_suites.finetune_suite import FinetuneSuite
from objbench_suites.glue_data import glue_place
from objbench_suites.glue_tasks import GLUE_TASKS


class GlueSuite(FinetuneSuite):
    """CoLA, SST-2, MRPC, STS-B, QQP, MNLI, QNLI, RTE and WNLI."""

    name = "glue"
    summary = "GLUE: nine sentence tasks, fine-tuned, scored on the development sets"
    reference = "Wang et al. 2019, arXiv:1804.07461"
    version = 2

    @dataclass(frozen=True, kw_only=True)
    class Config(FinetuneSuite.Config):
        """Options of the GLUE suite.

        Attributes:
            dir: folder with ``<task>/<split>.parquet``; the hub's ``nyu-mll/glue`` when None.
        """

        dir: str | None = None

    def __init__(self, config: Any) -> None:
        super().__init__(config, GLUE_TASKS, glue_place(config.dir, self.name))


@hookimpl
def register_suites(register: Callable[[type[Suite | CurveSuite]], None]) -> None:
    """Offer the GLUE suite."""
    register(GlueSuite)
