"""The nine GLUE tasks in the schema of the hub's ``nyu-mll/glue``, and their official metrics.

Wang et al. 2019, GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language
Understanding (arXiv:1804.07461), table 1. Test labels are not public, so the development sets
are scored.
"""

from __future__ import annotations

from collections.abc import Mapping

from objbench_suites.sentence_task import SentenceTask

METRICS: Mapping[str, tuple[str, ...]] = {
    "cola": ("matthews_correlation",),
    "sst2": ("accuracy",),
    "mrpc": ("accuracy", "f1"),
    "stsb": ("pearson", "spearmanr"),
    "qqp": ("accuracy", "f1"),
    "mnli": ("accuracy",),
    "qnli": ("accuracy",),
    "rte": ("accuracy",),
    "wnli": ("accuracy",),
}
"""Task -> its official metrics, named as by ``evaluate.load("glue", task)``."""


def _task(
    name: str, first: str, second: str | None, labels: int = 2, **evaluation: str
) -> SentenceTask:
    return SentenceTask(
        name=name,
        first=first,
        second=second,
        labels=labels,
        metric=name,
        evaluation=evaluation or {name: "validation"},
    )


GLUE_TASKS: Mapping[str, SentenceTask] = {
    task.name: task
    for task in (
        _task("cola", "sentence", None),
        _task("sst2", "sentence", None),
        _task("mrpc", "sentence1", "sentence2"),
        _task("stsb", "sentence1", "sentence2", labels=1),
        _task("qqp", "question1", "question2"),
        _task(
            "mnli",
            "premise",
            "hypothesis",
            labels=3,
            mnli_m="validation_matched",
            mnli_mm="validation_mismatched",
        ),
        _task("qnli", "question", "sentence"),
        _task("rte", "sentence1", "sentence2"),
        _task("wnli", "sentence1", "sentence2"),
    )
}
"""In the order of the printed columns."""
