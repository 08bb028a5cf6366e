"""The suite of labelled-sentence tasks: fine-tune by a protocol, score by the official metrics.

GLUE and the toy tasks are this class over two tables of tasks and two places to read from.
Nothing heavy is loaded before an evaluation starts: plans are made from this file too.
"""

from __future__ import annotations

import dataclasses
import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

from objbench.engine.examples import Examples, Source
from objbench.engine.recipe import Recipe
from objbench.errors import ConfigError, DataError, UnknownNameError
from objbench.suite import Average, Column, EvaluationContext, Suite, TaskResult
from objbench_suites.glue_tasks import METRICS
from objbench_suites.protocol import Protocol, load_protocol, overridden
from objbench_suites.sentence_task import SentenceTask

_OVERRIDES = ("learning_rate", "batch", "epochs", "length", "dropout")


class FinetuneSuite(Suite):
    """Fine-tunes an encoder on each task of a table and scores it.

    Attributes:
        table: every task of the suite, in the order of the columns.
    """

    table: ClassVar[Mapping[str, SentenceTask]]

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Options of every such suite.

        Attributes:
            protocol: name of a protocol, or a TOML file.
            tasks: run only these; all of them when empty.
            seeds: number of fine-tuning seeds; 0 for the protocol's own.
            learning_rate, batch, epochs, length, dropout: in place of the protocol's number.
        """

        protocol: str = "default"
        tasks: tuple[str, ...] = ()
        seeds: int = 0
        learning_rate: float | None = None
        batch: int | None = None
        epochs: int | None = None
        length: int | None = None
        dropout: float | None = None

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        for task in config.tasks:
            if task not in self.table:
                raise UnknownNameError(f"task of {self.name}", task, self.table)
        if config.seeds < 0:
            raise ConfigError(
                f"{self.name}.seeds = {config.seeds}: give a number of seeds, or 0 for the protocol's"
            )
        self._protocol: Protocol = load_protocol(config.protocol, self.name)
        self._changed = {
            name: getattr(config, name) for name in _OVERRIDES if getattr(config, name) is not None
        }
        self._recipe: Recipe = overridden(self._protocol.recipe, self._changed, self.name)
        self._fingerprints: dict[tuple[str, str], str] = {}
        self._check_columns()

    # -- what a suite of this kind fills in

    @abstractmethod
    def find(self) -> Mapping[str, str]:
        """Tasks whose data is absent -> why.

        Raises:
            DataError: the data is there in part, or the place it should be in is not.
        """

    @abstractmethod
    def read(self, task: SentenceTask, split: str) -> Examples:
        """The examples of one split, checked.

        Raises:
            DataError: they are malformed.
        """

    # -- the contract

    @property
    def protocol(self) -> str:
        """One line: name, changes, recipe, metrics that enter the average, average."""
        changes = ", ".join(f"{name} {value:g}" for name, value in self._changed.items())
        name = self._protocol.name + (f" (changed: {changes})" if changes else "")
        seeds = len(self.seeds())
        shown = {
            column.name: "+".join(column.metrics)
            for column in self.columns()
            if len(METRICS[self.table[column.task].metric]) > 1
        }
        metrics = ", ".join(f"{column} {metric}" for column, metric in shown.items())
        parts = [
            f"{name}: {self._recipe.describe()}",
            f"{seeds} fine-tuning seed{'s' if seeds > 1 else ''}",
            *([metrics] if metrics else []),
            self.average().label,
        ]
        return "; ".join(parts)

    def tasks(self) -> tuple[str, ...]:
        """The tasks whose data is there and that were not deselected."""
        return tuple(task for task in self.table if task not in self.missing())

    def missing(self) -> Mapping[str, str]:
        """Tasks left out -> why."""
        return self._missing

    def columns(self) -> tuple[Column, ...]:
        """The columns of the available tasks."""
        return tuple(
            Column(name=column, task=task, metrics=self._protocol.columns[column])
            for task in self.tasks()
            for column in self.table[task].evaluation
        )

    def average(self) -> Average:
        """The protocol's average over the groups whose columns are all there."""
        rule = self._protocol.average
        here = {column.name for column in self.columns()}
        groups = tuple(group for group in rule.groups if here.issuperset(group))
        if len(groups) == len(rule.groups):
            return Average(rule.label, groups)
        lacking = [self._group_name(group) for group in rule.groups if group not in groups]
        label = f"mean of {len(groups)} of {len(rule.groups)} {rule.of} "
        return Average(f"{label}(without {', '.join(lacking)})", groups)

    def seeds(self) -> tuple[int, ...]:
        """The protocol's seeds, or as many as the option asks for."""
        return self._protocol.seeds_of(self.config.seeds)

    def fingerprint(self, task: str) -> str:
        """Hash of the recipe and the task's data.

        The average, the printed metrics and the list of seeds are not in it: every official
        metric is recorded, so changing what is averaged does not call for a new run.
        """
        chosen = self.table[task]
        parts = {
            "recipe": self._recipe.model_dump(),
            "task": {**dataclasses.asdict(chosen), "evaluation": dict(chosen.evaluation)},
            "data": {split: self._fingerprint(task, split) for split in chosen.splits},
        }
        text = json.dumps(parts, sort_keys=True)
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def evaluate(
        self, encoder: Path, task: str, seed: int, context: EvaluationContext
    ) -> TaskResult:
        """Fine-tune on the task and score every evaluation split by the official metrics."""
        from objbench.engine.finetune import finetune
        from objbench_suites.glue_metric import GlueMetric

        chosen = self.table[task]
        result = finetune(
            encoder,
            train=self._source(task, chosen.train),
            evaluation={c: self._source(task, s) for c, s in chosen.evaluation.items()},
            labels=chosen.labels,
            recipe=self._recipe,
            seed=seed,
            context=context,
        )
        metric = GlueMetric(chosen.metric, context.cache / "metrics")
        scores = {
            column: metric.compute(
                predictions=result.predictions(column), references=result.labels[column]
            )
            for column in chosen.evaluation
        }
        return TaskResult(
            scores=scores,
            train_examples=result.train_examples,
            eval_examples={column: len(labels) for column, labels in result.labels.items()},
            details={
                "recipe": self._recipe.model_dump(),
                "steps": result.steps,
                "final_loss": result.loss,
                "length": result.length,
            },
        )

    # -- parts

    @cached_property
    def _missing(self) -> Mapping[str, str]:
        wanted = self.config.tasks or tuple(self.table)
        absent = self.find()
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

    def _check_columns(self) -> None:
        for task in self.table.values():
            official = METRICS[task.metric]
            for column in task.evaluation:
                if column not in self._protocol.columns:
                    raise ConfigError(
                        f"protocol {self._protocol.name} has no column {column}: "
                        f"add it under [columns], with one of {', '.join(official)}"
                    )
                for metric in self._protocol.columns[column]:
                    if metric not in official:
                        raise UnknownNameError(f"metric of {column}", metric, official)

    def _group_name(self, group: tuple[str, ...]) -> str:
        tasks = {task for task in self.table if set(group) & set(self.table[task].evaluation)}
        return tasks.pop() if len(group) > 1 and len(tasks) == 1 else "+".join(group)

    def _fingerprint(self, task: str, split: str) -> str:
        # Reading and checking a split takes up to a second, and a plan asks once for every cell.
        if (task, split) not in self._fingerprints:
            examples = self.read(self.table[task], split)
            self._fingerprints[task, split] = examples.fingerprint
        return self._fingerprints[task, split]

    def _source(self, task: str, split: str) -> Source:
        return Source(self._fingerprint(task, split), lambda: self.read(self.table[task], split))
