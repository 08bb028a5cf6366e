"""What a run tells while it lasts: a few words for the display, and lines for its log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from objbench.engine.training.job import LineLog, Report
from objbench.engine.training.session import Session
from objbench.results.training_log import EvaluationLine, TrainingLine
from objbench.results.training_points import ExportedPoint, LoggedPoint


class ReportedProgress:
    """Reports the points of a run, on the main process; on others it does nothing.

    It reads no clock of the device and no tensor: all that it is given has been fetched.

    Args:
        session: the run's.
        total: steps of its route.
        report: shows a few words.
        log: receives the lines; None for none.
    """

    def __init__(self, session: Session, total: int, report: Report, log: LineLog | None) -> None:
        self._is_main = session.is_main
        self._tokens_per_step = session.tokens_per_step
        self._total = total
        self._report = report
        self._log = log if session.is_main else None
        # Steps done and seconds on the clock at the last log point.
        self._last = (0, 0.0)

    def begin(self, done: int, seconds: float) -> None:
        """The run begins, or continues after ``done`` steps that took ``seconds``."""
        self._last = (done, seconds)
        if self._log is not None:
            self._log.begin(done, self._total)

    def trained(
        self, point: LoggedPoint, norm: float | None, done: int, seconds: float, branch: bool
    ) -> None:
        """Report a log point.

        Args:
            point: the point.
            norm: mean gradient norm of its steps.
            done: steps taken on the route.
            seconds: on the clock.
            branch: whether the steps will be undone.
        """
        if not self._is_main:
            return
        meters = point.meters
        left = (self._total - done) * seconds / max(done, 1)
        speed = meters.tokens / max(meters.seconds, 1e-9)
        words = f"loss {point.loss:.3f}, {speed:,.0f} tokens/s, {clock_time(left)} left"
        self._report(done, self._total, words)
        steps, spent = done - self._last[0], seconds - self._last[1]
        self._last = (done, seconds)
        if self._log is not None:
            self._log.add(
                TrainingLine(
                    **self._position(point, done),
                    branch=branch,
                    loss=point.loss,
                    terms=point.terms,
                    gradient_norm=norm,
                    learning_rate=point.learning_rate,
                    tokens_per_second=max(steps, 0) * self._tokens_per_step / max(spent, 1e-9),
                )
            )

    def evaluated(self, point: ExportedPoint, done: int) -> None:
        """Report an evaluation point after ``done`` steps on the route."""
        if self._log is not None:
            common = point.common
            self._log.add(
                EvaluationLine(
                    **self._position(point, done),
                    share=point.share,
                    heldout=point.heldout,
                    common_loss=None if common is None else common.loss,
                    order_gain=None if common is None else common.order_gain,
                )
            )

    def sync(self) -> None:
        """A checkpoint is about to be kept: the log must not have less than it."""
        if self._log is not None:
            self._log.sync()

    def _position(self, point: LoggedPoint | ExportedPoint, done: int) -> dict[str, Any]:
        meters = point.meters
        return {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "done": done,
            "total": self._total,
            "step": meters.steps,
            "tokens": meters.tokens,
            "flops": meters.flops,
            "seconds": meters.seconds,
        }


def clock_time(seconds: float) -> str:
    """Hours, minutes and seconds, such as 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
