"""Linear probes of the frozen encoder: cheaper than fine-tuning, and without its noise.

Every example is embedded once, without dropout, and a linear model is fitted to the encoder's states
(``objbench_suites.linear_probe``). Nothing is drawn, so there is only one seed. Features:

    single sentences   [mean, cls]                 of the last layer's states
    pairs              [u, v, |u - v|, u * v]      of each sentence's own mean

The latter are those of Conneau et al. 2017 (arXiv:1705.02364, section 3.1), which SentEval uses
for natural language inference (Conneau & Kiela 2018): a frozen encoder was not trained to compare
two sentences in one sequence. The strength of the L2 penalty is one of 10, 3, 1, 0.3, 0.1, 0.03
and 0.01, chosen on a fixed fifth of the training examples and never on those that are scored.

The examples are sorted by a hash of their text, so the order of a file does not matter.

Shape legend: N examples, D width of the encoder, F features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from objbench.contract.suite import EvaluationContext, TaskResult, Work
from objbench.engine.evaluation.examples import Source
from objbench_suites.glue_tasks import unofficial
from objbench_suites.option_limits import require_at_least
from objbench_suites.protocol import Protocol
from objbench_suites.sentence_sides import sentence_sides
from objbench_suites.sentence_task import Place, SentenceTask
from objbench_suites.table_suite import TableSuite

if TYPE_CHECKING:
    from objbench.engine.evaluation.embed import Embedded
    from objbench_suites.linear_probe import LinearProbe

STRENGTHS = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
"""From strong to weak: the strongest of several equally good ones is taken."""

BLOCK = 4096
"""Examples whose features are held at once when they are only scored."""

_LEAST = {"train": 10, "evaluate": 0, "length": 4}


class ProbingSuite(TableSuite):
    """A linear probe of the frozen encoder on each task of a table.

    Args:
        config: options, of this class's ``Config``.
        table: every task of the suite, in the order of the columns.
        place: where their examples are.
        protocol: what is printed and averaged.
        of: what the tasks are, for the protocol line.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Options of every such suite.

        Attributes:
            tasks: run only these; all of them when empty.
            train: most training examples of a task.
            evaluate: most examples scored of a split; 0 for all.
            length: most tokens of a sentence, special tokens included; longer ones are cut.
        """

        tasks: tuple[str, ...] = ()
        train: int = 2000
        evaluate: int = 0
        length: int = 64

    def __init__(
        self,
        config: Any,
        table: Mapping[str, SentenceTask],
        place: Place,
        protocol: Protocol,
        of: str,
    ) -> None:
        require_at_least(self.name, config, **_LEAST)
        super().__init__(config, table, place, protocol)
        self._of = of

    @property
    def protocol(self) -> str:
        """One line: what is fitted to how many examples, printed metrics and average."""
        evaluate = self.config.evaluate
        metrics = self._printed_metrics()
        parts = [
            f"linear probe of the frozen encoder on {self._of}: length {self.config.length}",
            f"at most {self.config.train} training examples a task, L2 chosen on a fifth of them",
            *([f"at most {evaluate} examples scored a split"] if evaluate else []),
            *([metrics] if metrics else []),
            self.average().label,
        ]
        return "; ".join(parts)

    def settings(self) -> Mapping[str, Any]:
        """The numbers of the options, and the strengths that are tried."""
        numbers = {option: getattr(self.config, option) for option in _LEAST}
        return {"probe": {**numbers, "strengths": STRENGTHS}}

    def work(self, task: str, most: int | None) -> Work:
        """One pass over all examples; sentences of a pair are read one by one."""
        size, pairs = self.size(task), 1 if self.table[task].second is None else 2
        train = min(size.train, self.config.train, most or size.train)
        scored = min(size.scored, self.config.evaluate or size.scored)
        length = min(size.length / pairs, self.config.length)
        read = pairs * (train + scored)
        return Work(steps=0, trained=0, read=read, length=length, assumed=size.assumed)

    @property
    def longest(self) -> int:
        """The option's."""
        return int(self.config.length)

    def used(self, task: str, context: EvaluationContext) -> tuple[Source, Mapping[str, Source]]:
        """As many as the options say, the first in hashed order."""
        from objbench.engine.evaluation.splits import first_hashed

        cap = min(self.config.train, context.max_train_samples or self.config.train)
        train = first_hashed(self.source(task, self.table[task].train), cap)
        train, evaluation = self.sources(task, train, tuning=context.tuning)
        most = self.config.evaluate or None
        return train, {name: first_hashed(part, most) for name, part in evaluation.items()}

    def evaluate(
        self, encoder: Path, task: str, seed: int, context: EvaluationContext
    ) -> TaskResult:
        """Embed the task's examples, fit the probe, and score by the official metrics."""
        from objbench.engine.evaluation.embed import embed
        from objbench_suites.linear_probe import fit_chosen

        chosen = self.table[task]
        train, evaluation = self.used(task, context)
        sides = {
            name: sentence_sides(part, chosen)
            for name, part in {"train": train, **evaluation}.items()
        }
        embedded = embed(
            encoder,
            {f"{name} {side}": part for name in sides for side, part in sides[name].items()},
            self.config.length,
            context,
        )
        parts = {name: [embedded[f"{name} {side}"] for side in sides[name]] for name in sides}
        labels = {name: part[0].labels for name, part in parts.items()}
        probe = fit_chosen(
            features(parts["train"]), labels["train"], STRENGTHS, is_regression=chosen.labels == 1
        )
        scored = {column: len(labels[column]) for column in evaluation}
        predictions = {column: _predictions(probe, parts[column]) for column in evaluation}
        is_cut = bool(self.config.evaluate)
        return TaskResult(
            scores={
                column: self.score(task, predictions[column], labels[column], context.cache)
                for column in evaluation
            },
            train_examples=len(labels["train"]),
            eval_examples=scored,
            official_examples=unofficial(chosen, {} if is_cut or context.tuning else scored),
            details={"strength": probe.strength, "length": parts["train"][0].length},
            examples={
                column: self.example_scores(task, part, predictions[column], labels[column])
                for column, part in evaluation.items()
            },
        )


def features(parts: Sequence[Embedded], rows: slice = slice(None)) -> NDArray[np.float64]:
    """The features of the probe, (N, F): F = 2 D for single sentences, 4 D for pairs.

    Args:
        parts: the sentences, or the first and the second sentences.
        rows: only these examples.
    """
    if len(parts) == 1:
        blocks = [parts[0].mean[rows], parts[0].first[rows]]
        return np.concatenate(blocks, axis=1).astype(np.float64)
    u, v = (part.mean[rows].astype(np.float64) for part in parts)
    return np.concatenate([u, v, np.abs(u - v), u * v], axis=1)


def _predictions(probe: LinearProbe, parts: Sequence[Embedded]) -> NDArray[Any]:
    starts = range(0, len(parts[0].labels), BLOCK)
    blocks = (features(parts, slice(start, start + BLOCK)) for start in starts)
    return np.concatenate([probe.predict(block) for block in blocks])
