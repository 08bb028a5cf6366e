"""What a study takes from the checkpoint that it continues from, said before it begins."""

from __future__ import annotations

from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.encoder.continued_head import continue_head
from objbench.errors import ObjbenchError
from objbench.judge.formatting import amount, listed
from objbench.runs.cells.prepared_study import PreparedStudy


def say_initial_weights(prepared: PreparedStudy) -> None:
    """Show which weights come from the checkpoint and which are new; nothing without a checkpoint.

    Raises:
        CheckpointError, HubError, ConfigError: the checkpoint does not fit.
    """
    study, section = prepared.study, prepared.study.encoder
    if section.init is None:
        return
    words = prepared.text.vocabulary
    encoder = build_encoder(section, words, study.data.length, study.seeds[0])
    spec = encoder_spec_of(encoder, words)
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    with_head, new = [], []
    for name in study.objectives:
        loaded, left = _taken(prepared, name, spec)
        with_head += [name] if loaded else []
        new += [f"{name}: {left}"] if left else []
    head = f"its token head for {listed(with_head)}" if with_head else "no token head"
    prepared.display.say(
        f"checkpoint {section.init} ({section.model_type}, SHA-256 "
        f"{(section.init_digest or '')[:12]}...): encoder of {amount(parameters)} parameters for all "
        f"objectives, {head}; new weights: {'; '.join(new) or 'none'}"
    )


def _taken(prepared: PreparedStudy, name: str, spec: EncoderSpec) -> tuple[bool, str]:
    """(whether objective ``name`` gets the checkpoint's token head, what of it is new)."""
    study = prepared.study
    kind, config = prepared.plugins.objectives[name]
    try:
        objective = build_objective(kind, config, spec, study.seeds[0])
        why = continue_head(objective, study.encoder)
    except ObjbenchError:
        raise
    except (Exception, SystemExit):  # noqa: BLE001 - its cells record what its own code does
        return False, "unknown, as it cannot be built"
    head = objective.token_head
    old = set() if why or head is None else {id(p) for p in head.parameters()}
    left = _new_parts(objective, old)
    if why and head is not None:
        left = f"{left} ({why})"
    return not why, left


def _new_parts(objective: Objective, old: set[int]) -> str:
    """The names of the parts of ``objective`` with parameters that are not in ``old``; "" for none."""
    named = {id(p): term.name for term in objective.terms for p in term.parameters()}
    parts = dict.fromkeys(
        named.get(id(parameter), name.split(".")[0])
        for name, parameter in objective.named_parameters()
        if id(parameter) not in old
    )
    return listed(list(parts))
