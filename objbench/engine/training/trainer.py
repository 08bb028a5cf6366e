"""Pretraining: the loop over the legs of a schedule and their steps, with logs and exports.

The loop itself only computes, steps and keeps the loss on the device. The host reads from the
device at log points, exports and checkpoints; on a CPU, where reading is free, after every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from objbench.engine.global_generators import forked_generators
from objbench.engine.training.checkpoint_files import (
    Checkpoint,
    read_checkpoint,
    remove_unfinished_steps,
)
from objbench.engine.training.checkpoint_state import (
    combined,
    held_back,
    restore,
    same_step_everywhere,
    snapshot,
)
from objbench.engine.training.checkpoint_writer import CheckpointWriter
from objbench.engine.training.exported_points import export_point
from objbench.engine.training.interruption import interrupts_between_steps
from objbench.engine.training.job import LineLog, PretrainJob, PretrainOutcome, Report
from objbench.engine.training.kept_points import kept_steps
from objbench.engine.training.loss_log import Logbook
from objbench.engine.training.plateau import warn_if_stuck
from objbench.engine.training.reported_progress import ReportedProgress
from objbench.engine.training.schedule import plan_route
from objbench.engine.training.session import Session
from objbench.engine.training.spending import Spending
from objbench.engine.training.stored_log import logged_points, with_log
from objbench.results.records import Cost
from objbench.results.training_points import ExportedPoint, LoggedPoint


def pretrain(job: PretrainJob, report: Report, log: LineLog | None = None) -> PretrainOutcome:
    """Pretrain ``job``, continuing from its checkpoint if it has one.

    Args:
        job: what to train; under ``accelerate launch`` the same on every process.
        report: called with the progress at log points, on the main process.
        log: receives a line for each log and evaluation point, on the main process.

    Returns:
        The outcome; the caller removes the checkpoint once the outcome is stored.

    Raises:
        ConfigError, DataError: the job does not fit.
        CheckpointError: its checkpoint is damaged or belongs to another cell.
    """
    with forked_generators(job.device):
        return _Run(job, report, log).outcome()


class _Run:
    """One pretraining in progress."""

    def __init__(self, job: PretrainJob, report: Report, log: LineLog | None = None) -> None:
        self.job = job
        # Read before the model is built, so that a damaged checkpoint is reported at once.
        stored = read_checkpoint(job.checkpoints, job.key)
        self.session = Session(job)
        self.route = plan_route(job.steps, job.export_steps, job.training)
        self.spending = Spending(self.session)
        self.progress = ReportedProgress(self.session, self.route.total, report, log)
        self.book = Logbook(job.training.log_every, len(self.session.names), self.session.device)
        # The position: the leg, and the steps that the current model has taken.
        self.leg = 0
        self.step = 0
        self.session.progress_at = lambda step: self.route.progress(self.leg, step)
        # The trunk where the current branch left it.
        self.fork: Checkpoint | None = None
        self.log: list[LoggedPoint] = []
        self._kept = kept_steps(job.steps, job.training.log_every, job.export_steps)
        self.points: list[ExportedPoint] = []
        self.reason = ""
        self._looks_are_free = self.session.device.type == "cpu"
        if stored is not None:
            self._resume(stored)
        self.clock = self.spending.clock
        same_step_everywhere(self.session, self.done)
        if self.session.is_main:
            remove_unfinished_steps(job.checkpoints)
            remove_unfinished_steps(job.run / job.encoders)
        self.progress.begin(self.done, self.clock.read())
        # Only the main process writes; all hold the same state.
        every = job.training.checkpoint_every if self.session.is_main else math.inf
        found = None if stored is None else stored.step
        self.writer = CheckpointWriter(job.checkpoints, job.key, every, found, self.progress.sync)
        self._interrupted: Callable[[], int] = lambda: 0

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
        alone = self.session.processes == 1
        with interrupts_between_steps(alone) as self._interrupted, self.writer:
            while not self.reason:
                self._finish_leg()
                if self.reason or self.leg + 1 == len(self.route.legs):
                    break
                self._next_leg()
        self.clock.pause()
        self.session.accelerator.wait_for_everyone()
        cost = self._cost()
        reached = self.spending.meters(self.step) if self.reason else None
        self.session.close()
        return PretrainOutcome(
            status="diverged" if self.reason else "ok",
            reason=self.reason,
            cost=cost,
            reached=reached,
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
            self.spending.undo_since(float(self.fork.state["seconds"]))
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
        seconds = self.clock.read()
        point = LoggedPoint(
            meters=self.spending.meters(self.step, seconds),
            loss=window.loss(self.session.weights),
            terms=window.means(self.session.names),
            learning_rate=self.route.learning_rate(self.leg, self.step - 1),
        )
        # The log is of one model, from its first step to its last.
        if not self.is_side_branch and (self.step in self._kept or self.reason):
            self.log.append(point)
        self.progress.trained(point, window.norm(), self.done, seconds, self.is_side_branch)

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

    def _cost(self) -> Cost:
        return self.spending.cost(self.step, self.route.extra(self.leg))

    # -- exports and checkpoints, off the clock

    def _export(self) -> None:
        self.clock.pause()
        try:
            point = export_point(self.job, self.session, self.spending.meters(self.step))
        except FloatingPointError as error:
            self.reason = str(error)
            return
        self.points.append(point)
        self.progress.evaluated(point, self.done)
        if self.session.is_main:
            warn_if_stuck(self.job, self.points)
        self.clock.start()

    def _save_if_due(self) -> None:
        """Begin to store a checkpoint if one is due; after an interrupt, have it stored."""
        interrupted = self._interrupted()
        self.writer.check()
        if not (self.writer.is_due or interrupted):
            return
        self.clock.pause()
        # Nothing after a refused step is worth keeping; the next log point ends the run.
        if not self.session.update.latched:
            points = tuple(self.points)
            write = self.writer.write_last if interrupted else self.writer.write
            write(self._checkpoint, lambda path: self.job.kept(path, points))
        self.clock.start()

    def _checkpoint(self) -> Checkpoint:
        state: dict[str, Any] = {
            "leg": self.leg,
            "model_step": self.step,
            **self.spending.state(),
            "points": [point.model_dump(mode="json") for point in self.points],
        }
        taken = held_back(snapshot(self.session, self.book, self.done, state))
        return combined(with_log(taken, self.log, self.session.names), self.fork)

    def _resume(self, stored: Checkpoint) -> None:
        self.fork = restore(self.session, self.book, stored)
        self.leg = int(stored.state["leg"])
        self.step = int(stored.state["model_step"])
        self.spending.restore(stored.state)
        log = logged_points(stored, self.session.names)
        # A checkpoint of an earlier version has all points.
        self.log = [point for point in log if point.meters.steps in self._kept]
        self.points = [ExportedPoint.model_validate(point) for point in stored.state["points"]]
