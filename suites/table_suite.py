"""A suite of labelled-sentence tasks, however it uses the encoder: table, place, columns.

The tasks are in a table, their examples in a place, and what is printed and averaged in a protocol.
Fine-tuning and the linear probe are two ways to score an encoder on such a suite. Nothing heavy is
loaded before an evaluation starts, because plans are made from this file too.
"""

from __future__ import annotations

import dataclasses
import json
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from objbench.contract.suite import (
    Average,
    Column,
    EvaluationContext,
    ExampleScores,
    Suite,
    TaskResult,
)
from objbench.engine.evaluation.examples import Examples, Source
from objbench.errors import DataError, UnknownNameError
from objbench_suites.expected_work import TaskSize, task_size
from objbench_suites.glue_tasks import official_rows
from objbench_suites.protocol import Protocol
from objbench_suites.sentence_task import Place, SentenceTask
from objbench_suites.table_columns import (
    average_of,
    columns_of,
    printed_metrics,
    require_columns,
)

MAJORITY = "majority"
BAG_OF_WORDS = "bag-of-words"


class TableSuite(Suite):
    """Tasks of a table, with the columns and the average of a protocol.

    Args:
        config: options; ``tasks`` are the only tasks to run, or all when empty.
        table: every task of the suite, in the order of the columns.
        place: where their examples are.
        protocol: says what is printed and averaged.

    Raises:
        ConfigError: a chosen task is not in the table, or the protocol does not fit it.
    """

    def __init__(
        self, config: Any, table: Mapping[str, SentenceTask], place: Place, protocol: Protocol
    ) -> None:
        super().__init__(config)
        for task in config.tasks:
            if task not in table:
                raise UnknownNameError(f"task of {self.name}", task, table)
        self.table = table
        self._place = place
        self._protocol = protocol
        self._fingerprints: dict[tuple[str, str], str] = {}
        require_columns(table, protocol)

    # -- what a suite of this kind fills in

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """What determines the scores besides the tasks' data, as JSON, for the fingerprint."""

    @property
    @abstractmethod
    def longest(self) -> int:
        """Most tokens of an example, special tokens included."""

    @abstractmethod
    def used(self, task: str, context: EvaluationContext) -> tuple[Source, Mapping[str, Source]]:
        """(what to train on, column -> what to score) of a task, within the limits of ``context``."""

    # -- the contract

    def tasks(self) -> tuple[str, ...]:
        """The selected tasks whose data is available."""
        absent = self.missing()
        return tuple(task for task in self.table if task not in absent)

    def planned_tasks(self) -> tuple[str, ...]:
        """The selected tasks; those of GLUE also where its data is not."""
        chosen = self.config.tasks or tuple(self.table)
        if any(official_rows(self.table[task]) is None for task in chosen):
            return self.tasks()
        return tuple(task for task in self.table if task in chosen)

    def missing(self) -> Mapping[str, str]:
        """Tasks left out -> why."""
        return self._missing

    def columns(self) -> tuple[Column, ...]:
        """The columns of the available tasks."""
        return columns_of(self.table, self.tasks(), self._protocol)

    def average(self) -> Average:
        """The protocol's average over the groups whose columns are all available."""
        return average_of(self.table, self.columns(), self._protocol)

    def fingerprint(self, task: str) -> str:
        """Hash of the settings and the task's data.

        The average, the printed metrics and the list of seeds are not in it: every official
        metric is recorded, so changing what is averaged does not call for a new run.
        """
        chosen = self.table[task]
        parts = {
            **self.settings(),
            "task": {**dataclasses.asdict(chosen), "evaluation": dict(chosen.evaluation)},
            "data": {split: self._fingerprint(task, split) for split in chosen.splits},
        }
        text = json.dumps(parts, sort_keys=True)
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def floors(self) -> tuple[str, ...]:
        """The most frequent answer, and a linear model of which word pieces occur."""
        return (MAJORITY, BAG_OF_WORDS)

    def evaluate_floor(
        self, floor: str, tokenizer: Path, task: str, seed: int, context: EvaluationContext
    ) -> TaskResult:
        """Predict what an encoder would be scored on, from what it would be trained on.

        Raises:
            UnknownNameError: ``floor`` is not one of ``floors()``.
        """
        from objbench_suites.task_floors import bag_of_words, majority

        if floor not in self.floors():
            raise UnknownNameError(f"floor of {self.name}", floor, self.floors())
        chosen = self.table[task]
        train, evaluation = self.used(task, context)
        if floor == MAJORITY:
            found = majority(chosen, train, evaluation)
        else:
            found = bag_of_words(chosen, train, evaluation, tokenizer, self.longest, context.cache)
        return TaskResult(
            scores={
                column: self.score(task, found.predictions[column], labels, context.cache)
                for column, labels in found.labels.items()
            },
            train_examples=found.train_examples,
            eval_examples={column: len(labels) for column, labels in found.labels.items()},
            details=found.details,
            examples={
                column: self.example_scores(
                    task, evaluation[column], found.predictions[column], labels
                )
                for column, labels in found.labels.items()
            },
        )

    # -- for evaluations

    def read(self, task: SentenceTask, split: str) -> Examples:
        """The examples of one split, checked.

        Raises:
            DataError: they are malformed.
        """
        return self._place.read(task, split)

    def size(self, task: str) -> TaskSize:
        """How many examples there are, and how long."""
        return task_size(self.table[task], self._place)

    def source(self, task: str, split: str) -> Source:
        """The examples of one split, kept in memory only when they are needed."""
        return Source(self._fingerprint(task, split), lambda: self.read(self.table[task], split))

    def sources(
        self, task: str, train: Source, *, tuning: bool
    ) -> tuple[Source, Mapping[str, Source]]:
        """(what to train on, column -> what to score) of a task.

        Args:
            task: one of ``tasks()``.
            train: the training examples, already limited by the caller.
            tuning: score a fifth of ``train``, the same in every column, and train on the rest;
                the evaluation splits are not read.
        """
        evaluation = self.table[task].evaluation
        if not tuning:
            return train, {column: self.source(task, split) for column, split in evaluation.items()}
        from objbench.engine.evaluation.splits import hold_out

        kept, held = hold_out(train)
        return kept, dict.fromkeys(evaluation, held)

    def score(
        self, task: str, predictions: ArrayLike, labels: ArrayLike, cache: Path
    ) -> dict[str, float]:
        """The official metrics of (N,) predictions, by name; ``cache`` is the context's."""
        from objbench_suites.glue_metric import GlueMetric

        metric = GlueMetric(self.table[task].metric, cache / "metrics")
        scores: dict[str, float] = metric.compute(predictions=predictions, references=labels)
        return scores

    def example_scores(
        self, task: str, source: Source, predictions: ArrayLike, labels: ArrayLike
    ) -> ExampleScores:
        """What ``score`` is made of, example by example; ``source`` is what was scored."""
        from objbench_suites.example_scores import example_values

        return ExampleScores(
            source.fingerprint, example_values(self.table[task].metric, predictions, labels)
        )

    # -- parts

    def _printed_metrics(self) -> str:
        """Which metrics are printed if a column could show several, for the protocol line."""
        return printed_metrics(self.table, self.columns())

    @cached_property
    def _missing(self) -> Mapping[str, str]:
        wanted = self.config.tasks or tuple(self.table)
        absent = self._place.missing()
        for task in self.config.tasks:
            if task in absent:
                raise DataError(f"{self.name}: task {task} was asked for but {absent[task]}")
        if all(task in absent for task in wanted):
            raise DataError(f"{self.name} has no task to run: {next(iter(absent.values()))}")
        reasons = {
            task: "not among the chosen tasks" if task not in wanted else absent.get(task, "")
            for task in self.table
        }
        return {task: reason for task, reason in reasons.items() if reason}

    def _fingerprint(self, task: str, split: str) -> str:
        # Reading and checking a split takes up to a second, and a plan needs it for every cell.
        if (task, split) not in self._fingerprints:
            examples = self.read(self.table[task], split)
            self._fingerprints[task, split] = examples.fingerprint
        return self._fingerprints[task, split]
