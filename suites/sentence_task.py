"""A task as data: labelled sentences or pairs, what is predicted, and how it is scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceTask:
    """A classification or regression task over sentences or sentence pairs.

    Attributes:
        name: as in tables and records.
        first: column of the (first) sentence.
        second: column of the second sentence; None for a task of single sentences.
        labels: number of classes; 1 for a regression.
        metric: the GLUE task whose official metrics score it.
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
