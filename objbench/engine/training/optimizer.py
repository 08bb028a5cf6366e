"""Optimizers by name.

Every group of parameters (see ``parameter_groups``) has its own weight decay, and its own factor of
the learning rate, which is kept in the optimizer's group as "rate".

"muon" orthogonalises the updates of the hidden matrices of the encoder (``product_matrices``:
weights of exactly two dimensions, no biases, no embeddings) and trains everything else, kernels of
convolutions included, by AdamW (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon). Its
updates are scaled to the size that AdamW's have (Liu et al. 2025, arXiv:2502.16982, equation 4), so that both parts share
one learning rate. torch's ``Muon`` knows no ``found_inf``, so the host reads the latch of
``guarded_update`` at every step. The matrix products of the orthogonalisation are no part of the
FLOPs of a step, which count forward and backward passes only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from objbench.engine.training.joined_optimizer import JoinedOptimizer
from objbench.engine.training.parameter_groups import parameter_groups, product_matrices
from objbench.study.settings import ParameterGroup, TrainingSection

Groups = Mapping[ParameterGroup, Sequence[nn.Parameter]]


@dataclass(frozen=True, slots=True)
class OptimizerBuilder:
    """How an optimizer of one name is built.

    Attributes:
        build: makes it from the module to train and the settings of the training. Every group of
            its ``param_groups`` has the factor of its learning rate as "rate".
        supports_found_inf: whether it skips a step where its ``found_inf`` is 1 and divides the
            gradients by its ``grad_scale``.
    """

    build: Callable[[nn.Module, TrainingSection], Optimizer]
    supports_found_inf: bool


def _adamw(module: nn.Module, training: TrainingSection) -> AdamW:
    """Fused AdamW for everything."""
    return _adamw_of(parameter_groups(module), training)


def _adamw_of(groups: Groups, training: TrainingSection) -> AdamW:
    options = training.optimizer
    return AdamW(
        _with_settings(groups, training),
        lr=training.learning_rate,
        betas=(options.beta1, options.beta2),
        eps=options.epsilon,
        fused=True,
    )


def _muon(module: nn.Module, training: TrainingSection) -> Optimizer:
    """Muon for the hidden matrices, fused AdamW for the rest."""
    options = training.optimizer
    hidden = product_matrices(module)
    taken = {id(parameter) for parameter in hidden}
    left = {
        name: [parameter for parameter in found if id(parameter) not in taken]
        for name, found in parameter_groups(module).items()
    }
    rest = {name: found for name, found in left.items() if found}
    if not hidden:
        return _adamw_of(rest, training)
    muon = Muon(
        _with_settings({"matrices": hidden}, training),
        lr=training.learning_rate,
        momentum=options.momentum,
        ns_steps=options.newton_schulz_steps,
        adjust_lr_fn="match_rms_adamw",
    )
    return JoinedOptimizer([muon, _adamw_of(rest, training)] if rest else [muon])


OPTIMIZERS: Mapping[str, OptimizerBuilder] = {
    "adamw": OptimizerBuilder(_adamw, supports_found_inf=True),
    "muon": OptimizerBuilder(_muon, supports_found_inf=False),
}
"""Name, as in ``[training.optimizer] name`` -> builder."""


def build_optimizer(module: nn.Module, training: TrainingSection) -> Optimizer:
    """The optimizer that the settings name, for the parameters of ``module`` that are trained."""
    return OPTIMIZERS[training.optimizer.name].build(module, training)


def _with_settings(groups: Groups, training: TrainingSection) -> list[dict[str, Any]]:
    """The groups as torch's optimizers take them, each with its own settings."""
    options = training.optimizer
    found: list[dict[str, Any]] = []
    for name, parameters in groups.items():
        own = options.of_group(name)
        group = {"params": list(parameters), "weight_decay": own.weight_decay, "rate": own.rate}
        found.append(group)
    return found
