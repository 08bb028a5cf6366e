"""Networks that `tie` and `learn_from` receive must not become modules of the objective."""

from __future__ import annotations

from torch import nn

from objbench.plugins.conformance.check import Broken, Check
from objbench.plugins.conformance.subject import Subject


def weights_owned_once(subject: Subject) -> str:
    """No parameter of the objective belongs to the encoder or to a teacher."""
    module, teachers = subject.with_teachers()
    owners: dict[str, nn.Module] = {"the encoder": module.encoder}
    owners |= {f"the teacher {name}": teacher for name, teacher in teachers.items()}
    theirs = {
        id(weight): owner for owner, network in owners.items() for weight in network.parameters()
    }
    own = 0
    for name, weight in module.objective.named_parameters(remove_duplicate=False):
        if id(weight) in theirs:
            raise Broken(f"objective.{name} is also a weight of {theirs[id(weight)]}")
        own += weight.numel()
    return f"{own:,} own parameters, none of {' or '.join(owners)}"


CHECKS = (
    Check(
        "weights are owned once",
        "a weight of another network that is a parameter of the objective too is stored twice in "
        "every checkpoint and counted as part of the heads",
        "keep what tie and learn_from receive in a tuple, which does not make it a submodule: "
        "self._teacher = (teacher,)",
        weights_owned_once,
        by_mode=False,
    ),
)
