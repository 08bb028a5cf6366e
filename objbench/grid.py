"""The grid of a study's tuning: which settings are tried for each objective before the seeds run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from pydantic import Field, field_validator

from objbench.budget import parse_budget
from objbench.sections import Section

Settings = dict[str, Any]
"""Settings by their dotted place in a study, such as {"training.learning_rate": 1e-3}."""

# What may differ between objectives. Not the data, which they must share; nor what would change
# the FLOPs of a step or only what is written down.
TUNABLE = ("training.", "encoder.config.", "options.")
_NOT_TUNABLE = ("batch", "micro_batches", "precision", "compile", "log_every", "checkpoint_every")


class TuningSection(Section):
    """Trials that choose settings before the seeds are run: as many for every objective.

    A trial pretrains with one combination of the grid and is scored on what is never reported: a
    half of the held-out text, or a split of the tasks' training data; see ``trials``. What the trials spend stands in their
    objective's row.

    Attributes:
        grid: dotted setting -> values to try; every combination is a trial.
        objectives: objective -> a grid of its own in place of ``grid``, with as many trials.
        seed: the pretraining seed of every trial; none of the study's.
        budget: of a trial, for the baseline; the study's own when None.
        score: what to choose by, each objective among its own trials. A held-out loss: "loss",
            the weighted sum of its terms, or one term, such as "mlm", where the grid varies the
            rest. Or a suite of the study, whose tasks are then scored on a fifth of their
            training examples.
    """

    grid: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    objectives: dict[str, dict[str, tuple[Any, ...]]] = Field(default_factory=dict)
    seed: int = 1000
    budget: str | None = None
    score: str = "loss"

    def trials(self, objective: str) -> list[Settings]:
        """The settings of each trial of ``objective``, in the order of its grid."""
        grid = self.objectives.get(objective, self.grid)
        return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]

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

    @field_validator("budget")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            parse_budget(value)
        return value


def _places(grid: Mapping[str, Any]) -> list[str]:
    """The dotted settings of a grid, or of a table of grids."""
    own = [place for place, values in grid.items() if not isinstance(values, Mapping)]
    return own + [p for table in grid.values() if isinstance(table, Mapping) for p in table]
