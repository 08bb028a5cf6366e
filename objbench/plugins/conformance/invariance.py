"""Invariance: neither padding nor the order of the sequences changes what is computed.

Where nothing random stands in between, the losses must be equal. Where an objective draws, other
shapes or another order mean other numbers, so its losses are compared in distribution: each
term's mean and count, over DRAWS streams either way, may differ by what chance makes of it.

Shape legend: B sequences, T tokens, P columns of padding, N draws, K terms.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from objbench.contract.batch import Batch
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass
from objbench.engine.training.step import TrainingStep
from objbench.plugins.conformance.check import Broken, Check
from objbench.plugins.conformance.subject import Subject, losses, on_rows

DRAWS = 48
"""Streams either way."""

LARGEST_Z = 4.5
"""Standard errors: for a correct objective of two terms, a false alarm in 40,000 checks."""

_EXACT = 1e-4
"""Relative difference that another order of sums, or a mask over the scores, may make."""


class _Permuted(Streams):
    """Streams that give row i the numbers that would have been row ``order[i]``'s."""

    def __init__(self, subject: Subject, batch: Batch, number: int, order: Tensor) -> None:
        super().__init__(subject.job.seed, number, 0, rows=batch.rows.total)
        self._order = order

    def uniform(self, stream: str, *shape: int) -> Tensor:
        return super().uniform(stream, *shape)[self._order]

    def integers(self, stream: str, high: int, *shape: int) -> Tensor:
        return super().integers(stream, high, *shape)[self._order]


class _Counted(Streams):
    """Streams that know whether anything was drawn."""

    drawn = False

    def uniform(self, stream: str, *shape: int) -> Tensor:
        self.drawn = True
        return super().uniform(stream, *shape)

    def integers(self, stream: str, high: int, *shape: int) -> Tensor:
        self.drawn = True
        return super().integers(stream, high, *shape)


def padding(subject: Subject) -> str:
    """Hidden states at padding are not read, and rows padded further give the same loss."""
    module, whole = subject.step(), subject.batch()
    rows, length = whole.input_ids.shape
    short = max(2, length - length // 3)
    _padding_is_not_read(subject, module)
    plain = on_rows(whole, whole.input_ids[:, :short], subject.job.vocabulary.special)
    padded = _padded(subject, whole, torch.full((rows,), short))
    streams = _Counted(subject.job.seed, 0, 0, rows=rows)
    with torch.no_grad():
        one, other = (losses(module, b, streams).means for b in (plain, padded))
    if not streams.drawn:
        _require_equal(one, other, "with padding")
        return f"the same loss with {length - short} columns of padding"
    _require_alike(
        module,
        _sampled(module, plain, [subject.streams(plain, n) for n in range(DRAWS)]),
        _sampled(module, padded, [subject.streams(padded, DRAWS + n) for n in range(DRAWS)]),
        "with padding",
    )
    return f"the same in distribution with {length - short} columns of padding, {DRAWS} draws"


def order_of_sequences(subject: Subject) -> str:
    """The batch turned round gives the same losses; with its random numbers if need be."""
    module, batch = subject.step(), subject.batch()
    order = torch.arange(len(batch.input_ids)).flip(0)
    turned = on_rows(batch, batch.input_ids[order], subject.job.vocabulary.special)
    with torch.no_grad():
        one = losses(module, batch, subject.streams(batch)).means
        other = losses(module, turned, _Permuted(subject, batch, 0, order)).means
    if torch.allclose(one, other, rtol=_EXACT, atol=_EXACT):
        return "the same losses in either order"
    # Numbers that say which row is meant, as those of in-batch negatives, do not turn with it.
    _require_alike(
        module,
        _sampled(module, batch, [subject.streams(batch, n) for n in range(DRAWS)]),
        _sampled(module, turned, [subject.streams(batch, DRAWS + n) for n in range(DRAWS)]),
        "in another order",
    )
    return f"the same in distribution in either order, {DRAWS} draws"


def _padded(subject: Subject, batch: Batch, lengths: Tensor) -> Batch:
    """``batch`` with padding in place of what lies beyond each row's length, (B,) int64."""
    job = subject.job
    real = torch.arange(batch.input_ids.shape[1]) < lengths.unsqueeze(1)
    ids = batch.input_ids.masked_fill(~real, job.vocabulary.pad)
    return replace(on_rows(batch, ids, job.vocabulary.special), attention=real)


def _padding_is_not_read(subject: Subject, module: TrainingStep) -> None:
    """Whatever the encoder says at padding, the losses are the same."""
    seen = []
    with torch.no_grad():
        for scale in (1.0, -50.0):
            whole = subject.batch()
            rows, length = whole.input_ids.shape
            lengths = length - torch.arange(rows) % max(1, length // 2)
            padded = _padded(subject, whole, lengths)
            streams = subject.streams(padded)
            readings = module.corrupt(padded, streams)
            if readings.corrupted.input_ids.shape == padded.input_ids.shape:
                _require_kept(padded, readings.corrupted.input_ids)
            encoder_pass = _scaled_at_padding(module.encode(readings), scale)
            totals, counts = module.losses(encoder_pass, streams)
            seen.append(torch.stack([totals, counts]))
    for index, term in enumerate(module.objective.terms):
        one, other = (pair[:, index] for pair in seen)
        if not torch.allclose(one, other, rtol=_EXACT, atol=_EXACT):
            raise Broken(
                f"other hidden states at padding change {term.name!r} from {float(one[0]):.6g} "
                f"over {float(one[1]):g} to {float(other[0]):.6g} over {float(other[1]):g}"
            )


def _require_kept(padded: Batch, ids: Tensor) -> None:
    if bool((ids != padded.input_ids)[~padded.real].any()):
        raise Broken("the corruption replaces padding")


def _scaled_at_padding(encoder_pass: EncoderPass, scale: float) -> EncoderPass:
    """The pass with other states at padding, in the views too."""

    def scaled(state: Tensor, batch: Batch) -> Tensor:
        # Scaled and moved: a loss of directions alone would not see a factor.
        moved = state * scale + state.roll(1, dims=-1) * (scale - 1)
        return torch.where(batch.real.unsqueeze(-1), state, moved)

    read, states = encoder_pass.batch, encoder_pass.hidden_states
    embedded = encoder_pass.embedding_output
    return replace(
        encoder_pass,
        last_hidden_state=scaled(encoder_pass.last_hidden_state, read),
        embedding_output=None if embedded is None else scaled(embedded, read),
        hidden_states=None if states is None else tuple(scaled(state, read) for state in states),
        views={
            name: replace(view, last_hidden_state=scaled(view.last_hidden_state, view.batch))
            for name, view in encoder_pass.views.items()
        },
    )


def _sampled(module: TrainingStep, batch: Batch, drawn: list[Streams]) -> Tensor:
    """(N, 2 K) float64, means and counts of every draw."""
    with torch.no_grad():
        seen = [losses(module, batch, streams) for streams in drawn]
    return torch.stack([torch.cat([one.means, one.counts.double()]) for one in seen])


def _require_equal(one: Tensor, other: Tensor, where: str) -> None:
    if not torch.allclose(one, other, rtol=_EXACT, atol=_EXACT):
        raise Broken(f"the losses are {one.tolist()}, and {where} {other.tolist()}")


def _require_alike(module: TrainingStep, one: Tensor, other: Tensor, where: str) -> None:
    """Welch's z of each column of two (N, 2 K) samples is small, or the means are equal."""
    names = [term.name for term in module.objective.terms]
    for column in range(one.shape[1]):
        left, right = one[:, column], other[:, column]
        error = ((left.var() + right.var()) / len(left)).sqrt()
        difference = float((left.mean() - right.mean()).abs())
        allowed = LARGEST_Z * float(error) + _EXACT * float(left.mean().abs())
        if difference > allowed:
            what = "loss" if column < len(names) else "count"
            raise Broken(
                f"the {what} of {names[column % len(names)]!r} is {float(left.mean()):.4g} on "
                f"average, and {where} {float(right.mean()):.4g} (chance: {allowed:.2g})"
            )


CHECKS = (
    Check(
        "padding changes nothing",
        "a sequence is worth the same in a batch of longer ones: padding is neither predicted nor "
        "compared with nor counted",
        "use batch.real or batch.special where you choose, compare and count positions, and "
        "divide by real tokens instead of the width of the batch",
        padding,
    ),
    Check(
        "order of sequences changes nothing",
        "the rows of a batch have no order: a loss that depends on it depends on how many "
        "processes share the batch",
        "treat every row alike; take rows.first only to say which rows are this process's",
        order_of_sequences,
    ),
)
