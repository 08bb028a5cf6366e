"""A task as data: labelled sentences or pairs, their classes, metrics and splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from objbench.engine.evaluation.examples import Examples


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceTask:
    """A classification or regression task over sentences or sentence pairs.

    Attributes:
        name: as in tables and records.
        first: column of the (first) sentence.
        second: column of the second sentence; None for a task of single sentences.
        labels: number of classes; 1 for a regression.
        metric: the GLUE task whose official metrics score it, or metrics joined by "+".
        evaluation: printed column -> split that is scored.
        train: split that is trained on.
    """

    name: str
    first: str
    second: str | None
    labels: int
    metric: str
    evaluation: Mapping[str, str]
    train: str = "train"

    @property
    def splits(self) -> tuple[str, ...]:
        """Every split the task needs."""
        return (self.train, *self.evaluation.values())


class Place(Protocol):
    """A place that the examples of a table's tasks can be read from."""

    def missing(self) -> Mapping[str, str]:
        """Tasks whose data is absent -> why.

        Raises:
            DataError: the data is incomplete, or the place does not exist.
        """

    def read(self, task: SentenceTask, split: str) -> Examples:
        """The examples of one split, checked.

        Raises:
            DataError: they are malformed or cannot be read.
        """
