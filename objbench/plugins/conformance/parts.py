"""A batch in parts must have the loss and gradient of the whole batch, or the term says why not.

Shape legend: K terms of the objective.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from objbench.engine.global_generators import forked_generators
from objbench.engine.training.parts import counts_of, deal
from objbench.engine.training.session import Session
from objbench.plugins.conformance.check import Broken, Check, NotChecked
from objbench.plugins.conformance.subject import (
    Subject,
    gradients,
    losses,
    relative_difference,
    silence,
)

PARTS = 2

_LOSS = 1e-5
_GRADIENT = 1e-3


@dataclass(frozen=True, slots=True)
class _Step:
    """The first step of the job.

    Attributes:
        means: (K,) float32, the terms' means over the batch.
        present: (K,) float32, 1 where a term has any items.
        gradients: those of all terms that do not compare sequences.
    """

    means: Tensor
    present: Tensor
    gradients: dict[str, Tensor]


def one_and_several(subject: Subject) -> str:
    """The terms' counts, means and gradients of one step, from a whole batch and from parts."""
    if subject.job.training.batch % PARTS:
        raise NotChecked(f"the batch cannot be cut into {PARTS} parts of one size")
    _require_counts(subject)
    terms = subject.step().objective.terms
    reasons = {term.name: term.across_sequences for term in terms if term.across_sequences}
    _require_declared(subject, reasons)
    whole, cut = (_step_of(subject, parts) for parts in (1, PARTS))
    for index, term in enumerate(terms):
        one, other = whole.means[index], cut.means[index]
        same = torch.allclose(one, other, rtol=_LOSS, atol=_LOSS)
        if not same and term.name not in reasons:
            raise Broken(
                f"the mean of {term.name!r} is {float(one):.6g}, but {float(other):.6g} from "
                f"{PARTS} parts"
            )
        if same and term.name in reasons and bool(whole.present[index]):
            raise Broken(
                f"{term.name!r} declares `across_sequences`, but its mean is {float(one):.6g} "
                f"from a whole batch and from {PARTS} parts: remove it"
            )
    difference = relative_difference(whole.gradients, cut.gradients)
    if difference > _GRADIENT:
        raise Broken(f"the losses are equal, but the gradients differ by {difference:.1%}")
    within = "".join(f"; {name} within a part: {why}" for name, why in reasons.items())
    return f"{PARTS} parts, gradients {difference:.0e}{within}"


def _require_counts(subject: Subject) -> None:
    """What is counted before the pass is what the pass counts."""
    module, batch = subject.step(), subject.batch()
    (part,) = deal(module, batch, subject.streams(batch), 1)
    before = counts_of(module, part).tolist()
    with torch.no_grad():
        after = losses(module, batch, subject.streams(batch)).counts.tolist()
    for term, one, other in zip(module.objective.terms, before, after, strict=True):
        if one != other:
            raise Broken(
                f"`count_items` of {term.name!r} returns {one:g}, but `forward` counts {other:g}"
            )


def _require_declared(subject: Subject, reasons: dict[str, str]) -> None:
    """The class says it too, since plans and pages are made without building the objective."""
    if bool(subject.job.objective.across_sequences) != bool(reasons):
        raise Broken(
            f"`across_sequences` of the class is {subject.job.objective.across_sequences!r}, and "
            f"those of its terms are {reasons}: declare both or neither"
        )


def _step_of(subject: Subject, parts: int) -> _Step:
    job, mode = subject.job, subject.mode
    training = job.training.model_copy(update={"micro_batches": parts})
    with forked_generators(job.device):
        session = Session(replace(job, training=training))
        silence(session.module)
        for index, term in enumerate(session.module.objective.terms):
            if term.across_sequences:
                session.weights[index] = 0.0
        means, present = session.gradients(0, mode)
        found = _Step(means, present, gradients(session.module))
        session.close()
    return found


CHECKS = (
    Check(
        "a batch in parts agrees",
        "with --micro-batches a batch is computed in parts to save memory: a loss that changes "
        "with their number is another objective, and the leaderboard would not say so",
        "return sums and counts; move text between sequences in `arrange`, which sees the whole "
        "batch; if a term compares the states of different sequences, say why in its and the "
        "objective's `across_sequences`",
        one_and_several,
    ),
)
