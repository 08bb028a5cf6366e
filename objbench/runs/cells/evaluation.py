"""An evaluation cell: one exported encoder, one task, one fine-tuning seed, through a suite."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from objbench.contract.composition import Composition
from objbench.contract.suite import EvaluationContext, TaskResult
from objbench.data.heldout_split import heldout_rows
from objbench.results.packed_values import stored_examples
from objbench.results.plan import PlannedCell
from objbench.results.records import AnyRecord, EvaluationRecord
from objbench.results.stored_examples import StoredExamples
from objbench.runs.cells.cell_work import CellWork


class EvaluationWork(CellWork):
    """Hands the encoder to the suite and stores what it measured."""

    def do(self, cell: PlannedCell, started: str) -> AnyRecord:
        """Evaluate.

        Raises:
            RecordError: the encoder has been deleted or damaged.
        """
        prepared, report = self.prepared, self.context.report
        is_tuning = cell.kind == "trial_evaluation"
        read: dict[str, str] = {}

        def heldout(count: int) -> NDArray[np.int64]:
            """Opens the text when it is first asked for: most suites bring their own."""
            read["heldout"] = prepared.text.digests["heldout"]
            return heldout_rows(prepared.text.heldout, "tuning" if is_tuning else "reported", count)

        context = EvaluationContext(
            cache=prepared.cache / "tasks",
            device=prepared.device,
            precision=prepared.study.training.precision,
            max_train_samples=prepared.study.evaluation.max_train_samples,
            tuning=is_tuning,
            progress=lambda done, total, text: report(cell.id, done, total, text),
            heldout=heldout,
        )
        encoder = self.encoder(cell, read)
        if (known := self.known(cell, read)) is not None:
            return self.copied(known, cell, started)
        clock = time.perf_counter()
        result = self.score(cell, encoder, context)
        return self.record(
            cell,
            started,
            status="ok",
            scores={name: dict(metrics) for name, metrics in result.scores.items()},
            train_examples=result.train_examples,
            eval_examples=dict(result.eval_examples),
            official_examples=dict(result.official_examples),
            seconds=round(time.perf_counter() - clock, 3),
            details=dict(result.details),
            unscored=dict(result.unscored),
            examples=_examples(cell, result),
            made_from=read,
        )

    def known(self, cell: PlannedCell, read: dict[str, str]) -> EvaluationRecord | None:
        """The record of another cell that has scored the same encoder alike; None where none has.

        Args:
            cell: the cell.
            read: the digest of its encoder, if it has one.
        """
        return None

    def encoder(self, cell: PlannedCell, read: dict[str, str]) -> Path:
        """The folder of the encoder to evaluate; its digest is noted in ``read``.

        Raises:
            RecordError: it has been deleted or damaged.
        """
        folder = self.context.encoder(cell)
        if digest := self.context.exported(cell).digest:
            read["encoder"] = digest
        return folder

    def score(self, cell: PlannedCell, encoder: Path, context: EvaluationContext) -> TaskResult:
        """What the suite measures of the encoder in the folder ``encoder``."""
        suite = self.prepared.plugins.suites[cell.suite]
        return suite.evaluate(encoder, cell.task, cell.finetune_seed, context)

    def plugin(self, cell: PlannedCell) -> type[Any] | Composition:
        """The suite."""
        return type(self.prepared.plugins.suites[cell.suite])

    def fields(self, cell: PlannedCell) -> dict[str, Any]:
        """What was evaluated, and how."""
        return {
            **self.suite_fields(cell),
            "meters": self.context.exported(cell).meters,
            "upstream": self.context.pretraining(cell).key,
        }

    def suite_fields(self, cell: PlannedCell) -> dict[str, Any]:
        """By what it was evaluated."""
        suite = self.prepared.plugins.suites[cell.suite]
        return {
            "suite": cell.suite,
            "suite_version": suite.version,
            "protocol": suite.protocol,
            "task": cell.task,
            "finetune_seed": cell.finetune_seed,
            "share": cell.share,
            "max_train_samples": self.prepared.study.evaluation.max_train_samples,
        }


def _examples(cell: PlannedCell, result: TaskResult) -> dict[str, StoredExamples]:
    """Of what is reported at the end of the budget: a curve's points would be several times more."""
    if cell.kind == "floor" or (cell.kind == "evaluation" and cell.share >= 1.0):
        return {name: stored_examples(scores) for name, scores in result.examples.items()}
    return {}
