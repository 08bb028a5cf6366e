"""Neither padding nor the order of the sequences may change the losses.

Without randomness the losses must be equal. If an objective draws random numbers, another shape or
order means other numbers, so its losses are compared in distribution: each term's mean and count
over DRAWS streams in either case may differ by chance only.

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
"""Number of streams drawn in either case."""

LARGEST_Z = 4.5
"""Standard errors: one false alarm in 40,000 checks of a correct objective with two terms."""

_EXACT = 1e-4
"""Relative difference that another order of sums, or a mask over the scores, may cause."""


class _Permuted(Streams):
    """Streams that give row i the numbers of row ``order[i]``."""

    def __init__(self, subject: Subject, batch: Batch, number: int, order: Tensor) -> None:
        super().__init__(subject.job.seed, number, 0, rows=batch.rows.total)
        self._order = order

    def uniform(self, stream: str, *shape: int) -> Tensor:
        return super().uniform(stream, *shape)[self._order]

    def integers(self, stream: str, high: int, *shape: int) -> Tensor:
        return super().integers(stream, high, *shape)[self._order]


class _Counted(Streams):
    """Streams that record whether anything was drawn."""

    drawn = False

    def uniform(self, stream: str, *shape: int) -> Tensor:
        self.drawn = True
        return super().uniform(stream, *shape)

    def integers(self, stream: str, high: int, *shape: int) -> Tensor:
        self.drawn = True
        return super().integers(stream, high, *shape)


def padding(subject: Subject) -> str:
    """Hidden states at padding are not used, and longer padding gives the same loss."""
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
        return f"equal losses with {length - short} columns of padding"
    _require_alike(
        module,
        _sampled(module, plain, [subject.streams(plain, n) for n in range(DRAWS)]),
        _sampled(module, padded, [subject.streams(padded, DRAWS + n) for n in range(DRAWS)]),
        "with padding",
    )
    return f"equal in distribution with {length - short} columns of padding, {DRAWS} draws"


def order_of_sequences(subject: Subject) -> str:
    """The reversed batch gives the same losses, with reversed random numbers or in distribution."""
    module, batch = subject.step(), subject.batch()
    order = torch.arange(len(batch.input_ids)).flip(0)
    turned = on_rows(batch, batch.input_ids[order], subject.job.vocabulary.special)
    with torch.no_grad():
        one = losses(module, batch, subject.streams(batch)).means
        other = losses(module, turned, _Permuted(subject, batch, 0, order)).means
    if torch.allclose(one, other, rtol=_EXACT, atol=_EXACT):
        return "equal losses in either order"
    # Random numbers that are indices of rows, as of in-batch negatives, are not reversed by that.
    _require_alike(
        module,
        _sampled(module, batch, [subject.streams(batch, n) for n in range(DRAWS)]),
        _sampled(module, turned, [subject.streams(batch, DRAWS + n) for n in range(DRAWS)]),
        "in another order",
    )
    return f"equal in distribution in either order, {DRAWS} draws"


def _padded(subject: Subject, batch: Batch, lengths: Tensor) -> Batch:
    """``batch`` with padding beyond the length of each row, (B,) int64."""
    job = subject.job
    real = torch.arange(batch.input_ids.shape[1]) < lengths.unsqueeze(1)
    ids = batch.input_ids.masked_fill(~real, job.vocabulary.pad)
    return replace(on_rows(batch, ids, job.vocabulary.special), attention=real)


def _padding_is_not_read(subject: Subject, module: TrainingStep) -> None:
    """The losses do not depend on the hidden states at padding."""
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
    """The pass with other hidden states at padding, also in the views."""

    def scaled(state: Tensor, batch: Batch) -> Tensor:
        # Scaled and shifted: a loss of directions alone would not notice a factor.
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
    """(N, 2 K) float64, the counts and means of every draw.

    Counts first: a wrong count explains a wrong mean.
    """
    with torch.no_grad():
        seen = [losses(module, batch, streams) for streams in drawn]
    return torch.stack([torch.cat([one.counts.double(), one.means]) for one in seen])


def _require_equal(one: Tensor, other: Tensor, where: str) -> None:
    if not torch.allclose(one, other, rtol=_EXACT, atol=_EXACT):
        raise Broken(f"the losses are {one.tolist()}, but {where} {other.tolist()}")


def _require_alike(module: TrainingStep, one: Tensor, other: Tensor, where: str) -> None:
    """Welch's z of each column of two (N, 2 K) samples is small, or the means are equal."""
    names = [term.name for term in module.objective.terms]
    for column in range(one.shape[1]):
        left, right = one[:, column], other[:, column]
        error = ((left.var() + right.var()) / len(left)).sqrt()
        difference = float((left.mean() - right.mean()).abs())
        allowed = LARGEST_Z * float(error) + _EXACT * float(left.mean().abs())
        if difference > allowed:
            what = "count" if column < len(names) else "loss"
            raise Broken(
                f"the {what} of {names[column % len(names)]!r} is {float(left.mean()):.4g} on "
                f"average, but {where} {float(right.mean()):.4g} (by chance up to {allowed:.2g})"
            )


CHECKS = (
    Check(
        "padding changes nothing",
        "a sequence must count the same in a batch of longer ones: padding is not to be "
        "predicted, compared with, or counted",
        "use batch.real or batch.special to select, compare and count positions, and divide by "
        "the number of real tokens instead of the width of the batch",
        padding,
    ),
    Check(
        "order of sequences changes nothing",
        "the rows of a batch have no order: a loss that depends on it also depends on how many "
        "processes share the batch",
        "treat all rows alike; use rows.first only to find the rows of this process",
        order_of_sequences,
    ),
)
