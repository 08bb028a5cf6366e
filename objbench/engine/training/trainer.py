"""Pretraining: the loop over the legs of a schedule and their steps, with logs and exports.

The loop itself only computes, steps and keeps the loss on the device. The host reads from the
device at log points, exports and checkpoints; on a CPU, where reading is free, after every step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from objbench.engine.encoder.export import export_encoder
from objbench.engine.global_generators import forked_generators
from objbench.engine.training.checkpoint_files import (
    Checkpoint,
    read_checkpoint,
    remove_unfinished_steps,
    write_checkpoint,
)
from objbench.engine.training.checkpoint_state import (
    combined,
    held_back,
    restore,
    same_step_everywhere,
    snapshot,
)
from objbench.engine.training.common_loss import common_loss
from objbench.engine.training.heldout_loss import heldout_losses
from objbench.engine.training.interruption import interrupts_between_steps
from objbench.engine.training.job import PretrainJob, PretrainOutcome, Report
from objbench.engine.training.loss_log import Logbook
from objbench.engine.training.peak_memory import PeakMemory
from objbench.engine.training.plateau import warn_if_stuck
from objbench.engine.training.schedule import plan_route
from objbench.engine.training.session import Session
from objbench.engine.training.stopwatch import Stopwatch
from objbench.results.records import Cost, ExportedPoint, LoggedPoint, Meters


def pretrain(job: PretrainJob, report: Report) -> PretrainOutcome:
    """Pretrain ``job``, continuing from its checkpoint if it has one.

    Args:
        job: what to train; under ``accelerate launch`` the same on every process.
        report: called with the progress at log points, on the main process.

    Returns:
        The outcome; the caller removes the checkpoint once the outcome is stored.

    Raises:
        ConfigError, DataError: the job does not fit.
        CheckpointError: its checkpoint is damaged or belongs to another cell.
    """
    with forked_generators(job.device):
        return _Run(job, report).outcome()


class _Run:
    """One pretraining in progress."""

    def __init__(self, job: PretrainJob, report: Report) -> None:
        self.job = job
        self.report = report
        # Read before the model is built, so that a damaged checkpoint is reported at once.
        stored = read_checkpoint(job.checkpoints, job.key)
        self.session = Session(job)
        self.route = plan_route(job.steps, job.export_steps, job.training)
        self.memory = PeakMemory(self.session.device)
        self.clock = Stopwatch(self.session.device)
        self.book = Logbook(job.training.log_every, len(self.session.names), self.session.device)
        # The position: the leg, and the steps that the current model has taken.
        self.leg = 0
        self.step = 0
        self.session.progress_at = lambda step: self.route.progress(self.leg, step)
        # The trunk where the current branch left it.
        self.fork: Checkpoint | None = None
        self.branch_seconds = 0.0
        self.log: list[LoggedPoint] = []
        self.points: list[ExportedPoint] = []
        self.peak = 0
        self.reason = ""
        self._looks_are_free = self.session.device.type == "cpu"
        if stored is not None:
            self._resume(stored)
        same_step_everywhere(self.session, self.done)
        if self.session.is_main:
            remove_unfinished_steps(job.checkpoints)
            remove_unfinished_steps(job.run / job.encoders)
        self._saved_at = time.monotonic()
        self._interrupted: Callable[[], bool] = lambda: False

    @property
    def done(self) -> int:
        """Steps taken on the route so far."""
        return self.route.done(self.leg, self.step)

    @property
    def is_side_branch(self) -> bool:
        """Whether the current steps will be undone."""
        return self.route.legs[self.leg].branch and self.leg + 1 < len(self.route.legs)

    def outcome(self) -> PretrainOutcome:
        """Train to the end, or to a loss that is not finite."""
        self.clock.start()
        with interrupts_between_steps(self.session.processes == 1) as self._interrupted:
            while not self.reason:
                self._finish_leg()
                if self.reason or self.leg + 1 == len(self.route.legs):
                    break
                self._next_leg()
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

    def _finish_leg(self) -> None:
        leg = self.route.legs[self.leg]
        if self.is_side_branch and self.fork is None:
            self._fork()
        while self.step < leg.stop:
            self._advance()
            exports = self.step in leg.exports
            self._look(at_export=exports)
            if self.reason:
                return
            if exports:
                self._export()
                if self.reason:
                    return
            self._save_if_due()
            if self._interrupted():
                raise KeyboardInterrupt

    def _next_leg(self) -> None:
        """Continue with the next leg; after a branch, from where it left the trunk."""
        if self.fork is not None:
            self.clock.pause()
            restore(self.session, self.book, self.fork)
            self.step = self.fork.step
            self.branch_seconds += self.clock.read() - float(self.fork.state["seconds"])
            self.fork = None
            self.clock.start()
        self.leg += 1

    def _fork(self) -> None:
        """Keep the trunk's state, to continue from it when the branch is done."""
        self.clock.pause()
        state = {"seconds": self.clock.read()}
        self.fork = held_back(snapshot(self.session, self.book, self.step, state))
        self.book.keep(0)
        self.clock.start()

    def _advance(self) -> None:
        session = self.session
        terms = session.gradients(self.step)
        norm = session.update.apply(self.route.learning_rate(self.leg, self.step))
        self.book.add(terms, norm)
        self.step += 1

    # -- looking at the losses

    def _look(self, at_export: bool) -> None:
        """Log if it is due, and find out whether a step was refused."""
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
        point = LoggedPoint(
            meters=self._meters(),
            loss=window.loss(self.session.weights),
            terms=window.means(self.session.names),
            learning_rate=self.route.learning_rate(self.leg, self.step - 1),
        )
        # The log is of one model, from its first step to its last.
        if not self.is_side_branch:
            self.log.append(point)
        if self.session.is_main:
            self.report(self.done, self.route.total, self._progress(point))

    def _diverged(self) -> None:
        """Undo the refused steps, log what was finite before, and record the reason."""
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
        spent = max(self.clock.read(), 1e-9)
        left = (self.route.total - self.done) * spent / max(self.done, 1)
        speed = point.meters.tokens / max(point.meters.seconds, 1e-9)
        return f"loss {point.loss:.3f}, {speed:,.0f} tokens/s, {_duration(left)} left"

    def _meters(self) -> Meters:
        return Meters(
            steps=self.step,
            tokens=self.step * self.session.tokens_per_step,
            flops=self.step * self.session.flops_per_step,
            seconds=self.clock.read() - self.branch_seconds,
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
            branch_steps=self.route.extra(self.leg),
            branch_seconds=self.branch_seconds,
            compiled=self.session.compiled,
        )

    # -- exports and checkpoints, off the clock

    def _export(self) -> None:
        self.clock.pause()
        heldout = heldout_losses(self.session)
        bad = [term for term, value in heldout.items() if not math.isfinite(value)]
        if bad:
            self.reason = f"the held-out loss {bad[0]!r} was {heldout[bad[0]]} at step {self.step}"
            return
        try:
            common = common_loss(self.session)
        except FloatingPointError as error:
            self.reason = f"{error}, at step {self.step}"
            return
        name = f"{self.job.encoders}/step-{self.step}"
        share = self.step / self.job.steps
        digest = ""  # Only the main process writes, and only its points are stored.
        if self.session.is_main:
            module = self.session.module
            folder = self.job.run / name
            digest = export_encoder(module.encoder, self.job.tokenizer, folder, module.objective)
        self.points.append(
            ExportedPoint(
                meters=self._meters(),
                share=share,
                encoder=name,
                heldout=heldout,
                digest=digest,
                common=common,
            )
        )
        if self.session.is_main:
            warn_if_stuck(self.job, self.points[-1])
        self.clock.start()

    def _save_if_due(self) -> None:
        """Store a checkpoint if one is due; only the main process writes, all hold the same state."""
        every = self.job.training.checkpoint_every
        due = time.monotonic() - self._saved_at >= every or self._interrupted()
        if not self.session.is_main or not due:
            return
        self.clock.pause()
        # Nothing after a refused step is worth keeping; the next log point ends the run.
        if not self.session.update.latched:
            write_checkpoint(self.job.checkpoints, self.job.key, self._checkpoint())
        self._saved_at = time.monotonic()
        self.clock.start()

    def _checkpoint(self) -> Checkpoint:
        state: dict[str, Any] = {
            "leg": self.leg,
            "model_step": self.step,
            "branch_seconds": self.branch_seconds,
            "seconds": self.clock.read(),
            "peak": max(self.peak, self.memory.read()),
            "log": [point.model_dump(mode="json") for point in self.log],
            "points": [point.model_dump(mode="json") for point in self.points],
        }
        return combined(snapshot(self.session, self.book, self.done, state), self.fork)

    def _resume(self, stored: Checkpoint) -> None:
        self.fork = restore(self.session, self.book, stored)
        self.leg = int(stored.state["leg"])
        self.step = int(stored.state["model_step"])
        self.branch_seconds = float(stored.state["branch_seconds"])
        self.clock = Stopwatch(self.session.device, float(stored.state["seconds"]))
        self.peak = int(stored.state["peak"])
        self.log = [LoggedPoint.model_validate(point) for point in stored.state["log"]]
        self.points = [ExportedPoint.model_validate(point) for point in stored.state["points"]]


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds, such as 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
