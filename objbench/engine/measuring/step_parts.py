"""One step's gradients in parts: what ``Session.gradients`` computes, with the graph cut twice.

The parts, each of them going forward and backward:

- corruption: arranging and ``Objective.corrupt``, with any network that runs inside it;
- encoder: the one pass of the encoder, embeddings included, and those over terms' views;
- heads and loss: every term with its drawing and gathering, and the loss made of their sums.

The graph is cut where one part reads what another has computed: at the hidden states of the
encoder pass, and at those ``extras`` of the corruption that carry a gradient. There the reader is
given a leaf. Its backward pass stops at the leaf, and the part before goes on from the leaf's
gradient, so that the gradients are those of the uncut step. A weight that two parts use (tied word
embeddings) is no cut: each part adds its own gradient to it. A corruption that hands on a graph by
another way than ``extras`` has its backward pass counted to heads and loss.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
from torch import Tensor

from objbench.contract.batch import Batch, Corrupted
from objbench.contract.objective import EncoderPass
from objbench.contract.random_streams import Streams
from objbench.engine.training.session import Session

Meter = Callable[[str], AbstractContextManager[None]]
"""Called with the name of a part, as in ``overhead_record.PARTS``; measures what runs inside."""


def parted_gradients(session: Session, step: int, meter: Meter, mode: str | None = None) -> None:
    """Compute the gradients of step number ``step`` in ``mode``; one process only."""
    for micro in range(session.job.training.micro_batches):
        parted_pass(session, *session.begin(step, micro, mode), meter)


def parted_pass(session: Session, batch: Batch, streams: Streams, meter: Meter) -> None:
    """Add the gradients of one micro-batch to those that are there."""
    module, corruption, encoder = session.module, _Cut(), _Cut()
    with session.accelerator.autocast():
        with meter("corruption"):
            readings = module.corrupt(batch, streams)
        readings = replace(readings, corrupted=_cut_extras(readings.corrupted, corruption))
        with meter("encoder"):
            encoder_pass = module.encode(readings)
        encoder_pass = _cut_states(encoder_pass, encoder)
        with meter("heads_and_loss"):
            totals, counts = module.losses(encoder_pass, streams)
    with meter("heads_and_loss"):
        session.backward(totals, counts)
    with meter("encoder"):
        encoder.backward()
    with meter("corruption"):
        corruption.backward()


class _Cut:
    """Tensors of a graph, and the leaves that are read in their place."""

    def __init__(self) -> None:
        # By identity: a state that is handed on under two names is one tensor and one leaf.
        self._pairs: dict[int, tuple[Tensor, Tensor]] = {}

    def leaf(self, tensor: Tensor) -> Tensor:
        """``tensor`` without what made it; itself where no gradient goes further."""
        if not tensor.requires_grad or tensor.is_leaf:
            return tensor
        if id(tensor) not in self._pairs:
            self._pairs[id(tensor)] = tensor, tensor.detach().requires_grad_()
        return self._pairs[id(tensor)][1]

    def backward(self) -> None:
        """Go on from the gradients of those leaves that were read."""
        ends = [(end, leaf.grad) for end, leaf in self._pairs.values() if leaf.grad is not None]
        if ends:
            torch.autograd.backward([end for end, _ in ends], [gradient for _, gradient in ends])


def _cut_extras(corrupted: Corrupted, cut: _Cut) -> Corrupted:
    return replace(corrupted, extras={k: cut.leaf(v) for k, v in corrupted.extras.items()})


def _cut_states(encoder_pass: EncoderPass, cut: _Cut) -> EncoderPass:
    embedded, states = encoder_pass.embedding_output, encoder_pass.hidden_states
    return replace(
        encoder_pass,
        last_hidden_state=cut.leaf(encoder_pass.last_hidden_state),
        embedding_output=None if embedded is None else cut.leaf(embedded),
        hidden_states=None if states is None else tuple(cut.leaf(state) for state in states),
        views={
            name: replace(view, last_hidden_state=cut.leaf(view.last_hidden_state))
            for name, view in encoder_pass.views.items()
        },
    )
