"""A floor cell: one task of a suite without any pretraining."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from objbench.contract.suite import INITIAL_WEIGHTS, EvaluationContext, TaskResult
from objbench.results.plan import PlannedCell
from objbench.results.records import AnyRecord, FloorRecord
from objbench.results.training_points import Meters
from objbench.runs.cells.evaluation import EvaluationWork


class FloorWork(EvaluationWork):
    """Exports what is needed into a folder of the cell alone, and has the suite score it."""

    def encoder(self, cell: PlannedCell, read: dict[str, str]) -> Path:
        """The folder of the encoder before its first step, or of the tokenizer alone; made now.

        Raises:
            ConfigError: the encoder does not fit.
        """
        from objbench.engine.training.initial import export_tokenizer, export_untrained

        folder, job = self._folder(cell), self.prepared.pretrain_job(cell)
        if cell.floor not in INITIAL_WEIGHTS:
            export_tokenizer(job, folder)
            return folder
        suite = self.prepared.plugins.suites[cell.suite]
        read["encoder"] = export_untrained(job, folder, with_head=suite.reads_token_head)
        return folder

    def known(self, cell: PlannedCell, read: dict[str, str]) -> FloorRecord | None:
        """The record of another objective that begins with the same weights, head included.

        Initial weights are drawn from named streams, so that objectives with equal heads have them in
        common, and a suite that reads the head would score one encoder once for each.
        """
        digest = read.get("encoder")
        for other in self.context.same_floor(cell) if digest else ():
            record = self.prepared.folder.read_record(other)
            if isinstance(record, FloorRecord) and _is_of(record, digest):
                return record
        return None

    def score(self, cell: PlannedCell, encoder: Path, context: EvaluationContext) -> TaskResult:
        """As the suite scores every encoder, or as it scores its own floors."""
        if cell.floor in INITIAL_WEIGHTS:
            return super().score(cell, encoder, context)
        suite = self.prepared.plugins.suites[cell.suite]
        return suite.evaluate_floor(cell.floor, encoder, cell.task, cell.finetune_seed, context)

    def remove_leftovers(self, cell: PlannedCell, record: AnyRecord) -> None:
        """Remove what was exported, which can be made again at any time."""
        shutil.rmtree(self._folder(cell).parent, ignore_errors=True)

    def fields(self, cell: PlannedCell) -> dict[str, Any]:
        """What was scored, and how: nothing was spent on it."""
        return {
            **self.suite_fields(cell),
            "meters": Meters(steps=0, tokens=0, flops=0.0, seconds=0.0),
            "upstream": "",
            "floor": cell.floor,
        }

    def _folder(self, cell: PlannedCell) -> Path:
        return self.prepared.folder.path / self.prepared.folder.encoders(cell) / "step-0"


def _is_of(record: FloorRecord, digest: str | None) -> bool:
    return record.status == "ok" and record.made_from.get("encoder") == digest
