"""The nine GLUE tasks in the schema of the hub's ``nyu-mll/glue``, and their official metrics.

Wang et al. 2019, GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language
Understanding (arXiv:1804.07461), table 1. Test labels are not public, so the development sets
are scored.
"""

from __future__ import annotations

from collections.abc import Mapping

from objbench.errors import UnknownNameError
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

OF_CLASSES = ("accuracy", "f1", "matthews_correlation")
OF_GRADES = ("pearson", "spearmanr")


def metrics_of(metric: str) -> tuple[str, ...]:
    """The metrics that ``SentenceTask.metric`` stands for.

    Raises:
        UnknownNameError: it is neither a GLUE task nor made of metrics.
    """
    if metric in METRICS:
        return METRICS[metric]
    names = tuple(metric.split("+"))
    for name in names:
        if name not in (*OF_CLASSES, *OF_GRADES):
            raise UnknownNameError("GLUE task or metric", name, (*METRICS, *OF_CLASSES, *OF_GRADES))
    return names


_ROWS: Mapping[str, Mapping[str, int]] = {
    "cola": {"train": 8551, "validation": 1043},
    "sst2": {"train": 67349, "validation": 872},
    "mrpc": {"train": 3668, "validation": 408},
    "stsb": {"train": 5749, "validation": 1500},
    "qqp": {"train": 363846, "validation": 40430},
    "mnli": {"train": 392702, "validation_matched": 9815, "validation_mismatched": 9832},
    "qnli": {"train": 104743, "validation": 5463},
    "rte": {"train": 2490, "validation": 277},
    "wnli": {"train": 635, "validation": 71},
}


_TOKENS: Mapping[str, float] = {
    "cola": 12,
    "sst2": 13,
    "mrpc": 55,
    "stsb": 29,
    "qqp": 32,
    "mnli": 42,
    "qnli": 52,
    "rte": 72,
    "wnli": 39,
}
"""Tokens of an example: words and punctuation marks of the training split, 1.1 word pieces each, and
the special tokens. For plans."""


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


def unofficial(task: SentenceTask, used: Mapping[str, int]) -> dict[str, int]:
    """The official number of examples of each part of which another number was used.

    Args:
        task: of another table than GLUE's has no official numbers.
        used: "train" or a printed column -> examples used of that split.
    """
    if GLUE_TASKS.get(task.name) is not task:
        return {}
    splits = {"train": task.train, **task.evaluation}
    official = {part: _ROWS[task.name][splits[part]] for part in used}
    return {part: rows for part, rows in official.items() if rows != used[part]}


def official_rows(task: SentenceTask) -> Mapping[str, int] | None:
    """Split -> its official number of examples; None for a task of another table than GLUE's."""
    return _ROWS[task.name] if GLUE_TASKS.get(task.name) is task else None


def usual_tokens(task: SentenceTask) -> float:
    """About how many tokens an example of one of GLUE's tasks has."""
    return _TOKENS[task.name]
