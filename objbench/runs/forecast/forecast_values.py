"""What a forecast is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """All pretrainings of one objective that are to be run, or all its trials.

    Attributes:
        objective: its name.
        runs: their number.
        steps: optimizer steps of the budget, of each.
        route_steps: with those of cooldown branches.
        flops, tokens: of one step.
        seconds: of one step; None where they are not known.
        exports: encoders that each exports.
        heldout_batches: scored at each export.
        exported_parameters: of an exported encoder, its token head included.
        trained_parameters: of encoder and objective.
        is_trial: whether they try settings.
    """

    objective: str
    runs: int
    steps: int
    route_steps: int
    flops: float
    tokens: float
    seconds: float | None
    exports: int
    heldout_batches: int
    exported_parameters: int = 0
    trained_parameters: int = 0
    is_trial: bool = False

    @property
    def each(self) -> float | None:
        """Seconds of one of them, exports included.

        A held-out batch is read three times at an export, by the objective's own loss and twice by the
        common one: as much as a forward and a backward pass.
        """
        if self.seconds is None:
            return None
        return self.seconds * (self.route_steps + self.exports * self.heldout_batches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluations:
    """All evaluations of one task that are to be run.

    Attributes:
        suite, task: what is evaluated.
        cells: their number.
        seconds: of one; None where the suite does not say what it does.
    """

    suite: str
    task: str
    cells: int
    seconds: float | None
