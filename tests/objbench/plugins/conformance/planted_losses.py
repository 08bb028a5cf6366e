"""Faults in losses, gradients, randomness, processes, FLOPs and training."""

from __future__ import annotations

import random
from dataclasses import replace

import torch
from planted import (
    InBatch,
    Plain,
    Spread,
    fails,
    wrapped,
)
from torch.nn import functional
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from objbench.blocks.heads import TokenHead, TokenPrediction
from objbench.contract.term import Need, Term, TermLoss
from objbench.engine.measuring.step_memory import LiveTensors


@fails("finite scalar losses", "bfloat16 agrees")
class VectorLoss(
    wrapped(lambda term, loss, *_: TermLoss(loss.total.reshape(1), loss.count.reshape(1)))
):
    pass


@fails("finite scalar losses")
class TrainedCount(
    wrapped(lambda term, loss, p, _: replace(loss, count=loss.count + 0 * loss.total))
):
    pass


@fails("named terms add up")
class SameName(Plain):
    def make_terms(self, encoder_spec):
        return [TokenPrediction(encoder_spec), TokenPrediction(encoder_spec, weight=0.5)]


@fails("named terms add up")
class SharedStream(Plain):
    """Two terms draw from one stream, so the second one's numbers depend on the first."""

    def make_terms(self, encoder_spec):
        return [_Drawing("one"), _Drawing("two")]


class _Drawing(Term):
    def __init__(self, name):
        super().__init__()
        self.name = name

    def forward(self, encoder_pass, streams):
        states, real = encoder_pass.last_hidden_state.float(), encoder_pass.batch.real
        weights = streams.uniform("weights", states.shape[1]) * real
        return TermLoss(((states[..., 0] - 1).square() * weights).sum(), weights.sum())


@fails("gradient reaches the encoder")
class Detached(Plain):
    """The head is trained on states that are cut off; the tied embeddings still move."""

    def make_terms(self, encoder_spec):
        class Cut(TokenHead):
            def transform(self, states):
                return super().transform(states.detach())

        term = TokenPrediction(encoder_spec)
        term.token_head = Cut(encoder_spec)
        return [term]


@fails("no gradient through other rows")
class GatheredGradient(Plain):
    def make_terms(self, encoder_spec):
        class Attached(Spread):
            def offered(self, states):
                # Twice: the spread about the mean itself has no gradient to the mean.
                return 2 * states

        return [TokenPrediction(encoder_spec), Attached()]


@fails("inputs unchanged")
class InPlace(wrapped(lambda term, loss, p, _: (p.last_hidden_state.data.mul_(2), loss)[1])):
    pass


@fails("same streams, same loss")
class Seeded(Plain):
    """Draws from the global generator in a way that leaves no trace in it."""

    def corrupt(self, batch, streams):
        with torch.random.fork_rng():
            shift = 1 + 0.01 * torch.rand(())
        made = super().corrupt(batch, streams)
        return replace(made, extras={**made.extras, "shift": shift})

    def make_terms(self, encoder_spec):
        class Shifted(TokenPrediction):
            def forward(self, encoder_pass, streams):
                loss = super().forward(encoder_pass, streams)
                return replace(loss, total=loss.total * encoder_pass.batch.extras["shift"])

        return [Shifted(encoder_spec)]


@fails("global generators untouched")
class Wasteful(Plain):
    """Draws from a global generator, and uses nothing of it."""

    def corrupt(self, batch, streams):
        random.random()
        return super().corrupt(batch, streams)


@fails("padding changes nothing")
class PaddingRead(Plain):
    """Every position is brought to the same length of its state, padding included."""

    def make_terms(self, encoder_spec):
        class Long(Spread):
            def forward(self, encoder_pass, streams):
                states = encoder_pass.last_hidden_state.float()
                count = torch.tensor(float(states[..., 0].numel()))
                return TermLoss((states.mean(dim=-1) - 1).square().sum(), count)

        return [TokenPrediction(encoder_spec), Long()]


@fails("padding changes nothing")
class PaddingCounted(wrapped(lambda term, loss, p, _: replace(loss, count=_width(loss, p)))):
    """The mean is over the width of the batch instead of the predictions."""


def _width(loss, encoder_pass):
    return torch.tensor(float(encoder_pass.batch.input_ids.numel())) + 0 * loss.count


@fails("order of sequences changes nothing")
class FirstCounts(wrapped(lambda term, loss, p, _: replace(loss, total=loss.total * _lead(p)))):
    """The first sequence's first word scales the loss."""


def _lead(encoder_pass):
    ids = encoder_pass.batch.input_ids
    return 1.0 + ids[0, min(1, ids.shape[1] - 1)] % 7 + ids[0, -1] % 7


@fails("smallest batches")
class Paired(Plain):
    """Needs a second sequence, and says so with an IndexError."""

    def corrupt(self, batch, streams):
        _ = batch.input_ids.sum(dim=1)[:2].tolist()[1] if batch.rows.total < 2 else 0
        return super().corrupt(batch, streams)


@fails("bfloat16 agrees")
class Rounded(Plain):
    """A small difference of large numbers, computed in whatever dtype the encoder computes in."""

    def make_terms(self, encoder_spec):
        class Thin(Term):
            name = "thin"

            def forward(self, encoder_pass, streams):
                states, real = encoder_pass.last_hidden_state, encoder_pass.batch.real
                if torch.is_autocast_enabled("cpu"):
                    states = states.to(torch.get_autocast_dtype("cpu"))
                far = ((states + 1000) - 1000).float()
                return TermLoss((far.square().mean(dim=-1) * real).sum(), real.sum().float())

        return [TokenPrediction(encoder_spec), Thin()]


@fails("one process and two agree")
class OwnRowsOnly(Plain):
    """The mean of this process's rows in place of the whole batch's."""

    def make_terms(self, encoder_spec):
        class Own(Spread):
            def forward(self, encoder_pass, streams):
                rows = replace(encoder_pass.batch.rows, gather=lambda tensor: tensor)
                batch = replace(encoder_pass.batch, rows=rows)
                return super().forward(replace(encoder_pass, batch=batch), streams)

        return [TokenPrediction(encoder_spec), Own()]


@fails("declared FLOPs are counted")
class Undeclared(Plain):
    def make_terms(self, encoder_spec):
        term = InBatch()
        term.factor = 0.0
        return [TokenPrediction(encoder_spec), term]


@fails("declared FLOPs are counted")
class DeclaredTwice(Plain):
    """Declares the head's matrix products, which torch's counter sees."""

    def make_terms(self, encoder_spec):
        class Twice(TokenPrediction):
            def extra_flops(self, batch, length):
                return 6.0 * batch * length * 0.3 * 16 * 65

        return [Twice(encoder_spec)]


@fails("loss falls on one batch")
class Uphill(wrapped(lambda term, loss, p, _: replace(loss, total=_frozen(loss.total)))):
    """The gradient points the other way."""


def _frozen(total):
    return 2 * total.detach() - total


@fails("resume changes nothing")
class Counting(Plain):
    """A weight that grows with the steps, counted in a Python number that no checkpoint holds."""

    def make_terms(self, encoder_spec):
        class Growing(TokenPrediction):
            steps = 0

            def forward(self, encoder_pass, streams):
                loss = super().forward(encoder_pass, streams)
                self.steps += 1
                factor = 1.0 if self.steps < 4 else 1.5
                return replace(loss, total=loss.total * factor)

        return [Growing(encoder_spec)]


@fails("export loads in transformers")
class Resized(Plain):
    """Gives the encoder's weights another shape after they were used, where no hidden state shows."""

    def make_terms(self, encoder_spec):
        class Growing(TokenPrediction):
            def forward(self, encoder_pass, streams):
                loss = super().forward(encoder_pass, streams)
                words = encoder_pass.need(Need.WORD_EMBEDDINGS)
                if loss.total.requires_grad:
                    loss.total.register_hook(lambda gradient: _grow(words, gradient))
                return loss

        return [Growing(encoder_spec)]


def _grow(words, gradient):
    # After the backward pass has no more use for the old shape.
    torch.autograd.Variable._execution_engine.queue_callback(lambda: _append_row(words))
    return gradient


def _append_row(words):
    with torch.no_grad():
        words.data = functional.pad(words.data, (0, 0, 0, 1))
        if words.grad is not None:
            words.grad = functional.pad(words.grad, (0, 0, 0, 1))


@fails("cost of a step")
class Unmeasurable(wrapped(lambda term, loss, *_: (_refuse_to_be_watched(), loss)[1])):
    """Fails while the memory of a step is measured."""


def _refuse_to_be_watched():
    if any(isinstance(mode, LiveTensors) for mode in _get_current_dispatch_mode_stack()):
        raise TypeError("this step cannot be watched")
