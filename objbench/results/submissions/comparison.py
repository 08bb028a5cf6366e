"""A record beside the record of the same cell run again: which numbers differ by more than they may.

Where the device, the versions, the threads and the processes are the same, objbench gives the same
numbers to the last bit on a CPU, so nothing may differ. Elsewhere sums are rounded in another
order, and training spreads that: "even one-bit changes in initial parameters result in models
converging to vastly different values", and all sources of nondeterminism have similar effects
(Summers and Dinneen 2021, Nondeterminism and Instability in Neural Network Optimization, ICML,
arXiv:2103.04514). So a run elsewhere is as another seed would be, and two draws of one normal
distribution differ by at most t s sqrt(2) with a probability of 99%, where s is the standard
deviation over the study's S seeds of that number and t the quantile of Student's distribution with
S - 1 degrees of freedom.

Where that gives nothing (fewer than three seeds, or all of them equal), a loss may differ by 5%,
and a score by three standard errors of the difference of two shares of its n examples,
3 sqrt(2 p (1 - p) / n), with p (1 - p) at most 1/4.

What is counted (steps, tokens, parameters, examples) is equal everywhere, and FLOPs but for 1%,
since machines may count their attention kernels a little differently. Seconds and memory are not compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from statistics import stdev

from objbench.results.records import AnyRecord, EvaluationRecord, PretrainRecord
from objbench.results.submissions.marks import CellAgain, Difference

SAME_BITS = (
    "On the same device with the same versions, threads and processes every number must be equal "
    "to the last bit."
)
WITHIN_SEEDS = (
    "On another device or with other versions a loss or score may differ as two seeds of the study "
    "do (99% of such differences are smaller), or by 5% of a loss and three standard errors of a "
    "score where there are fewer than three seeds; counts must be equal, and FLOPs within 1%."
)

_ENCODER, _SPENT = "encoder at", "spent before it diverged:"
_FEWEST = 3
_OF_LOSS = 0.05
_OF_FLOPS = 0.01
# Quantiles of 99.5% of Student's distribution, by degrees of freedom from 2 on.
_QUANTILES = (9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169)


@dataclass(frozen=True, slots=True)
class _Number:
    """A number of a record.

    Attributes:
        kind: "count", "flops", "loss", "score" (with ``examples``), or "bits" for what depends on
            the last bit of an encoder and says nothing elsewhere.
        is_text: it stands for text, such as a status or a digest, and means nothing to a reader.
    """

    value: float
    kind: str
    examples: int = 0
    is_text: bool = False


def same_place(sent: AnyRecord, found: AnyRecord) -> bool:
    """Whether two records were made where every number must be the same to the last bit."""
    a, b = sent.provenance, found.provenance
    return (a.device, a.versions, a.threads, a.processes) == (
        b.device,
        b.versions,
        b.threads,
        b.processes,
    )


def compared(
    sent: AnyRecord, found: AnyRecord, seeds: Sequence[AnyRecord], *, drawn: bool, bits: bool
) -> CellAgain:
    """What came of running a cell again.

    Args:
        sent, found: the record that was sent, and the new one.
        seeds: the sent records of the same cell with every seed, ``sent`` among them.
        drawn: as in ``CellAgain``.
        bits: whether every number must be equal to the last bit.
    """
    theirs, ours = dict(_numbers(sent)), dict(_numbers(found))
    if not bits:
        theirs, ours = (
            {n: v for n, v in own.items() if v.kind != "bits"} for own in (theirs, ours)
        )
    if sent.provenance.git_commit != found.provenance.git_commit:
        # Another commit may write other files beside the same weights, and earlier ones did not
        # say what a diverged run had spent.
        theirs, ours = (
            {n: v for n, v in own.items() if not n.startswith((_ENCODER, _SPENT))}
            for own in (theirs, ours)
        )
    spreads = [dict(_numbers(record)) for record in seeds]
    differences = []
    equal = 0
    for name in [*theirs, *(n for n in ours if n not in theirs)]:
        one, other = theirs.get(name), ours.get(name)
        if one is None or other is None:
            differences.append(
                Difference(
                    what=name,
                    sent=_shown(one),
                    found=_shown(other),
                    tolerance=0.0,
                )
            )
            continue
        equal += one.value == other.value
        tolerance = 0.0 if bits else _tolerance(one, [s[name].value for s in spreads if name in s])
        if not abs(one.value - other.value) <= tolerance:
            differences.append(
                Difference(what=name, sent=_shown(one), found=_shown(other), tolerance=tolerance)
            )
    return CellAgain(
        id=sent.id,
        kind=sent.kind,
        key=sent.key,
        drawn=drawn,
        numbers=len({*theirs, *ours}),
        equal=equal,
        differences=tuple(differences),
    )


def _shown(number: _Number | None) -> float | None:
    return None if number is None or number.is_text else number.value


def _tolerance(number: _Number, seeds: Sequence[float]) -> float:
    if number.kind == "count":
        return 0.0
    if number.kind == "flops":
        return _OF_FLOPS * abs(number.value)
    spread = stdev(seeds) if len(seeds) >= _FEWEST else 0.0
    if spread > 0:
        quantile = _QUANTILES[min(len(seeds) - _FEWEST, len(_QUANTILES) - 1)]
        return quantile * spread * math.sqrt(2)
    if number.kind == "loss":
        return _OF_LOSS * abs(number.value)
    share = abs(number.value)
    variance = share * (1 - share) if 0 < share < 1 else 0.25
    return 3 * math.sqrt(2 * variance / max(1, number.examples))


def _numbers(record: AnyRecord) -> Iterator[tuple[str, _Number]]:
    """Every number of a record that can be compared, under a name for readers."""
    yield "status", _text(record.status, "count")
    if isinstance(record, PretrainRecord):
        yield from _of_pretraining(record)
    elif isinstance(record, EvaluationRecord):
        yield from _of_evaluation(record)


def _of_pretraining(record: PretrainRecord) -> Iterator[tuple[str, _Number]]:
    yield "steps", _Number(record.steps, "count")
    if record.cost is not None:
        yield "encoder parameters", _Number(record.cost.encoder_parameters, "count")
        yield "head parameters", _Number(record.cost.head_parameters, "count")
        yield "FLOPs per step", _Number(record.cost.flops_per_step, "flops")
        for phase in record.cost.phases:
            yield f"FLOPs per step, {phase.mode}", _Number(phase.flops_per_step, "flops")
    if record.reached is not None:
        # Where sums are rounded in another order it may diverge at another step.
        for axis in ("steps", "tokens", "flops"):
            yield f"{_SPENT} {axis}", _Number(getattr(record.reached, axis), "bits")
    for logged in record.logged:
        yield f"logged loss at step {logged.meters.steps}", _Number(logged.loss, "bits")
    for point in record.points:
        where = f"at step {point.meters.steps}"
        yield f"tokens {where}", _Number(point.meters.tokens, "count")
        if point.digest:
            yield f"{_ENCODER} step {point.meters.steps}", _text(point.digest, "bits")
        for term, loss in sorted(point.heldout.items()):
            yield f"held-out {term} {where}", _Number(loss, "loss")
        if point.common is not None:
            yield f"common loss {where}", _Number(point.common.loss, "loss")
            yield f"order gain {where}", _Number(point.common.order_gain, "bits")


def _of_evaluation(record: EvaluationRecord) -> Iterator[tuple[str, _Number]]:
    yield "training examples", _Number(record.train_examples, "count")
    for column, count in sorted(record.eval_examples.items()):
        yield f"examples of {column}", _Number(count, "count")
    for column, own in sorted(record.examples.items()):
        yield f"which examples of {column}", _text(own.of, "count")
    for column, metrics in sorted(record.scores.items()):
        count = record.eval_examples.get(column, 0)
        for metric, value in sorted(metrics.items()):
            yield f"{column} {metric}", _Number(value, "score", count)


def _text(text: str, kind: str) -> _Number:
    """What is no number, as one that is the same for the same text alone."""
    value = float(int.from_bytes(sha256(text.encode()).digest()[:6], "big"))
    return _Number(value, kind, is_text=True)


def by_seed(record: AnyRecord, records: Mapping[str, AnyRecord]) -> list[AnyRecord]:
    """The records of the same cell with every pretraining seed."""
    place = ("kind", "objective", "suite", "task", "finetune_seed", "share", "floor", "settings")
    own = [getattr(record, name, None) for name in place]
    return [r for r in records.values() if [getattr(r, name, None) for name in place] == own]
