"""An evaluation point: the encoder is scored on held-out text and exported."""

from __future__ import annotations

import math

from objbench.engine.encoder.export import export_encoder
from objbench.engine.training.common_loss import common_loss
from objbench.engine.training.heldout_loss import heldout_losses
from objbench.engine.training.job import PretrainJob
from objbench.engine.training.session import Session
from objbench.results.training_points import ExportedPoint, Meters


def export_point(job: PretrainJob, session: Session, meters: Meters) -> ExportedPoint:
    """Score and export the session's encoder; every process scores, the main one writes.

    Args:
        job: the session's.
        session: as training left it.
        meters: what the model has cost.

    Raises:
        FloatingPointError: a held-out loss is not finite.
    """
    step = meters.steps
    heldout = heldout_losses(session)
    for term, value in heldout.items():
        if not math.isfinite(value):
            raise FloatingPointError(f"the held-out loss {term!r} was {value} at step {step}")
    try:
        common = common_loss(session)
    except FloatingPointError as error:
        raise FloatingPointError(f"{error}, at step {step}") from error
    name = f"{job.encoders}/step-{step}"
    digest = ""  # Only the main process writes, and only its points are stored.
    if session.is_main:
        module = session.module
        folder = job.run / name
        digest = export_encoder(module.encoder, job.tokenizer, folder, module.objective)
    return ExportedPoint(
        meters=meters,
        share=step / job.steps,
        encoder=name,
        heldout=heldout,
        digest=digest,
        common=common,
    )
