"""The results of a study: its plan joined with the records there are.

A record belongs to a cell when both id and key agree. One that belongs to no cell is stale: its
code, data or settings have changed since, so it is shown by name and never counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from objbench.errors import RecordError, one_line
from objbench.results.agreement import comparison_fault, disagreement
from objbench.results.lines_agreement import lines_faults
from objbench.results.plan import TUNING_KINDS, Plan, PlannedCell, PlannedSuite
from objbench.results.published_study import is_published, read_published
from objbench.results.records import AnyRecord, PretrainRecord
from objbench.results.reference_lines import ReferenceLines
from objbench.results.run_folder import RunFolder, read_plan, read_records, read_reference_lines
from objbench.results.step_comparison import StepComparison
from objbench.results.submissions.marks import SentIn, read_marks

State = Literal["ok", "failed", "diverged", "missing"]


@dataclass(frozen=True, eq=False)
class StudyResults:
    """A plan and the records that belong to it.

    Attributes:
        plan: the study as planned.
        records: cell id -> its current record, whatever its status.
        stale: records of no planned cell, by id and key.
        seeds: the pretraining seeds, in the order of the plan.
        pretraining: objective and seed -> id of the pretraining cell.
        lines: losses that counts alone reach on the held-out text; None where not measured.
        sent_in: what is known of a study that somebody else sent; None of one's own.
    """

    plan: Plan
    records: Mapping[str, AnyRecord]
    stale: tuple[AnyRecord, ...]
    seeds: tuple[int, ...]
    pretraining: Mapping[tuple[str, int], str]
    lines: ReferenceLines | None = None
    sent_in: SentIn | None = None

    @cached_property
    def cells(self) -> Mapping[str, PlannedCell]:
        """The planned cells by id."""
        return {cell.id: cell for cell in self.plan.cells}

    def state(self, cell: PlannedCell) -> State:
        """The status of the cell's record; "missing" where there is none."""
        record = self.records.get(cell.id)
        return "missing" if record is None else record.status

    def upstream(self, cell: PlannedCell) -> tuple[PlannedCell, ...]:
        """All cells that ``cell`` rests on, what it needs itself first."""
        found: dict[str, PlannedCell] = {}
        nearest = [cell]
        while nearest:
            needed = dict.fromkeys(name for near in nearest for name in near.needs)
            nearest = [
                self.cells[name] for name in needed if name in self.cells and name not in found
            ]
            found.update((near.id, near) for near in nearest)
        return tuple(found.values())

    # Asked for once per objective, seed or score: each would be another look at every cell.
    @cached_property
    def _of_kind(self) -> Mapping[tuple[str, ...], tuple[PlannedCell, ...]]:
        found: dict[tuple[str, ...], list[PlannedCell]] = {}
        for cell in self.plan.cells:
            found.setdefault((cell.kind, cell.suite), []).append(cell)
            found.setdefault((cell.kind, cell.suite, cell.objective), []).append(cell)
        return {key: tuple(own) for key, own in found.items()}

    @cached_property
    def _of_run(self) -> Mapping[tuple[str, int], tuple[PlannedCell, ...]]:
        found: dict[tuple[str, int], list[PlannedCell]] = {}
        for cell in self.plan.cells:
            found.setdefault((cell.objective, cell.seed), []).append(cell)
        return {key: tuple(own) for key, own in found.items()}

    def of_run(self, objective: str, seed: int) -> tuple[PlannedCell, ...]:
        """The cells of one objective and one seed, in the order of the plan."""
        return self._of_run.get((objective, seed), ())

    def trials(self, *objective: str) -> tuple[PlannedCell, ...]:
        """The cells that try settings; of one objective if it is named."""
        return self._of_kind.get(("trial", "", *objective), ())

    def floors(self, suite: str, *objective: str) -> tuple[PlannedCell, ...]:
        """The cells that score ``suite`` without any pretraining; of one objective if it is named."""
        return self._of_kind.get(("floor", suite, *objective), ())

    def evaluations(self, suite: str, *objective: str) -> tuple[PlannedCell, ...]:
        """The cells that evaluate reported encoders on ``suite``; of one objective if it is named.

        Those that tuned by it are not among them.
        """
        return self._of_kind.get(("evaluation", suite, *objective), ())

    def pretrained(self, objective: str) -> tuple[PretrainRecord, ...]:
        """The finished pretraining runs of an objective, in the order of the seeds."""
        found = (self.records.get(self.pretraining[objective, seed]) for seed in self.seeds)
        return tuple(r for r in found if isinstance(r, PretrainRecord) and r.status == "ok")

    @property
    def suites(self) -> tuple[PlannedSuite, ...]:
        """The suites that evaluate encoders; the first is the study's main one."""
        return tuple(suite for suite in self.plan.suites if not suite.follows)

    @property
    def curve_suites(self) -> tuple[PlannedSuite, ...]:
        """The suites that compare curves of another suite's score."""
        return tuple(suite for suite in self.plan.suites if suite.follows)

    def of_seeds(self, seeds: Sequence[int]) -> StudyResults:
        """The results of some of its pretraining seeds, in the order of the plan.

        What chose the settings stays. Stale records are left out.
        """
        kept = set(seeds)
        cells = tuple(c for c in self.plan.cells if c.kind in TUNING_KINDS or c.seed in kept)
        records = {cell.id: self.records[cell.id] for cell in cells if cell.id in self.records}
        return replace(
            self,
            plan=self.plan.model_copy(update={"cells": cells}),
            records=records,
            stale=(),
            seeds=tuple(seed for seed in self.seeds if seed in kept),
            pretraining={key: name for key, name in self.pretraining.items() if key[1] in kept},
        )

    def without_stale(self) -> StudyResults:
        """The same with the stale records left out."""
        return replace(self, stale=())


def read_study_results(folder: Path) -> StudyResults:
    """The results in ``folder``, of a run or of a published study.

    Raises:
        RecordError: the plan or a record is missing or cannot be read.
    """
    plan = read_plan(folder)
    records = (read_published if is_published(folder) else read_records)(folder)
    results = join(plan, records, read_reference_lines(folder))
    return replace(results, sent_in=read_marks(folder))


def read_comparison(folder: Path, plan: Plan) -> StepComparison | None:
    """The comparison of steps in ``folder``, which holds ``plan``; None where nothing was measured.

    Raises:
        RecordError: it cannot be read, or is that of another study.
    """
    steps = RunFolder(folder).read_step_comparison()
    if steps is not None and (wrong := comparison_fault(steps, plan)):
        raise RecordError(
            f"overhead.json is not of this study: {one_line(wrong)[:300]}; delete it and run the study "
            "again to measure it again"
        )
    return steps


def join(
    plan: Plan, records: Iterable[AnyRecord], lines: ReferenceLines | None = None
) -> StudyResults:
    """The plan and its records; in time linear in both.

    Raises:
        RecordError: two records are of one cell, one is not what its cell was planned to be, or the
            lines are not those of the study's text.
    """
    wanted = {(cell.kind, cell.id, cell.key): cell for cell in plan.cells}
    objectives = {objective.name: objective for objective in plan.objectives}
    current: dict[str, AnyRecord] = {}
    stale: list[AnyRecord] = []
    for record in records:
        cell = wanted.get((record.kind, record.id, record.key))
        if cell is None:
            stale.append(record)
            continue
        if record.id in current:
            raise RecordError(
                f"there are two records of {record.kind} {record.id}; delete the one that does "
                "not belong to this study"
            )
        if wrong := disagreement(record, cell, objectives[cell.objective]):
            raise RecordError(
                f"the record of {record.kind} {record.id} does not fit the plan: "
                f"{one_line(wrong)[:300]}; delete "
                "it and run the study again"
            )
        current[record.id] = record
    if lines is not None:
        for wrong in lines_faults(lines, plan, current.values()):
            raise RecordError(
                f"lines.json is not of this study: {wrong}; delete it and run the study again to "
                "measure it again"
            )
    stale.sort(key=lambda record: (record.kind, record.id, record.key))
    pretraining = {(c.objective, c.seed): c.id for c in plan.cells if c.kind == "pretrain"}
    seeds = tuple(dict.fromkeys(cell.seed for cell in plan.cells if cell.kind == "pretrain"))
    return StudyResults(plan, current, tuple(stale), seeds, pretraining, lines)
