"""Refuse what cannot be run before anything long has run: models are built on no device.

A run does this before it reads its text, and ``--dry-run`` does nothing else. Every encoder and
objective of the study and of its trials is built on torch's "meta" device, which has shapes and no
numbers, so that it takes seconds whatever the size. The vocabulary is a stand-in of about the right
size, as the tokenizer may have yet to be trained. What only numbers show is tried on a small
encoder of the same family.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from objbench.contract.composition import ObjectiveClass, recorded_options
from objbench.contract.encoder_spec import Vocabulary
from objbench.data.corpus import require_corpus
from objbench.data.tokenizer import require_tokenizer
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.encoder.inputs import require_readable
from objbench.engine.encoder.recomputed_layers import recompute_layers
from objbench.engine.measuring.objective_size import made_up_vocabulary
from objbench.engine.training.causality import require_causal_family
from objbench.engine.training.heldout_loss import loss_names
from objbench.engine.training.stand_in import stand_in
from objbench.engine.training.unread_tokens import require_hidden_unread
from objbench.errors import BudgetError, ObjbenchError, UnknownNameError
from objbench.results.heldout_loss_names import COMMON, own_loss
from objbench.results.json_files import content_key
from objbench.results.run_folder import RunFolder
from objbench.results.step_cost import StepCost
from objbench.runs.forecast.expected_steps import vocabulary_size
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.evaluation_cells import require_choosable
from objbench.runs.planning.planner import planned_suites, require_points
from objbench.runs.planning.teachers import training_order
from objbench.runs.planning.trials import Tuner
from objbench.study.budget import baseline_steps, parse_budget
from objbench.study.study import Study

_FEW_WORDS = 512
"""Words of a vocabulary for what does not depend on them."""


def rehearse(study: Study, plugins: ConfiguredPlugins, folder: RunFolder) -> None:
    """Build the models of a study and of its trials without memory or time, and check its tuning.

    A fault of an objective's own code is left to its cells, which record it.

    Args:
        study: as given, before tuning.
        plugins: its plugins.
        folder: its run folder, which need not exist.

    Raises:
        ConfigError: as ``rehearse_models``; or the budget is too small, or a setting of a grid, a
            teacher, a suite or the tuning's score does not fit.
        DataError: there is no such corpus or tokenizer on this machine.
    """
    training_order(plugins)
    planned_suites(plugins)
    _require_budget(study)
    require_corpus(study.data.corpus)
    require_tokenizer(study.data.tokenizer)
    if study.tuning is not None:
        Tuner(study, study.tuning, plugins, folder).rounds()
        if study.tuning.score in plugins.suites:
            require_choosable(plugins.suites[study.tuning.score])
    tried = rehearse_models(study, plugins)
    if study.tuning is not None and study.tuning.score not in plugins.suites:
        for name, losses in tried.items():
            known = None if losses is None else dict.fromkeys(["loss", COMMON, *losses], 0.0)
            if known is not None and own_loss(known, study.tuning.score) is None:
                raise UnknownNameError(
                    "tuning.score", study.tuning.score, known, where=f"for {name}"
                )


def rehearse_models(study: Study, plugins: ConfiguredPlugins) -> dict[str, list[str] | None]:
    """Build the encoder and the objective of all that a study pretrains.

    Args:
        study: as given, before tuning.
        plugins: its plugins.

    Returns:
        Objective -> the names of the held-out losses of its trials; None where its own code fails.

    Raises:
        ConfigError: an encoder cannot be built, or cannot do what an objective or a setting needs.
    """
    vocabulary = made_up_vocabulary(vocabulary_size(study))
    built: dict[str, list[str] | None] = {}
    tried: dict[str, list[str] | None] = {}
    for name, own, is_trial in _variants(study):
        kind, config = plugins.objectives[name][0], plugins.config(own, name)
        again = own.training.activation_checkpointing
        section = own.encoder.model_dump(mode="json")
        key = content_key([name, section, recorded_options(config), again])
        if key not in built:
            built[key] = _losses(own, kind, config, vocabulary)
            few = made_up_vocabulary(_FEW_WORDS)
            if (made := stand_in(own.encoder, kind, config, few, own.data.length)) is not None:
                require_causal_family(made)
                require_hidden_unread(made)
        if is_trial:
            found, before = built[key], tried.get(name, [])
            tried[name] = None if found is None or before is None else [*before, *found]
    return tried


def _require_budget(study: Study) -> None:
    """Refuse a budget that is too small, where that is known before a step is measured."""
    cost = StepCost(tokens=study.training.batch * study.data.length, flops=1)
    if parse_budget(study.budget).axis in ("steps", "tokens"):
        steps = baseline_steps(parse_budget(study.budget), cost)
        require_points(study, {study.objectives[0]: steps})
    trial = study.tuning.budget if study.tuning else None
    if trial is not None and parse_budget(trial).axis in ("steps", "tokens"):
        try:
            baseline_steps(parse_budget(trial), cost)
        except BudgetError as error:
            raise BudgetError(f"tuning.budget = {trial!r}: {error}") from error


def _variants(study: Study) -> Iterator[tuple[str, Study, bool]]:
    """(objective, the study as it runs it, whether in a trial) of all that the study pretrains."""
    for name in study.objectives:
        yield name, study.for_objective(name), False
        for settings in study.tuning.trials(name) if study.tuning is not None else ():
            yield name, study.for_objective(name, settings), True


def _losses(
    own: Study, kind: ObjectiveClass, config: Any, vocabulary: Vocabulary
) -> list[str] | None:
    """The names of an objective's held-out losses; None where its own code fails."""
    with torch.device("meta"):
        encoder = build_encoder(own.encoder, vocabulary, own.data.length, seed=0)
        require_readable(encoder, own.data.length)
        if own.training.activation_checkpointing:
            recompute_layers(encoder)
        try:
            objective = build_objective(kind, config, encoder_spec_of(encoder, vocabulary), seed=0)
            objective.tie(encoder)
            if own.training.activation_checkpointing:
                recompute_layers(objective)  # It may have an encoder of its own.
            return loss_names(objective)
        except ObjbenchError:
            raise
        except (Exception, SystemExit):  # noqa: BLE001 - or it needs numbers, and there are none
            return None
