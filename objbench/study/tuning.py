"""The grid of a study's tuning: which settings are tried for each objective before the seeds run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from pydantic import Field, field_validator, model_validator

from objbench.study.budget import parse_budget
from objbench.study.settings import Section

Settings = dict[str, Any]
"""Settings by their dotted place in a study, such as {"training.learning_rate": 1e-3}."""

# What may differ between objectives. Not the data, which they must share; nor what would change
# the FLOPs of a step or only what is written down.
TUNABLE = ("training.", "encoder.config.", "options.")
_NOT_TUNABLE = ("batch", "micro_batches", "precision", "compile", "log_every", "checkpoint_every")


class TuningSection(Section):
    """Trials that choose settings before the seeds are run: as many for every objective.

    A trial pretrains with one combination of the grid and one of the seeds, and is scored on what
    is never reported: a half of the held-out text, or a split of the tasks' training data; see
    ``trials``. What the trials spend stands in their objective's row.

    With ``seed = N`` in place of ``seeds = [N]`` it tunes on that seed alone.

    Attributes:
        grid: dotted setting -> values to try; every combination is a trial on each of the seeds.
        objectives: objective -> a grid of its own in place of ``grid``, with as many trials.
        seeds: pretraining seeds of the trials, none of them the study's; one by default. Settings
            are chosen by their mean over them: where luck decides early, one seed tells too little.
        budget: of a trial, for the baseline; the study's own when None.
        score: what to choose by, each objective among its own trials. A held-out loss: "loss",
            the weighted sum of its terms, or one term, such as "mlm", on whatever text the
            objective gives it, where the grid varies the rest. Or a suite of the study, whose
            tasks are then scored on a fifth of their training examples.
    """

    grid: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    objectives: dict[str, dict[str, tuple[Any, ...]]] = Field(default_factory=dict)
    seeds: tuple[int, ...] = Field(default=(1000,), min_length=1)
    budget: str | None = None
    score: str = "loss"

    def trials(self, objective: str) -> list[Settings]:
        """What is tried for ``objective`` on each of the seeds, in the order of its grid."""
        grid = self.objectives.get(objective, self.grid)
        return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]

    def trial_id(self, objective: str, number: int, seed: int) -> str:
        """The id of the trial of the ``number``-th combination of ``objective`` with ``seed``.

        The first seed's is that of a study that tunes on one seed: when seeds are added, what has
        been tried counts.
        """
        own = f"{objective}.trial-{number}"
        return own if seed == self.seeds[0] else f"{own}.seed-{seed}"

    @model_validator(mode="before")
    @classmethod
    def _one_seed(cls, value: Any) -> Any:
        """``seed = N`` as ``seeds = [N]``, so that a stored study has one form."""
        if not isinstance(value, Mapping) or "seed" not in value:
            return value
        if "seeds" in value:
            raise ValueError("gives both seed and seeds: leave out seed")
        others = {name: own for name, own in value.items() if name != "seed"}
        return {**others, "seeds": (value["seed"],)}

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

    @field_validator("seeds")
    @classmethod
    def _no_repeats(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) != len(value):
            raise ValueError("lists something twice")
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
