"""The toy tasks as a table, and the generator as the place they are read from.

The tasks, and why a bag of words does not solve the pair tasks, are described in
``objbench.data.toy.tasks``. Each uses the official metrics of the GLUE task that it resembles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

from objbench.data.toy.tasks import toy_task
from objbench.engine.evaluation.examples import Examples
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


TOY_TABLE: Mapping[str, SentenceTask] = {
    task.name: task
    for task in (
        _task("acceptability", "cola", is_pair=False, labels=2),
        _task("polarity", "sst2", is_pair=False, labels=2),
        _task("paraphrase", "mrpc", is_pair=True, labels=2),
        _task("similarity", "stsb", is_pair=True, labels=1),
        _task("entailment", "mnli", is_pair=True, labels=3),
    )
}
"""In the order of the printed columns."""


class Generated:
    """The toy tasks' examples, generated at every reading and always the same."""

    def missing(self) -> Mapping[str, str]:
        """Nothing is ever missing."""
        return {}

    def read(self, task: SentenceTask, split: str) -> Examples:
        """The generated examples of one split."""
        made = toy_task(task.name, cast(Literal["train", "validation"], split))
        return Examples(first=made.sentence1, second=made.sentence2, labels=made.labels)
