"""The held-out loss: the same text and the same masks for every objective, seed and point.

Shape legend: K terms of the objective, N modes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from objbench.contract.batch import Batch
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams, stream_key
from objbench.contract.term import Term
from objbench.data.loader import Loader
from objbench.engine.training.job import PretrainJob
from objbench.errors import DataError
from objbench.results.heldout_loss_names import heldout_name

if TYPE_CHECKING:
    from objbench.engine.training.session import Session

HELDOUT_SEED = stream_key(0, "heldout")
"""Keys the masks of held-out text; independent of the pretraining seed."""


def require_heldout_text(job: PretrainJob, loader: Loader, objective: Objective) -> None:
    """Refuse held-out text that is too short before training, not at the first evaluation point.

    Raises:
        DataError: there is less of it than one sequence for each process, or a single sequence for
            a term that compares sequences.
    """
    rows = loader.heldout_rows(job.heldout, job.heldout_part)
    for term in objective.terms:
        if term.across_sequences and rows < 2:
            raise DataError(
                f"{job.heldout.name} is too short: it has a single sequence to score, and the term "
                f"{term.name!r} compares sequences, because {term.across_sequences}: use more text "
                "or shorter sequences"
            )


@torch.no_grad()
def heldout_losses(session: Session) -> dict[str, float]:
    """The mean of each term over the job's held-out batches, and "loss", their weighted sum.

    A term that has no items in any of them is left out; if another term arranges its text, its name
    says so.

    Evaluated without dropout. A batch is as large as in training and computed in as many parts, so
    that terms that compare sequences within a part mean the same here. Of less held-out text than a
    batch the parts are as large as in training or up to twice that, and of less than a part it is
    one, in which such terms find fewer sequences. An objective with several modes is
    measured on every batch in each of them, so that a rare mode is measured as well as the others:
    "loss" is then the mean over the modes weighted by their shares, as in training in expectation,
    and a term's mean is over the modes in which it has items.

    Raises:
        DataError: there is less held-out text than one sequence for each process.
    """
    modes = session.module.objective.modes
    sums = torch.zeros(len(modes), len(session.names), device=session.device)
    counts = torch.zeros_like(sums)
    with evaluating(session):
        for batch, streams in heldout_batches(session):
            for row, mode in enumerate(modes):
                for part in session.parts(replace(batch, mode=mode), streams()):
                    losses = session.module(part.batch, part.streams())
                    total, count = session.summed(*losses)
                    sums[row] += total
                    counts[row] += count
    means, loss = over_modes(sums, counts, list(modes.values()), session.weights)
    names = loss_names(session.module.objective)
    each = zip(names, means.tolist(), counts.any(dim=0).tolist(), strict=True)
    return {**{name: mean for name, mean, present in each if present}, "loss": float(loss)}


@contextmanager
def evaluating(session: Session) -> Iterator[None]:
    """Without dropout within the block, and ready to train after it."""
    session.module.eval()
    try:
        yield
    finally:
        session.module.train()


def heldout_batches(session: Session) -> Iterator[tuple[Batch, Callable[[], Streams]]]:
    """The job's held-out batches, each with what makes its random numbers, from their start.

    Yields this process's rows. The numbers depend on nothing but the batch's place and its size.

    Raises:
        DataError: there is less held-out text than one sequence for each process.
    """
    job = session.job
    batches = session.loader().heldout(job.heldout, job.heldout_batches, job.heldout_part)
    for number, batch in enumerate(batches):
        yield (
            batch,
            partial(
                Streams,
                HELDOUT_SEED,
                number,
                rows=batch.rows.total,
                first=batch.rows.first,
                count=len(batch.input_ids),
                device=session.device,
            ),
        )


def loss_names(objective: Objective) -> list[str]:
    """The name of each term's held-out loss."""
    terms = objective.terms
    arranging = [term.name for term in terms if type(term).arrange is not Term.arrange]
    return [heldout_name(term.name, arranging) for term in terms]


def over_modes(
    sums: Tensor, counts: Tensor, shares: list[float], weights: Tensor
) -> tuple[Tensor, Tensor]:
    """The terms' means and the loss of an objective, from the sums of each mode.

    Args:
        sums: (N, K) float32, of the terms' losses.
        counts: (N, K) float32, of their items.
        shares: of the N modes, adding up to 1.
        weights: (K,) float32, of the terms.

    Returns:
        (K,) means over the modes in which a term has items, 0 where there is none, and the ()
        loss, the mean of the weighted sums of all modes.
    """
    means = sums / counts.clamp(min=1)
    share = torch.tensor(shares, device=sums.device).unsqueeze(1)
    present = (share * (counts > 0)).sum(dim=0)
    whole = (share * means).sum(dim=0)
    return whole / torch.where(present > 0, present, 1.0), (whole * weights).sum()
