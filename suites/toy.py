"""The embedded toy tasks, scored by the same protocol code as GLUE.

Five GLUE-shaped tasks over objbench's generated language, so that a first look needs no download
and a few minutes. What they ask and why a bag of words does not solve the pair tasks stands in
``objbench.toy_tasks``. Each borrows the official metrics of the GLUE task it is shaped after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

from objbench import hookimpl
from objbench.engine.examples import Examples
from objbench.suite import CurveSuite, Suite
from objbench.toy_tasks import toy_task
from objbench_suites.finetune_suite import FinetuneSuite
from objbench_suites.sentence_task import SentenceTask


def _task(name: str, shape: str, *, is_pair: bool, labels: int) -> SentenceTask:
    return SentenceTask(
        name=name,
        first="sentence1",
        second="sentence2" if is_pair else None,
        labels=labels,
        metric=shape,
        evaluation={name: "validation"},
    )


class ToySuite(FinetuneSuite):
    """Acceptability, polarity, paraphrase, graded similarity and entailment."""

    name = "toy"
    summary = "five generated tasks over the toy language, fine-tuned"
    reference = "objbench.toy_tasks"
    version = 1
    table: ClassVar[Mapping[str, SentenceTask]] = {
        task.name: task
        for task in (
            _task("acceptability", "cola", is_pair=False, labels=2),
            _task("polarity", "sst2", is_pair=False, labels=2),
            _task("paraphrase", "mrpc", is_pair=True, labels=2),
            _task("similarity", "stsb", is_pair=True, labels=1),
            _task("entailment", "mnli", is_pair=True, labels=3),
        )
    }

    @dataclass(frozen=True, kw_only=True)
    class Config(FinetuneSuite.Config):
        """Options of the toy suite: those of every fine-tuned suite."""

        protocol: str = "toy"

    def find(self) -> Mapping[str, str]:
        """Nothing is ever absent: the tasks are generated."""
        return {}

    def read(self, task: SentenceTask, split: str) -> Examples:
        """The generated examples of one split."""
        made = toy_task(task.name, cast(Literal["train", "validation"], split))
        return Examples(first=made.sentence1, second=made.sentence2, labels=made.labels)


@hookimpl
def register_suites(register: Callable[[type[Suite | CurveSuite]], None]) -> None:
    """Offer the toy suite."""
    register(ToySuite)
