"""How much there is to read and to learn in a task, for a plan; GLUE's data need not be at hand."""

from __future__ import annotations

from dataclasses import dataclass

from objbench_suites.glue_tasks import official_rows, usual_tokens
from objbench_suites.sentence_task import Place, SentenceTask

SAMPLE = 500
"""Examples whose words are counted where there are no official numbers."""


@dataclass(frozen=True, slots=True)
class TaskSize:
    """The size of a task.

    Attributes:
        train: training examples.
        scored: examples that are scored.
        length: mean tokens of an example, special tokens included.
        assumed: "" or where the numbers are from.
    """

    train: int
    scored: int
    length: float
    assumed: str = ""


def task_size(task: SentenceTask, place: Place) -> TaskSize:
    """The size of ``task``: GLUE's official numbers, or what is counted in ``place``.

    Raises:
        DataError: examples that have no official number cannot be read.
    """
    rows = official_rows(task)
    if rows is not None:
        scored = sum(rows[split] for split in task.evaluation.values())
        assumed = "GLUE's official numbers of examples and usual lengths"
        return TaskSize(rows[task.train], scored, usual_tokens(task), assumed)
    train = place.read(task, task.train)
    scored = sum(len(place.read(task, split)) for split in task.evaluation.values())
    sides = [side[:SAMPLE] for side in (train.first, train.second) if side is not None]
    words = sum(len(text.split()) for side in sides for text in side)
    # [CLS], and a [SEP] after each sentence.
    return TaskSize(len(train), scored, words / max(1, len(sides[0])) + 1 + len(sides))
