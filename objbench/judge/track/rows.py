"""The rows of a track: the recipes of the studies in a folder, with what each spent to each target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from objbench.contract.meters import Axis
from objbench.errors import RecordError, one_line
from objbench.judge.spending import Spent, spent
from objbench.judge.statistics.time_to_target import Reached
from objbench.judge.track.rules import recipe_faults, study_faults
from objbench.judge.track.target_runs import recipe_runs, target_runs, why_not_scored
from objbench.judge.track.track import Target, Track
from objbench.results.run_folder import studies_in
from objbench.results.study_results import StudyResults, read_study_results

RANKED: tuple[Axis, ...] = ("flops", "seconds")
"""The compute axes that recipes are ranked by."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One recipe that keeps the rules.

    Attributes:
        study: the name of its study's folder.
        objective: which of the study's objectives it is.
        results: the study.
        since: when it was received, or when its last run ended: records are held in this order.
        devices: what its runs were made on.
        batch, length: sequences per step, tokens per sequence.
        unscored: target -> why the recipe is not ranked on it.
        runs: target and axis -> what each run spent.
        harder: the same for a target that other masks cannot explain; see ``Target.other_masks``.
        spent: what is outside of the clock.
    """

    study: str
    objective: str
    results: StudyResults
    since: str
    devices: tuple[str, ...]
    batch: int
    length: int
    unscored: Mapping[str, str]
    runs: Mapping[tuple[str, Axis], tuple[Reached, ...]]
    harder: Mapping[tuple[str, Axis], tuple[Reached, ...]]
    spent: Spent

    @property
    def name(self) -> str:
        """What it is called: its study and its objective."""
        return f"{self.study}: {self.objective}"

    @property
    def runs_of(self) -> tuple[str, ...]:
        """The keys of its runs, by which it is known whatever it is called."""
        cells, of = self.results.cells, self.results.pretraining
        return tuple(cells[of[self.objective, seed]].key for seed in self.results.seeds)

    @property
    def is_verified(self) -> bool:
        """Whether it was run here, or cells of it were run again and agree."""
        sent = self.results.sent_in
        return sent is None or sent.standing == "verified"

    @property
    def exam(self) -> tuple[int, int]:
        """Rows with equal ones were scored under the same masks."""
        return self.batch, self.length


@dataclass(frozen=True, slots=True)
class Judged:
    """A study against the rules of a track.

    Attributes:
        rows: the recipes that keep them.
        faults: of the study, which concern all of its recipes, one line each.
        of_recipe: objective -> its own faults, for those that have any.
    """

    rows: tuple[Row, ...] = ()
    faults: tuple[str, ...] = ()
    of_recipe: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def all_faults(self) -> tuple[str, ...]:
        """Those of the study, then those of its recipes."""
        return (*self.faults, *(fault for own in self.of_recipe.values() for fault in own))


def judged(track: Track, study: str, results: StudyResults) -> Judged:
    """A study against the rules of a track.

    Args:
        track: the track.
        study: what the study is called.
        results: its plan and records.
    """
    faults = tuple(study_faults(track, results))
    if results.sent_in is not None and results.sent_in.standing == "differs":
        faults = (*faults, "cells of it were run again, and some differ")
    names = [objective.name for objective in results.plan.objectives]
    own = {name: tuple(recipe_faults(track, results, name)) for name in names}
    ranked = [] if faults else [name for name in names if not own[name]]
    return Judged(
        rows=tuple(_row(track, study, results, name) for name in ranked),
        faults=faults,
        of_recipe={name: found for name, found in own.items() if found},
    )


def rows_in(track: Track, folder: Path) -> dict[str, Judged]:
    """Every study folder in ``folder`` against the rules, by its name; one that cannot be read has a fault."""
    found = {}
    for study in studies_in(folder):
        try:
            found[study.name] = judged(track, study.name, read_study_results(study))
        except RecordError as error:
            found[study.name] = Judged(faults=(one_line(error),))
    return found


def _row(track: Track, study: str, results: StudyResults, objective: str) -> Row:
    records = list(recipe_runs(results, objective))
    marks = results.sent_in
    ended = max(record.provenance.finished for record in records)
    unscored = {t.id: why for t in track.targets if (why := why_not_scored(t, results, objective))}
    scored = [target for target in track.targets if target.id not in unscored]
    planned = next(item for item in results.plan.objectives if item.name == objective)
    training = results.plan.study.get("training", {})
    return Row(
        study=study,
        objective=objective,
        results=results,
        since=ended if marks is None else marks.received.received,
        devices=tuple(sorted({record.provenance.device for record in records})),
        batch=int(planned.overrides.get("training.batch", training.get("batch", 0))),
        length=int(results.plan.study["data"]["length"]),
        unscored=unscored,
        runs=_runs(track, scored, results, objective, other_masks=False),
        harder=_runs(track, scored, results, objective, other_masks=True),
        spent=spent(results, objective),
    )


def _runs(
    track: Track,
    targets: Sequence[Target],
    results: StudyResults,
    objective: str,
    *,
    other_masks: bool,
) -> dict[tuple[str, Axis], tuple[Reached, ...]]:
    return {
        (target.id, axis): target_runs(
            track, target, results, objective, axis, other_masks=other_masks
        )
        for target in targets
        for axis in RANKED
    }
