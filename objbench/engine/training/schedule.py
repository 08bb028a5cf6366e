r"""The schedule of a pretraining: its steps, their learning rates, and which models they finish.

A model is finished when its learning rate has reached the end of its schedule. With the
schedules "linear" and "constant" a pretraining is one leg of N steps that finishes one model;
encoders exported on the way are unfinished. With "trunk" it is a trunk at constant rate with a
branch for every export: after t steps of trunk the rate falls linearly to zero over c further
steps, the model is exported, and the trunk continues from where the branch left it::

    trunk  0 ------ t1 ------------ t2 ------------ t3
                      \ c1 -> F1       \ c2 -> F2      \ c3 -> F3 = N

with c = max(1, round(F * cooldown / (1 + cooldown))) and t = F - c, F the export's own number of
steps and halves rounded to the even number: c is ``cooldown * t`` but for rounding. Each
exported model is what a run of F steps would have given, and has cost what such a run costs
(Hoffmann et al. 2022 train each length from scratch; Hägele et al. 2024, arXiv:2405.18392, cool
down from one trunk). What the branches of all but the last model cost beyond that is the price of
measuring the curve, and is accounted separately.

Two things are shares of a budget, which the points of a trunk do not have in common:

- ``Batch.progress``, which mask-rate schedules follow, is 0 on the trunk and rises from 0 to 1 over
  each cooldown: the same for a point and for a run of its length. An objective that goes through
  phases by it (``contract.phases``) is refused on a trunk;
- the warm-up has one number of steps, a share of the whole budget, for every point that forks
  after it. A point that would fork within it is a branch from step 0: a run of its own length, with
  the warm-up of that length.

So a point is bit for bit a run of its length with the same steps of warm-up.
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
        branch: ends in a cooldown; its steps are undone at its end, unless it is the last leg.
    """

    start: int
    stop: int
    exports: tuple[int, ...] = ()
    branch: bool = False

    @property
    def is_own_run(self) -> bool:
        """Whether it is a whole run, of a point that shares nothing with the trunk."""
        return self.branch and self.start == 0


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
        cool = self._cooldown_start(here)
        at = min(step + 0.5, cool)
        warm = training.warmup * (here.stop if here.is_own_run else self.steps)
        factor = at / warm if at < warm else 1.0
        if step >= cool:
            factor *= (here.stop - step - 0.5) / (here.stop - cool)
        return training.learning_rate * factor

    def progress(self, leg: int, step: int) -> float:
        """The share of the budget spent at step number ``step``, as ``Batch.progress``."""
        here = self.legs[leg]
        if self.training.schedule != "trunk":
            # Steps that are only timed may go beyond the last.
            return min((step + 0.5) / self.steps, 1.0)
        cool = self._cooldown_start(here)
        return 0.0 if step < cool else (step + 0.5 - cool) / (here.stop - cool)

    def _cooldown_start(self, leg: Leg) -> int:
        """The step at which the cooldown of ``leg`` starts; its end if it has none."""
        return _fork(leg.stop, self.training) if leg.branch else leg.stop


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
        fork = _fork(finish, training)
        if fork < training.warmup * steps:
            fork = 0
        exported = (finish,) if finish in wanted else ()
        if fork > position:
            legs.append(Leg(position, fork))
        legs.append(Leg(fork, finish, exported, branch=True))
        position = fork
    return Route(tuple(legs), steps, training)


def _fork(finish: int, training: TrainingSection) -> int:
    """The step at which a model of ``finish`` steps leaves the trunk: F - c."""
    share = training.cooldown / (1 + training.cooldown)
    return finish - max(1, round(finish * share))


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
