"""The held-out loss: the same text and the same masks for every objective, seed and point."""

from __future__ import annotations

import torch

from objbench.engine.session import Session
from objbench.streams import Streams, stream_key

HELDOUT_SEED = stream_key(0, "heldout")
"""Keys the masks of held-out text; no function of the pretraining seed."""


@torch.no_grad()
def heldout_losses(session: Session) -> dict[str, float]:
    """The mean of each term over the job's held-out batches, and "loss", their weighted sum.

    Evaluated without dropout. A batch is as large as a training micro-batch, so that terms that
    compare sequences within a batch mean the same here.

    Raises:
        DataError: there is less held-out text than one sequence for each process.
    """
    job = session.job
    loader = session.loader(job.training.batch // job.training.micro_batches)
    sums = torch.zeros(len(session.names), device=session.device)
    counts = torch.zeros_like(sums)
    session.module.eval()
    try:
        for number, batch in enumerate(
            loader.heldout(job.heldout, job.heldout_batches, job.heldout_part)
        ):
            streams = Streams(
                HELDOUT_SEED,
                number,
                rows=batch.rows.total,
                first=batch.rows.first,
                count=len(batch.input_ids),
                device=session.device,
            )
            total, count = session.summed(*session.module(batch, streams))
            sums += total
            counts += count
    finally:
        session.module.train()
    means = sums / counts.clamp(min=1)
    losses = dict(zip(session.names, means.tolist(), strict=True))
    return {**losses, "loss": float((means * session.weights).sum())}
