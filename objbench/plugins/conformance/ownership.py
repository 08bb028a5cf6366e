"""Ownership: what `tie` and `learn_from` hand over stays the encoder's, or the teacher's."""

from __future__ import annotations

from torch import nn

from objbench.plugins.conformance.check import Broken, Check
from objbench.plugins.conformance.subject import Subject


def weights_owned_once(subject: Subject) -> str:
    """None of the objective's own parameters is one of the encoder's or of a teacher's."""
    module, teachers = subject.with_teachers()
    owners: dict[str, nn.Module] = {"the encoder": module.encoder}
    owners |= {f"the teacher {name}": teacher for name, teacher in teachers.items()}
    theirs = {
        id(weight): owner for owner, network in owners.items() for weight in network.parameters()
    }
    own = 0
    for name, weight in module.objective.named_parameters(remove_duplicate=False):
        if id(weight) in theirs:
            raise Broken(f"objective.{name} is a weight of {theirs[id(weight)]}")
        own += weight.numel()
    return f"{own:,} of its own, none of {' or '.join(owners)}"


CHECKS = (
    Check(
        "weights are owned once",
        "a weight of another network held as the objective's own is stored twice in every "
        "checkpoint and counted among its heads",
        "hold what tie and learn_from hand over in a tuple, which is no child of a module: "
        "self._teacher = (teacher,)",
        weights_owned_once,
        by_mode=False,
    ),
)
