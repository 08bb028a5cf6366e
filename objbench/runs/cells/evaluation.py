"""An evaluation cell: one exported encoder, one task, one fine-tuning seed, through a suite."""

from __future__ import annotations

import time
from functools import cached_property
from typing import Any

from objbench.contract.suite import EvaluationContext
from objbench.data.heldout_split import heldout_rows
from objbench.data.packed_sequences import PackedSequences
from objbench.results.plan import PlannedCell
from objbench.results.records import AnyRecord, EvaluationRecord, TrialEvaluationRecord
from objbench.runs.cells.prepared_study import open_text
from objbench.runs.cells.run_context import RunContext

_RECORDS: dict[str, type[EvaluationRecord]] = {
    "evaluation": EvaluationRecord,
    "trial_evaluation": TrialEvaluationRecord,
}


class EvaluationWork:
    """Hands the encoder to the suite and stores what it measured."""

    def __init__(self, place: RunContext) -> None:
        self.place = place

    @cached_property
    def _heldout(self) -> PackedSequences:
        return open_text(self.place.study, self.place.cache).heldout

    def do(self, cell: PlannedCell, started: str) -> tuple[AnyRecord, str]:
        """Evaluate.

        Raises:
            RecordError: the encoder has been deleted.
        """
        place = self.place
        is_tuning = cell.kind == "trial_evaluation"
        fields = self._fields(cell, started)
        encoder = place.encoder(cell)
        context = EvaluationContext(
            cache=place.cache / "tasks",
            device=place.device,
            precision=place.study.training.precision,
            max_train_samples=place.study.evaluation.max_train_samples,
            tuning=is_tuning,
            progress=lambda done, total, text: place.report(cell.id, done, total, text),
            # Opened when it is first asked for: most suites bring their own text.
            heldout=lambda count: heldout_rows(
                self._heldout, "tuning" if is_tuning else "reported", count
            ),
        )
        suite = place.plugins.suites[cell.suite]
        clock = time.perf_counter()
        result = suite.evaluate(encoder, cell.task, cell.finetune_seed, context)
        record = _RECORDS[cell.kind](
            **fields,
            status="ok",
            scores={name: dict(metrics) for name, metrics in result.scores.items()},
            train_examples=result.train_examples,
            eval_examples=dict(result.eval_examples),
            seconds=round(time.perf_counter() - clock, 3),
            details=dict(result.details),
            unscored=dict(result.unscored),
        )
        shown = [
            f"{name} {metric} {value:.3f}"
            for name, metrics in record.scores.items()
            for metric, value in metrics.items()
        ]
        reasons = "; ".join(dict.fromkeys(record.unscored.values()))
        return record, ", ".join(shown) or f"not scored: {reasons}"

    def failed(self, cell: PlannedCell, started: str, reason: str) -> AnyRecord:
        """The record of a failure."""
        fields = self._fields(cell, started)
        return _RECORDS[cell.kind](**fields, status="failed", reason=reason)

    def stored(self, cell: PlannedCell, record: AnyRecord) -> None:
        """Nothing is left behind."""

    def _fields(self, cell: PlannedCell, started: str) -> dict[str, Any]:
        place = self.place
        suite = place.plugins.suites[cell.suite]
        return {
            **place.fields(cell, type(suite), started),
            "suite": cell.suite,
            "suite_version": suite.version,
            "protocol": suite.protocol,
            "task": cell.task,
            "finetune_seed": cell.finetune_seed,
            "meters": place.exported(cell).meters,
            "share": cell.share,
            "upstream": place.pretraining(cell).key,
            "max_train_samples": place.study.evaluation.max_train_samples,
        }
