r"""The schedule of a pretraining: its steps, their learning rates, and which models they finish.

A model is finished when its learning rate has reached the end of its schedule. With the
schedules "linear" and "constant" a pretraining is one leg of N steps that finishes one model;
encoders exported on the way are unfinished. With "trunk" it is a trunk at constant rate with a
branch for every export: after t steps of trunk the rate falls linearly to zero over c further
steps, the model is exported, and the trunk continues from where the branch left it::

    trunk  0 ------ t1 ------------ t2 ------------ t3
                      \ c1 -> F1       \ c2 -> F2      \ c3 -> F3 = N

with c = round(cooldown * t) and t + c = F, the export's own number of steps: each exported model
is what a run of F steps would have given, and has cost what such a run costs (Hoffmann et al.
2022 train each length from scratch; Hägele et al. 2024, arXiv:2405.18392, cool down from one
trunk). What the branches of all but the last model cost beyond that is the price of measuring the
curve, and is accounted separately.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from objbench.study.settings import TrainingSection


@dataclass(frozen=True, slots=True)
class Leg:
    """Consecutive steps of one model.

    Attributes:
        start, stop: numbers of the first step, and of the one after the last.
        exports: numbers of steps, in (start, stop], after which the model is exported.
        branch: a cooldown; its steps are undone at its end, unless it is the last leg.
    """

    start: int
    stop: int
    exports: tuple[int, ...] = ()
    branch: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """The legs of a pretraining, in order.

    Attributes:
        legs: at least one.
        steps: N, the steps of the last model.
        training: the schedule's settings.
    """

    legs: tuple[Leg, ...]
    steps: int
    training: TrainingSection

    @property
    def total(self) -> int:
        """Steps taken on the whole route, branches included."""
        return sum(leg.stop - leg.start for leg in self.legs)

    def done(self, leg: int, step: int) -> int:
        """Steps taken on the route when leg number ``leg`` has reached ``step``."""
        before = sum(each.stop - each.start for each in self.legs[:leg])
        return before + step - self.legs[leg].start

    def extra(self, leg: int) -> int:
        """Steps of branches that ended before leg number ``leg``, which no later model contains."""
        return sum(each.stop - each.start for each in self.legs[:leg] if each.branch)

    def learning_rate(self, leg: int, step: int) -> float:
        """The rate of step number ``step``, from 0: taken at the middle of the step."""
        training = self.training
        here = self.legs[leg]
        if training.schedule != "trunk":
            factor = learning_rate_factor(
                (step + 0.5) / self.steps, training.schedule, training.warmup, training.decay
            )
            return training.learning_rate * factor
        at = here.start if here.branch else step + 0.5
        warm = training.warmup * self.steps
        factor = at / warm if at < warm else 1.0
        if here.branch:
            factor *= (here.stop - step - 0.5) / (here.stop - here.start)
        return training.learning_rate * factor


def plan_route(steps: int, exports: Sequence[int], training: TrainingSection) -> Route:
    """The route of ``steps`` steps that exports after each of ``exports``.

    Args:
        steps: N.
        exports: increasing numbers of steps, at most N.
        training: the schedule and its settings.
    """
    wanted = tuple(exports)
    if training.schedule != "trunk":
        return Route((Leg(0, steps, wanted),), steps, training)
    legs: list[Leg] = []
    position = 0
    # The last model is finished even if its encoder is not exported.
    for finish in sorted({*wanted, steps}):
        share = training.cooldown / (1 + training.cooldown)
        fork = max(position, finish - round(finish * share))
        exported = (finish,) if finish in wanted else ()
        if fork > position:
            legs.append(Leg(position, fork, exported if fork == finish else ()))
        if finish > fork:
            legs.append(Leg(fork, finish, exported, branch=True))
        position = fork
    return Route(tuple(legs), steps, training)


Schedule = Literal["linear", "constant"]


def learning_rate_factor(share: float, schedule: Schedule, warmup: float, decay: float) -> float:
    """The learning rate as a factor of its peak, a pure function of the share of budget spent.

    Linear from 0 to 1 over ``warmup``; then "linear" falls to 0 at share 1, and "constant" stays
    at 1 and falls linearly to 0 over the last ``decay``.

    Args:
        share: in [0, 1]; of step k of n the engine passes (k + 0.5) / n, its middle.
    """
    if share < warmup:
        return share / warmup
    if schedule == "linear":
        return max(0.0, (1.0 - share) / (1.0 - warmup))
    return 1.0 if decay == 0 else min(1.0, max(0.0, (1.0 - share) / decay))
