"""Linear probes of the frozen encoder on GLUE or on the toy tasks.

L2-regularised linear models of the mean and the first state of a sentence, or of the means u and v
of a pair as [u, v, |u - v|, u * v]; ``objbench_suites.probing_suite`` says how they are fitted.
Tasks, columns and average are those of GLUE's protocol "default", or of the toy tasks'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from objbench import hookimpl
from objbench.contract.suite import CurveSuite, Suite
from objbench.errors import ConfigError
from objbench_suites.glue_data import glue_place
from objbench_suites.glue_tasks import GLUE_TASKS
from objbench_suites.probing_suite import ProbingSuite
from objbench_suites.protocol import load_protocol
from objbench_suites.sentence_task import Place, SentenceTask
from objbench_suites.toy_data import TOY_TABLE, Generated


class ProbeSuite(ProbingSuite):
    """A linear probe of the frozen encoder on each task of GLUE or of the toy tasks."""

    name = "probe"
    summary = "linear probes of the frozen encoder on the GLUE or the toy tasks"
    reference = "after Conneau & Kiela 2018 (SentEval), arXiv:1803.05449"
    version = 1

    @dataclass(frozen=True, kw_only=True)
    class Config(ProbingSuite.Config):
        """Options of the probe suite.

        Attributes:
            of: "glue" or "toy".
            dir: folder with ``<task>/<split>.parquet``; the hub's ``nyu-mll/glue`` when None.
        """

        of: Literal["glue", "toy"] = "glue"
        dir: str | None = None

    def __init__(self, config: Any) -> None:
        if config.of == "toy" and config.dir is not None:
            raise ConfigError(
                f"{self.name}.dir = {config.dir!r}: the toy tasks are generated and need no "
                f"folder; leave it out, or set {self.name}.of=glue"
            )
        table, place, protocol = _home(config, self.name)
        super().__init__(config, table, place, load_protocol(protocol, config.of), config.of)


def _home(config: Any, suite: str) -> tuple[Mapping[str, SentenceTask], Place, str]:
    """The table, the place and the name of the protocol of what is probed."""
    if config.of == "toy":
        return TOY_TABLE, Generated(), "toy"
    return GLUE_TASKS, glue_place(config.dir, suite), "default"


@hookimpl
def register_suites(register: Callable[[type[Suite | CurveSuite]], None]) -> None:
    """Offer the probe suite."""
    register(ProbeSuite)
