"""The suite of fine-tuned sentence tasks: fine-tune by a protocol, score by the official metrics.

GLUE and the toy tasks are this class with two tables of tasks and two places to read from. Nothing
heavy is loaded before an evaluation starts, because plans are made from this file too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objbench.contract.suite import EvaluationContext, TaskResult, Work
from objbench.engine.evaluation.examples import Source
from objbench.engine.evaluation.recipe import Recipe
from objbench.errors import ConfigError
from objbench_suites.glue_tasks import unofficial
from objbench_suites.protocol import Protocol, load_protocol, overridden
from objbench_suites.sentence_task import Place, SentenceTask
from objbench_suites.table_suite import TableSuite

MOST_SEEDS = 1000
"""Fine-tuning seeds; a larger number is taken for a seed where a count was meant."""

_OVERRIDES = ("learning_rate", "batch", "epochs", "length", "dropout", "pooling")


class FinetuneSuite(TableSuite):
    """Fine-tunes an encoder on each task of a table and scores it.

    Args:
        config: options, of this class's ``Config``.
        table: every task of the suite, in the order of the columns.
        place: where their examples are.
        protocol: what is printed and averaged, and the recipe; that of the options where None.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Options of every such suite.

        Attributes:
            protocol: name of a protocol, or a TOML file.
            tasks: run only these; all of them when empty.
            seeds: number of fine-tuning seeds; 0 for the protocol's own.
            learning_rate, batch, epochs, length, dropout: replace the protocol's number.
            pooling: replaces what the protocol lets the head read: "cls", "mean" or "sides"; see
                ``objbench.engine.evaluation.recipe``.
        """

        protocol: str = "default"
        tasks: tuple[str, ...] = ()
        seeds: int = 0
        learning_rate: float | None = None
        batch: int | None = None
        epochs: int | None = None
        length: int | None = None
        dropout: float | None = None
        pooling: str | None = None

    def __init__(
        self,
        config: Any,
        table: Mapping[str, SentenceTask],
        place: Place,
        protocol: Protocol | None = None,
    ) -> None:
        chosen = protocol or load_protocol(config.protocol, self.name)
        super().__init__(config, table, place, chosen)
        if not 0 <= config.seeds <= MOST_SEEDS:
            raise ConfigError(
                f"{self.name}.seeds = {config.seeds}: give a number of seeds, at most "
                f"{MOST_SEEDS:,}, or 0 for the protocol's"
            )
        self._changed = {
            name: getattr(config, name) for name in _OVERRIDES if getattr(config, name) is not None
        }
        self._recipe: Recipe = overridden(self._protocol.recipe, self._changed, self.name)

    @property
    def protocol(self) -> str:
        """One line: name, changes, recipe, seeds, printed metrics and average."""
        changes = ", ".join(
            f"{name} {value if isinstance(value, str) else format(value, 'g')}"
            for name, value in self._changed.items()
        )
        name = self._protocol.name + (f" (changed: {changes})" if changes else "")
        seeds = len(self.seeds())
        metrics = self._printed_metrics()
        parts = [
            f"{name}: {self._recipe.describe()}",
            f"{seeds} fine-tuning seed{'s' if seeds > 1 else ''}",
            *([metrics] if metrics else []),
            self.average().label,
        ]
        return "; ".join(parts)

    def seeds(self) -> tuple[int, ...]:
        """The protocol's seeds, or as many as the option says."""
        return self._protocol.seeds_of(self.config.seeds)

    def settings(self) -> Mapping[str, Any]:
        """The recipe."""
        return {"recipe": self._recipe.model_dump()}

    def work(self, task: str, most: int | None) -> Work:
        """The recipe's steps over the examples, and one pass over those that are scored."""
        size = self.size(task)
        examples = min(size.train, most or size.train)
        return Work(
            steps=self._recipe.steps(examples),
            trained=self._recipe.epochs * examples,
            read=size.scored,
            length=min(size.length, self._recipe.length),
            assumed=size.assumed,
        )

    @property
    def longest(self) -> int:
        """The recipe's."""
        return self._recipe.length

    def used(self, task: str, context: EvaluationContext) -> tuple[Source, Mapping[str, Source]]:
        """All, or of the training examples as many as ``context`` allows."""
        from objbench.engine.evaluation.splits import subsample

        # For tuning a part of the capped examples is held out, so that it costs as much as a run.
        train = subsample(self.source(task, self.table[task].train), context.max_train_samples)
        return self.sources(task, train, tuning=context.tuning)

    def evaluate(
        self, encoder: Path, task: str, seed: int, context: EvaluationContext
    ) -> TaskResult:
        """Fine-tune on the task and score every evaluation split by the official metrics."""
        from objbench.engine.evaluation.finetune import finetune

        chosen = self.table[task]
        train, evaluation = self.used(task, context)
        result = finetune(
            encoder,
            train=train,
            evaluation=evaluation,
            labels=chosen.labels,
            recipe=self._recipe,
            seed=seed,
            context=context,
            is_pair=chosen.second is not None,
        )
        scored = {column: len(labels) for column, labels in result.labels.items()}
        whole = {} if context.max_train_samples else {"train": result.train_examples}
        return TaskResult(
            scores={
                column: self.score(task, result.predictions(column), labels, context.cache)
                for column, labels in result.labels.items()
            },
            train_examples=result.train_examples,
            eval_examples=scored,
            official_examples={} if context.tuning else unofficial(chosen, {**whole, **scored}),
            examples={
                column: self.example_scores(
                    task, evaluation[column], result.predictions(column), labels
                )
                for column, labels in result.labels.items()
            },
            details={
                "recipe": self._recipe.model_dump(),
                "steps": result.steps,
                "final_loss": result.loss,
                "length": result.length,
            },
        )
