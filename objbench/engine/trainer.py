"""Pretraining: the loop over steps, and what happens between them.

The loop itself only computes, steps and notes the loss on the device. The host looks at the device
at log points, exports and checkpoints; on a CPU, where looking is free, also after every step.
"""

from __future__ import annotations

import math
import time
from typing import Any

import torch

from objbench.engine.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from objbench.engine.clock import Stopwatch
from objbench.engine.export import export_encoder, remove_unfinished
from objbench.engine.heldout import heldout_losses
from objbench.engine.job import PretrainJob, PretrainOutcome, Report
from objbench.engine.logbook import Logbook
from objbench.engine.memory import PeakMemory
from objbench.engine.session import Session
from objbench.engine.snapshot import restore, same_step_everywhere, snapshot
from objbench.records import Cost, ExportedPoint, LoggedPoint, Meters


def pretrain(job: PretrainJob, report: Report) -> PretrainOutcome:
    """Pretrain ``job``, going on from its checkpoint if it has one.

    Args:
        job: what to train; under ``accelerate launch`` the same on every process.
        report: told of progress at log points, on the main process.

    Returns:
        The outcome; the checkpoint is left for the caller to remove once that is stored.

    Raises:
        ConfigError, DataError: the job does not fit.
        CheckpointError: its checkpoint is damaged or belongs to another cell.
    """
    with torch.random.fork_rng():
        return _Run(job, report).outcome()


class _Run:
    """One pretraining under way."""

    def __init__(self, job: PretrainJob, report: Report) -> None:
        self.job = job
        self.report = report
        # Before the model is built: a damaged checkpoint should not cost the wait.
        stored = read_checkpoint(job.checkpoints, job.key)
        self.session = Session(job)
        self.memory = PeakMemory(self.session.device)
        self.clock = Stopwatch(self.session.device)
        self.book = Logbook(job.training.log_every, len(self.session.names), self.session.device)
        self.step = 0
        self.log: list[LoggedPoint] = []
        self.points: list[ExportedPoint] = []
        self.peak = 0
        self.reason = ""
        self._looks_are_free = self.session.device.type == "cpu"
        if stored is not None:
            self._resume(stored)
        same_step_everywhere(self.session, self.step)
        if self.session.is_main:
            remove_unfinished(job.checkpoints)
            remove_unfinished(job.run / job.encoders)
        self._saved_at = time.monotonic()

    def outcome(self) -> PretrainOutcome:
        """Train to the end, or to a loss that is not finite."""
        exports = set(self.job.export_steps)
        self.clock.start()
        while self.step < self.job.steps and not self.reason:
            self._advance()
            self._look(at_export=self.step in exports)
            if self.reason:
                break
            if self.step in exports:
                self._export()
            self._save_if_due()
        self.clock.pause()
        self.session.accelerator.wait_for_everyone()
        cost = self._cost()
        self.session.close()
        return PretrainOutcome(
            status="diverged" if self.reason else "ok",
            reason=self.reason,
            cost=cost,
            log=self.log,
            points=self.points,
        )

    def _advance(self) -> None:
        session = self.session
        means = session.gradients(self.step)
        norm = session.update.apply(session.learning_rate(self.step))
        self.book.add(means, norm)
        self.step += 1

    # -- looking at the losses

    def _look(self, at_export: bool) -> None:
        """Log if it is time to, and find out whether a step was refused."""
        due = self.step % self.job.training.log_every == 0 or self.step == self.job.steps
        refused = self._looks_are_free and self.session.update.latched
        if due or refused or at_export:
            refused = self.session.update.latched
            if refused:
                self._diverged()
            elif due:
                self._log_point()

    def _log_point(self) -> None:
        """Close the log window: its mean becomes a point of the log."""
        window = self.book.window(self.step)
        self.book.keep(0)
        if len(window.terms) == 0:
            return
        means = window.terms.double().mean(dim=0)
        weights = self.session.weights.double().cpu()
        point = LoggedPoint(
            meters=self._meters(),
            loss=float((means * weights).sum()),
            terms=dict(zip(self.session.names, means.tolist(), strict=True)),
            learning_rate=self.session.learning_rate(self.step - 1),
        )
        self.log.append(point)
        if self.session.is_main:
            self.report(self.step, self.job.steps, self._progress(point))

    def _diverged(self) -> None:
        """Take back the steps that were refused, log what was finite before, and say why."""
        window = self.book.window(self.step)
        bad = window.first_refused(self.session.update.skips_overflow)
        self.step = window.last - len(window.terms) + bad
        self.reason = (
            f"{window.reason(bad, self.session.names)} of {self.job.steps}; "
            "the weights are as before it"
        )
        self.book.keep(bad)
        self._log_point()

    def _progress(self, point: LoggedPoint) -> str:
        spent = max(point.meters.seconds, 1e-9)
        left = (self.job.steps - self.step) * spent / max(self.step, 1)
        speed = point.meters.tokens / spent
        return f"loss {point.loss:.3f}, {speed:,.0f} tokens/s, {_duration(left)} left"

    def _meters(self) -> Meters:
        return Meters(
            steps=self.step,
            tokens=self.step * self.session.tokens_per_step,
            flops=self.step * self.session.flops_per_step,
            seconds=self.clock.read(),
        )

    def _cost(self) -> Cost:
        module, meters = self.session.module, self._meters()
        return Cost(
            encoder_parameters=sum(p.numel() for p in module.encoder.parameters()),
            head_parameters=sum(p.numel() for p in module.objective.parameters()),
            flops_per_step=self.session.flops_per_step,
            tokens_per_second=meters.tokens / max(meters.seconds, 1e-9),
            peak_memory=max(self.peak, self.memory.read()),
            memory_kind=self.memory.kind,
        )

    # -- exports and checkpoints, off the clock

    def _export(self) -> None:
        self.clock.pause()
        heldout = heldout_losses(self.session)
        bad = [term for term, value in heldout.items() if not math.isfinite(value)]
        if bad:
            self.reason = f"the held-out loss {bad[0]!r} was {heldout[bad[0]]} at step {self.step}"
            return
        name = f"{self.job.encoders}/step-{self.step}"
        share = self.step / self.job.steps
        self.points.append(
            ExportedPoint(meters=self._meters(), share=share, encoder=name, heldout=heldout)
        )
        if self.session.is_main:
            export_encoder(self.session.module.encoder, self.job.tokenizer, self.job.run / name)
        self.clock.start()

    def _save_if_due(self) -> None:
        """Store a checkpoint now and then; by the main process, the rest hold the same state."""
        every = self.job.training.checkpoint_every
        if not self.session.is_main or time.monotonic() - self._saved_at < every:
            return
        self.clock.pause()
        # What follows a refused step is not worth keeping; the next log point ends the run.
        if not self.session.update.latched:
            write_checkpoint(self.job.checkpoints, self.job.key, self._checkpoint())
        self._saved_at = time.monotonic()
        self.clock.start()

    def _checkpoint(self) -> Checkpoint:
        state: dict[str, Any] = {
            "seconds": self.clock.read(),
            "peak": max(self.peak, self.memory.read()),
            "log": [point.model_dump(mode="json") for point in self.log],
            "points": [point.model_dump(mode="json") for point in self.points],
        }
        return snapshot(self.session, self.book, self.step, state)

    def _resume(self, stored: Checkpoint) -> None:
        restore(self.session, self.book, stored)
        self.step = stored.step
        self.clock = Stopwatch(self.session.device, float(stored.state["seconds"]))
        self.peak = int(stored.state["peak"])
        self.log = [LoggedPoint.model_validate(point) for point in stored.state["log"]]
        self.points = [ExportedPoint.model_validate(point) for point in stored.state["points"]]


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds, such as 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
