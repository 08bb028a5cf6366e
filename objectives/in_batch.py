"""Contrastive losses over the whole batch, with the exact gradient on any number of processes.

Every sequence is an anchor, and the sequences of the whole batch over all processes are its
candidates; with ``--micro-batches`` those of one part of the batch. ``Rows.gather`` gives a process
the others' vectors without a gradient, so its own anchors cannot move candidates of other
processes. Public code therefore depends on the number of processes: a candidate gets the gradient
of the anchors of its own process only (SimCSE puts its own rows back into what ``all_gather``
returns).

Here each process computes the gradient of its own vectors in both roles. As anchors, from its own
loss with constant candidates. As candidates, from the anchors of all processes: with s[a, c] the
similarity over tau, y[a, c] = 1 for the positive, and p[a, c] = exp(s[a, c]) / sum over c' of
exp(s[a, c']), which needs one number of each anchor (its normaliser, gathered),

    d loss / d s[a, c] = p[a, c] - y[a, c]

is a constant by which a process weights the similarities of its own candidates with all constant
anchors. That sum enters with value 0 (x - x.detach()) and its gradient. Value and gradient
are thus those of the formula on one process, up to rounding. It costs a second matrix product of
the similarities, and the gather of one number per vector.

Similarities are computed in float32, whatever the autocast, since temperatures are small.

Shape legend: B sequences of this process, R of the whole batch, W vectors per sequence, D width,
n = B * W and N = R * W vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from objbench.contract.batch import Rows


def pair_loss(anchors: Tensor, candidates: Tensor, rows: Rows, temperature: float) -> Tensor:
    """Sum over this process's sequences i of -log softmax over j of cos(a[i], c[j]) / tau, at i.

    The candidates of a sequence are the second vectors of all R sequences; SimCSE's eq. 4 (Gao et
    al. 2021). One sequence alone has the loss 0.

    Args:
        anchors: (B, D) in any floating dtype, of any length.
        candidates: (B, D).
        rows: this process's place in the whole batch.
        temperature: tau, positive.

    Returns:
        () float32.
    """
    one, other = (_unit(vectors).unsqueeze(1) for vectors in (anchors, candidates))
    return _loss(one, other, _own(rows, one), None, rows, temperature)


def two_view_loss(one: Tensor, other: Tensor, rows: Rows, temperature: float) -> Tensor:
    """Sum over both vectors of this process's sequences: find the partner among all others.

    NT-Xent (Chen et al. 2020, eq. 1): with v the 2 R vectors of the whole batch and v' the other
    one of the same sequence, -log( exp(cos(v, v') / tau) / sum over u != v of exp(cos(v, u) /
    tau) ). One sequence alone has the loss 0.

    Args:
        one: (B, D) in any floating dtype, of any length.
        other: (B, D).
        rows: this process's place in the whole batch.
        temperature: tau, positive.

    Returns:
        () float32, a sum over 2 B anchors.
    """
    vectors = torch.stack([_unit(one), _unit(other)], dim=1)
    own = _own(rows, vectors)
    # The two of a sequence are at 2 i and 2 i + 1.
    return _loss(vectors, vectors, own ^ 1, own, rows, temperature)


def _unit(vectors: Tensor) -> Tensor:
    return functional.normalize(vectors.float(), dim=-1)


def _own(rows: Rows, vectors: Tensor) -> Tensor:
    """(n,) int64, where this process's vectors stand among all N."""
    own, each = vectors.shape[:2]
    start = rows.first * each
    return torch.arange(start, start + own * each, device=vectors.device)


def _loss(
    anchors: Tensor,
    candidates: Tensor,
    partners: Tensor,
    hidden: Tensor | None,
    rows: Rows,
    temperature: float,
) -> Tensor:
    """The sum of this process's losses, with the gradient of the losses of all processes.

    Args:
        anchors: (B, W, D) float32 of unit length.
        candidates: (B, W, D); may be the anchors themselves.
        partners: (n,) int64, the positive of each own vector, which it is the positive of in turn.
        hidden: (n,) int64, the candidate that each own vector is not compared with; None for none.
    """
    of_all = rows.gather(anchors.detach())
    offered = of_all if candidates is anchors else rows.gather(candidates.detach())
    with torch.autocast(anchors.device.type, enabled=False):
        as_anchors = anchors.flatten(0, 1) @ offered.flatten(0, 1).T / temperature  # (n, N)
        as_candidates = of_all.flatten(0, 1) @ candidates.flatten(0, 1).T / temperature  # (N, n)
    if hidden is not None:
        # Not -inf, which times a probability of 0 is NaN.
        lowest = torch.finfo(torch.float32).min
        as_anchors = as_anchors.scatter(1, hidden.unsqueeze(1), lowest)
        as_candidates = as_candidates.scatter(0, hidden.unsqueeze(0), lowest)
    normalisers = as_anchors.logsumexp(dim=1)
    value = (normalisers - as_anchors.gather(1, partners.unsqueeze(1)).squeeze(1)).sum()
    theirs = rows.gather(normalisers.detach().view(anchors.shape[:2])).flatten()
    chances = (as_candidates.detach() - theirs.unsqueeze(1)).exp()
    drawn = (chances * as_candidates).sum() - as_candidates.gather(0, partners.unsqueeze(0)).sum()
    return value + (drawn - drawn.detach())
