"""The tuning of a study: the grid of settings tried for each objective before the seeds are run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from pydantic import Field, field_validator

from objbench.contract.composition import parts_of
from objbench.study.settings import (
    WITHOUT_EFFECT_ON_NUMBERS,
    BudgetText,
    Section,
    Seeds,
    Values,
)

Settings = dict[str, Any]
"""Settings by their dotted place in the study, such as {"training.learning_rate": 1e-3}."""

# What may differ between objectives. Not the data, which they must share; nor what would change
# the FLOPs of a step or only what is written down.
TUNABLE = ("training.", "encoder.config.", "options.")
# May differ too, where a study says so: an ablation compares families of encoders. It is not tuned,
# since a trial of another family would need another grid.
MODEL_TYPE = "encoder.model_type"
_NOT_TUNABLE = ("batch", "micro_batches", "precision", "compile", *WITHOUT_EFFECT_ON_NUMBERS)


class TuningSection(Section):
    """Trials that choose settings before the seeds are run, equally many for every objective.

    A trial pretrains with one combination of the grid and one of the seeds. It is scored on data
    that no reported score uses: one half of the held-out text, or a part of the tasks' training
    data; see ``trials``. The compute of the trials is reported in the row of their objective.

    Attributes:
        grid: dotted setting -> values to try; every combination is a trial on each of the seeds.
        objectives: objective -> its own grid in place of ``grid``, with equally many trials.
        seeds: pretraining seeds of the trials, none of which the study uses. Settings are chosen
            by their mean over these seeds, among those that learnt on all of them; with a single
            seed the choice may be luck.
        budget: of a trial of the baseline; the budget of the study when None.
        score: what the settings of an objective are chosen by. A held-out loss: "loss", the
            weighted sum of the objective's terms; one term, such as "mlm", where the grid varies
            the others; or "common", the loss that every objective is measured by, also where no
            term is in all of them. Or a suite of the study, whose tasks are then scored on a fifth of
            their training examples.
    """

    grid: dict[str, Values] = Field(default_factory=dict)
    objectives: dict[str, dict[str, Values]] = Field(default_factory=dict)
    seeds: Seeds = (1000, 1001, 1002)
    budget: BudgetText | None = None
    score: str = "loss"

    def trials(self, objective: str) -> list[Settings]:
        """The settings that are tried for ``objective`` on each seed, in the order of its grid."""
        grid = self.objectives.get(objective, self.grid)
        return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]

    def foreign_options(self, objective: str) -> list[str]:
        """The options in the grid of ``objective`` that it does not read, by their dotted place.

        With these alone, its trials would be the same run again and again.
        """
        own = {objective, *parts_of(objective)}
        grid = self.objectives.get(objective, self.grid)
        options = [place for place in grid if place.startswith("options.")]
        return [place for place in options if place.split(".")[1] not in own]

    def trial_id(self, objective: str, number: int, seed: int) -> str:
        """The id of the trial of combination ``number`` of ``objective`` with ``seed``.

        With the first seed it is the id in a study that tunes on one seed, so that finished trials
        count when seeds are added.
        """
        own = f"{objective}.trial-{number}"
        return own if seed == self.seeds[0] else f"{own}.seed-{seed}"

    @field_validator("grid", "objectives")
    @classmethod
    def _tunable(cls, value: dict[str, Any]) -> dict[str, Any]:
        for place in _places(value):
            fixed = place.startswith("training.") and place.rpartition(".")[2] in _NOT_TUNABLE
            if fixed or not place.startswith(TUNABLE):
                raise ValueError(
                    f"{place!r} cannot be tuned; name training.X, encoder.config.X or "
                    f"options.OBJECTIVE.X, but none of {', '.join(_NOT_TUNABLE)}"
                )
        return value


def _places(grid: Mapping[str, Any]) -> list[str]:
    """The dotted settings in a grid, or in a table of grids."""
    own = [place for place, values in grid.items() if not isinstance(values, Mapping)]
    return own + [p for table in grid.values() if isinstance(table, Mapping) for p in table]
