"""What a run has spent so far: a clock that stands still off training, and the peak of its memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from objbench.engine.training.peak_memory import PeakMemory
from objbench.engine.training.session import Session
from objbench.engine.training.stopwatch import Stopwatch
from objbench.results.phase_costs import spent_flops
from objbench.results.records import Cost
from objbench.results.training_points import Meters


class Spending:
    """Steps, tokens, FLOPs and seconds of the model that is being trained.

    Args:
        session: the run's.

    Attributes:
        clock: runs during training only.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._memory = PeakMemory(session.device)
        self._branch_seconds = 0.0
        self._peak = 0
        self.clock = Stopwatch(session.device)

    def meters(self, step: int, seconds: float | None = None) -> Meters:
        """What the model of ``step`` steps has cost, without branches that it does not contain.

        FLOPs of an objective in phases are summed by phase, so that the points of both are true.

        Args:
            step: optimizer steps of the model.
            seconds: as the clock was just read; reading it waits for the device.
        """
        read = self.clock.read() if seconds is None else seconds
        return Meters(
            steps=step,
            tokens=step * self._session.tokens_per_step,
            flops=spent_flops(
                step, self._session.job.steps, self._session.flops_per_step, self._session.phases
            ),
            seconds=read - self._branch_seconds,
        )

    def undo_since(self, seconds: float) -> None:
        """Count what the clock has added since ``seconds`` to branches whose steps are undone."""
        self._branch_seconds += self.clock.read() - seconds

    def cost(self, step: int, branch_steps: int) -> Cost:
        """What pretraining costs.

        Args:
            step: optimizer steps of the last model.
            branch_steps: steps that are in no later model.
        """
        module, meters = self._session.module, self.meters(step)
        return Cost(
            encoder_parameters=sum(p.numel() for p in module.encoder.parameters()),
            head_parameters=sum(p.numel() for p in module.objective.parameters()),
            flops_per_step=self._session.flops_per_step,
            phases=self._session.phases,
            tokens_per_second=meters.tokens / max(meters.seconds, 1e-9),
            peak_memory=self._peak_so_far,
            memory_kind=self._memory.kind,
            branch_steps=branch_steps,
            branch_seconds=self._branch_seconds,
            compiled=self._session.compiled,
        )

    @property
    def _peak_so_far(self) -> int:
        return max(self._peak, self._memory.read())

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "branch_seconds": self._branch_seconds,
            "seconds": self.clock.read(),
            "peak": self._peak_so_far,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state()``."""
        self._branch_seconds = float(state["branch_seconds"])
        self._peak = int(state["peak"])
        self.clock = Stopwatch(self._session.device, float(state["seconds"]))
