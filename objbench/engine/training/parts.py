"""A batch in parts: the same rows and random numbers, and the counts of the whole batch.

``--micro-batches`` computes a batch one part at a time to save memory. So that loss and gradient
are those of the whole batch

- the terms arrange the whole batch before it is cut, so that a text that is moved from one sequence
  to another may come from any of them;
- random numbers belong to a row of the whole batch, whichever part it is in;
- every part's losses are divided by the counts of the whole batch, which are known before the first
  part is differentiated: from an outline of every part's corruption, which runs no network.

What remains different: a term that compares what the encoder makes of different sequences sees
those of one part (``Term.across_sequences``), and the encoder's dropout is drawn for each part, as it
is for each process.

Which rows are in which part does not depend on the number of processes: part m of A is the m-th
A-th of the whole batch, and the processes share it. An arrangement needs a process's rows in one
piece, so the arranged rows are exchanged before they are dealt. The parts of a short batch of
held-out text are as equal as they can be, every process having as much of each, and not smaller than
those of training unless the whole is: a term that compares sequences finds as many there.

Shape legend: B rows of this process, R of the whole batch, A parts, S rows of this process in a
part, B / A but for rounding, K terms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from objbench.contract.batch import Batch, Corrupted, Rows
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import Term
from objbench.engine.training.step import TrainingStep


@dataclass(frozen=True, slots=True)
class Part:
    """This process's rows of a part.

    Attributes:
        batch: (S, T), arranged.
        streams: makes the part's random numbers, from where the arrangement left them; several
            times for several passes.
    """

    batch: Batch
    streams: Callable[[], Streams]


def deal(step: TrainingStep, batch: Batch, streams: Streams, parts: int) -> list[Part]:
    """``batch`` arranged and cut into ``parts`` parts.

    Args:
        batch: this process's rows of the whole batch, B of them, at least ``parts``; as many on
            every process.
        streams: its random numbers.

    Raises:
        ValueError: a tensor of an arrangement does not have one row per sequence.
    """
    arranged = step.arrange(batch, streams)
    if parts == 1:
        return [Part(arranged, lambda: streams)]
    rows, own = arranged.rows, len(arranged.input_ids)
    for name, tensor in arranged.extras.items():
        if tensor.dim() == 0 or len(tensor) != own:
            raise ValueError(
                f"the extra {name!r} of an arrangement has the shape {tuple(tensor.shape)}: to be "
                f"cut into micro-batches it needs one row for each of the {own} sequences"
            )
    places = [_place(rows, own, number, parts) for number in range(parts)]
    cut = partial(_cut, rows=rows, places=places)
    ids, special = cut(arranged.input_ids), cut(arranged.special)
    real = None if arranged.attention is None else cut(arranged.attention)
    extras = {name: cut(tensor) for name, tensor in arranged.extras.items()}
    return [
        Part(
            replace(
                arranged,
                input_ids=ids[number],
                special=special[number],
                attention=None if real is None else real[number],
                rows=Rows(place.within, place.total, rows.gather, parts),
                extras={name: tensor[number] for name, tensor in extras.items()},
            ),
            partial(streams.of_rows, place.first, place.count),
        )
        for number, place in enumerate(places)
    ]


def pieces(
    step: TrainingStep, batch: Batch, streams: Streams, number: int
) -> Iterator[tuple[int, Part]]:
    """This process's rows of ``batch``, each part of them within one piece of the whole batch.

    Unlike the parts of ``deal``, pieces are the same rows on any number of processes: a piece may
    belong to several, and none is exchanged. For sequences that are not compared with each other.

    Args:
        batch: this process's rows of the whole batch.
        streams: its random numbers.
        number: of pieces, a divisor of the rows of the whole batch.

    Yields:
        The index of a piece, and what this process has of it, or a part of that.
    """
    arranged = step.arrange(batch, streams)
    rows, own = arranged.rows, len(arranged.input_ids)
    size = rows.total // number
    share = math.gcd(own, size)
    for start in range(0, own, share):
        here, first = slice(start, start + share), rows.first + start
        part = replace(
            arranged,
            input_ids=arranged.input_ids[here],
            special=arranged.special[here],
            attention=None if arranged.attention is None else arranged.attention[here],
            rows=replace(rows, first=first),
            extras={name: tensor[here] for name, tensor in arranged.extras.items()},
        )
        yield first // size, Part(part, partial(streams.of_rows, first, share))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where this process's rows of a part are.

    Attributes:
        first: index in the whole batch of the first of them.
        count: S.
        within: index in the part of the first of them.
        total: rows of the part, over all processes.
    """

    first: int
    count: int
    within: int
    total: int


def _place(rows: Rows, own: int, number: int, parts: int) -> _Place:
    """This process's rows of part ``number``, of its ``own`` rows of the whole batch."""
    processes, process = rows.total // own, rows.first // own
    start, stop = own * number // parts, own * (number + 1) // parts
    count = stop - start
    within = process * count
    return _Place(processes * start + within, count, within, processes * count)


def _cut(tensor: Tensor, rows: Rows, places: Sequence[_Place]) -> list[Tensor]:
    """(S, ...), this process's rows of every part, from its (B, ...) rows of the whole batch."""
    whole = tensor if len(tensor) == rows.total else rows.gather(tensor)
    return [whole[place.first : place.first + place.count] for place in places]


@torch.no_grad()
def counts_of(step: TrainingStep, part: Part) -> Tensor:
    """(K,) float32, how many items each term will have in this process's rows of ``part``.

    Without a pass of the encoder if all terms can count before one.
    """
    terms = step.objective.terms
    if all(counts_itself(term) for term in terms):
        corrupted = outline(step.objective, part.batch, part.streams())
        counts = [term.count_items(corrupted) for term in terms]
        known = [count.float() for count in counts if count is not None]
        if len(known) == len(terms):
            return torch.stack(known)
    _, found = step(part.batch, part.streams())
    counted: Tensor = found
    return counted


def counts_itself(term: Term) -> bool:
    """Whether ``term.count_items`` belongs to its ``forward``.

    Not if a subclass has another ``forward`` and inherits the count of the former one.
    """
    return _belongs(term, "count_items", "forward", Term)


def outline(objective: Objective, batch: Batch, streams: Streams) -> Corrupted:
    """The objective's own outline, or its corruption if a subclass has replaced only that."""
    if _belongs(objective, "outline", "corrupt", Objective):
        return objective.outline(batch, streams)
    return objective.corrupt(batch, streams)


def _belongs(made: object, what: str, to: str, base: type) -> bool:
    """Whether ``what`` is defined by the class that defines ``to``, or by one derived from it."""
    if to in vars(made):
        return False
    line = type(made).__mro__
    first, second = (next(i for i, c in enumerate(line) if name in vars(c)) for name in (what, to))
    return first <= second and line[first] is not base
