"""Gradients must reach the encoder, and none may flow through rows of other processes."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from objbench.contract.batch import Batch
from objbench.plugins.conformance.check import Broken, Check
from objbench.plugins.conformance.subject import Subject, gradients, losses, relative_difference

_EXACT = 1e-5


def reaches_encoder(subject: Subject) -> str:
    """Some layer of the encoder gets a gradient, and no gradient is NaN or infinite.

    The word embeddings do not count: a tied head gives them a gradient without the encoder.
    """
    module = subject.step()
    batch = subject.batch()
    result = losses(module, batch, subject.streams(batch))
    if not result.loss.requires_grad:
        raise Broken("the loss depends on no parameter")
    result.backward()
    words = module.encoder.get_input_embeddings()
    tied = {id(parameter) for parameter in words.parameters()}
    named = list(module.named_parameters())
    bad = [n for n, p in named if p.grad is not None and not bool(p.grad.isfinite().all())]
    if bad:
        raise Broken(f"the gradient of {bad[0]} is not finite ({len(bad)} such parameters)")
    layers = [p for p in module.encoder.parameters() if id(p) not in tied]
    moved = sum(p.grad is not None and bool(p.grad.any()) for p in layers)
    if not moved:
        raise Broken("no parameter of the encoder's layers gets a gradient")
    unused = [n for n, p in named if p.requires_grad and p.grad is None]
    note = f"; never used: {', '.join(unused[:3])}" if unused else ""
    return f"{moved} of {len(layers)} parameters of the encoder's layers{note}"


def gathered_rows_are_constant(subject: Subject) -> str:
    """The gradients are the same whether or not ``Rows.gather`` lets a gradient through."""
    calls = 0

    def passed(through: bool) -> dict[str, Tensor]:
        def gather(tensor: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            return tensor if through else tensor.detach()

        module, batch = subject.step(), _gathered_by(subject.batch(), gather)
        result = losses(module, batch, subject.streams(batch))
        if not result.loss.requires_grad:
            raise Broken("without the gradient through Rows.gather there is none")
        result.backward()
        return gradients(module)

    difference = relative_difference(passed(True), passed(False))
    if difference > _EXACT:
        raise Broken(
            f"on one process a gradient flows through Rows.gather (the gradients differ by "
            f"{difference:.1%}); on several processes it cannot"
        )
    return "gathered rows are detached" if calls else "no rows are gathered"


def _gathered_by(batch: Batch, gather: object) -> Batch:
    return replace(batch, rows=replace(batch.rows, gather=gather))  # type: ignore[arg-type]


CHECKS = (
    Check(
        "gradient reaches the encoder",
        "an objective must train the encoder: the heads are thrown away after pretraining",
        "look for a detach, a no_grad, an argmax or a conversion to integers between the hidden "
        "states and the loss; after a NaN, look at norms and square roots of 0",
        reaches_encoder,
    ),
    Check(
        "no gradient through other rows",
        "rows from `rows.gather` are constants; a gradient that flows through them on one process "
        "is lost on several, so that the number of GPUs changes what is learned",
        "detach before gathering: rows.gather(vectors.detach())",
        gathered_rows_are_constant,
    ),
)
