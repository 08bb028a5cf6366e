"""One objective of a run beside an objective of another run of the same text, as one study.

Only what both runs measured alike is joined: the seeds that both have, and suites of the same version
and protocol. The encoder, the training and the options may differ; that is what is compared.
"""

from __future__ import annotations

from dataclasses import replace

from objbench.contract.composition import LABEL
from objbench.errors import ConfigError
from objbench.results.plan import PlannedCell
from objbench.results.study_results import StudyResults

_JOINED = "other."
_ALIKE = {"equalize": "the axis of equal spend", "budget": "the budget"}


def joined_runs(one: StudyResults, other: StudyResults, second: str) -> tuple[StudyResults, str]:
    """The results of ``one`` with the objective ``second`` of ``other`` added.

    Args:
        second: an objective of ``other``.

    Returns:
        The results, with the plan of ``one``; and what the objective is called in them, which has a
        label where ``one`` has an objective of that name.

    Raises:
        ConfigError: the runs cannot be compared, since text, budget or seeds are not the same.
    """
    texts = [results.plan.data.get("key") for results in (one, other)]
    if texts[0] is None or texts[0] != texts[1]:
        raise ConfigError(
            "the two runs are not of the same text and tokenizer: run them on the same"
        )
    for field, words in _ALIKE.items():
        values = [getattr(results.plan, field) for results in (one, other)]
        if values[0] != values[1]:
            raise ConfigError(
                f"{words} is {values[0]} in one run and {values[1]} in the other: name two runs in which "
                "it is the same"
            )
    shared = [seed for seed in one.seeds if (second, seed) in other.pretraining]
    if not shared:
        raise ConfigError(
            "the two runs have no pretraining seed in common: runs are paired by seed"
        )
    base = one.of_seeds(shared)
    names = {planned.name for planned in base.plan.objectives}
    name = f"{second}{LABEL}other" if second in names else second
    alike = {suite.name: suite for suite in base.plan.suites if suite in other.plan.suites}
    cells = {
        cell.id: cell
        for cell in other.plan.cells
        if cell.objective == second
        and cell.seed in shared
        and cell.kind in ("pretrain", "evaluation")
        and (not cell.suite or cell.suite in alike)
    }
    added = tuple(_renamed(cell, name, cells) for cell in cells.values())
    records = {
        _JOINED + cell: other.records[cell].model_copy(
            update={"id": _JOINED + cell, "objective": name}
        )
        for cell in cells
        if cell in other.records
    }
    (planned,) = (own for own in other.plan.objectives if own.name == second)
    kept = tuple(cell for cell in base.plan.cells if not cell.suite or cell.suite in alike)
    plan = base.plan.model_copy(
        update={
            "objectives": (*base.plan.objectives, planned.model_copy(update={"name": name})),
            "suites": tuple(alike.values()),
            "cells": (*kept, *added),
        }
    )
    pretraining = {(name, cell.seed): cell.id for cell in added if cell.kind == "pretrain"}
    return (
        replace(
            base,
            plan=plan,
            records={**base.records, **records},
            pretraining={**base.pretraining, **pretraining},
        ),
        name,
    )


def _renamed(cell: PlannedCell, name: str, cells: dict[str, PlannedCell]) -> PlannedCell:
    """The cell under another objective's name; what it needs of other objectives is left out."""
    needs = tuple(_JOINED + needed for needed in cell.needs if needed in cells)
    return cell.model_copy(update={"id": _JOINED + cell.id, "objective": name, "needs": needs})
