"""The losses of terms must be finite scalars with distinct names that add up to the loss.

Shape legend: K terms of the objective.
"""

from __future__ import annotations

import math

import torch

from objbench.contract.term import TermLoss
from objbench.plugins.conformance.check import Broken, Check
from objbench.plugins.conformance.subject import Subject, losses

_EXACT = 1e-5
"""Relative difference that rounding may cause between two computations of one sum."""


def finite_scalars(subject: Subject) -> str:
    """The total and count of every term are finite () tensors; the count is a constant from 0 on."""
    module, batch = subject.step(), subject.batch()
    streams = subject.streams(batch)
    encoder_pass = module.with_logits(module.encode(module.corrupt(batch, streams)))
    seen = []
    for term in module.objective.terms:
        loss = term(encoder_pass, streams)
        _require_scalars(term.name, loss)
        seen.append(f"{term.name} {_mean(loss):.4g} over {loss.count.item():g}")
    return ", ".join(seen)


def _require_scalars(name: str, loss: object) -> None:
    if not isinstance(loss, TermLoss):
        raise Broken(f"the term {name!r} returns {type(loss).__name__}, not a TermLoss")
    for what in ("total", "count"):
        value = getattr(loss, what)
        if not torch.is_tensor(value) or value.shape != ():
            shape = tuple(value.shape) if torch.is_tensor(value) else type(value).__name__
            raise Broken(f"the {what} of {name!r} has the shape {shape}, not ()")
        if not math.isfinite(value.item()):
            raise Broken(f"the {what} of {name!r} is {value.item()}")
    if loss.count.item() < 0:
        raise Broken(f"the count of {name!r} is {loss.count.item()}")
    if loss.count.requires_grad:
        raise Broken(f"the count of {name!r} carries a gradient")


def terms_add_up(subject: Subject) -> str:
    """The loss is the weighted sum of the terms, each as it is when computed alone."""
    batch = subject.batch()
    together = losses(subject.step(), batch, subject.streams(batch))
    names: list[str] = []
    weights: list[float] = []
    for index in range(len(together.totals)):
        module, streams = subject.step(), subject.streams(batch)
        term = module.objective.terms[index]
        _require_name(term.name, names)
        names.append(term.name)
        weights.append(_weight(term.name, term.weight))
        encoder_pass = module.encode(module.corrupt(subject.batch(), streams))
        alone = term(module.with_logits(encoder_pass), streams)
        mean = _mean(alone)
        expected = float(together.means[index])
        if not math.isclose(mean, expected, rel_tol=_EXACT, abs_tol=_EXACT):
            raise Broken(f"{term.name!r} is {mean:.6g} alone and {expected:.6g} with the others")
    if not names:
        raise Broken("the objective has no terms")
    total = sum(w * float(m) for w, m in zip(weights, together.means, strict=True))
    loss = together.loss.item()
    if not math.isclose(total, loss, rel_tol=_EXACT, abs_tol=_EXACT):
        raise Broken(f"the terms add up to {total:.6g}, but the loss is {loss:.6g}")
    return " + ".join(f"{w:g} {n}" for w, n in zip(weights, names, strict=True)) + f" = {total:.4g}"


def _mean(loss: TermLoss) -> float:
    return loss.total.item() / max(loss.count.item(), 1.0)


def _require_name(name: object, taken: list[str]) -> None:
    if not isinstance(name, str) or not name.strip():
        raise Broken(f"a term is named {name!r}")
    if name in taken:
        raise Broken(f"two terms are named {name!r}: a record keeps only one of them")


def _weight(name: str, weight: object) -> float:
    if not isinstance(weight, int | float) or not math.isfinite(weight):
        raise Broken(f"the weight of {name!r} is {weight!r}, not a finite number")
    return float(weight)


CHECKS = (
    Check(
        "finite scalar losses",
        "a term returns the sum and the number of its losses as scalars; any other shape would be "
        "broadcast, and a value that is not finite ends the run",
        "return TermLoss(total=losses.sum(), count=number.float()) with the count detached, and "
        "keep the arguments of log, division and square root away from 0",
        finite_scalars,
    ),
    Check(
        "named terms add up",
        "the loss is the weighted sum of its named terms, and a term must not depend on which "
        "others are computed; otherwise terms cannot be composed or compared",
        "give each term its own name and streams, keep no state that another term reads, pass "
        "what both need in the corruption's `extras`, and call set_terms once",
        terms_add_up,
    ),
)
