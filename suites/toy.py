"""The embedded toy tasks, scored by the same protocol code as GLUE.

Five tasks shaped like GLUE's over objbench's generated language, so that a first study needs no
download and only a few minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from objbench import hookimpl
from objbench.contract.suite import CurveSuite, Suite
from objbench_suites.finetune_suite import FinetuneSuite
from objbench_suites.toy_data import TOY_TABLE, Generated


class ToySuite(FinetuneSuite):
    """Acceptability, polarity, paraphrase, graded similarity and entailment."""

    name = "toy"
    summary = "five generated tasks over the toy language, fine-tuned"
    reference = "objbench.data.toy.tasks"
    version = 2

    @dataclass(frozen=True, kw_only=True)
    class Config(FinetuneSuite.Config):
        """Options of the toy suite: those of every fine-tuned suite."""

        protocol: str = "toy"

    def __init__(self, config: Any) -> None:
        super().__init__(config, TOY_TABLE, Generated())


@hookimpl
def register_suites(register: Callable[[type[Suite | CurveSuite]], None]) -> None:
    """Offer the toy suite."""
    register(ToySuite)
