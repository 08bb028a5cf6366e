"""The log of a run in its checkpoints: two tables of numbers, which take no time to write.

As the text of a record, the log of a long run would be larger than the weights of a small encoder.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from objbench.engine.training.checkpoint_files import Checkpoint
from objbench.results.training_points import LoggedPoint, Meters

GROUP = "log"


def log_tables(points: Sequence[LoggedPoint], terms: Sequence[str]) -> dict[str, Tensor]:
    """The log as tensors.

    Args:
        points: P of them.
        terms: names of the K terms.

    Returns:
        "counts", (P, 2) int64: steps and tokens; "values", (P, 4 + K) float64: FLOPs, seconds, loss,
        learning rate, and each term, not a number where it had no items.
    """
    counts = [[point.meters.steps, point.meters.tokens] for point in points]
    values = [
        [
            point.meters.flops,
            point.meters.seconds,
            point.loss,
            point.learning_rate,
            *(point.terms.get(name, math.nan) for name in terms),
        ]
        for point in points
    ]
    return {
        "counts": torch.tensor(counts, dtype=torch.int64).reshape(len(points), 2),
        "values": torch.tensor(values, dtype=torch.float64).reshape(len(points), 4 + len(terms)),
    }


def with_log(taken: Checkpoint, points: Sequence[LoggedPoint], terms: Sequence[str]) -> Checkpoint:
    """``taken`` and the log; ``points`` and ``terms`` as for ``log_tables``."""
    return replace(taken, tensors={**taken.tensors, GROUP: log_tables(points, terms)})


def logged_points(checkpoint: Checkpoint, terms: Sequence[str]) -> list[LoggedPoint]:
    """The log in ``checkpoint``; ``terms`` as for ``log_tables``."""
    if GROUP in checkpoint.state:  # one of ``older_checkpoints``
        return [LoggedPoint.model_validate(point) for point in checkpoint.state[GROUP]]
    tables = checkpoint.tensors[GROUP]
    rows = zip(tables["counts"].tolist(), tables["values"].tolist(), strict=True)
    return [
        LoggedPoint(
            meters=Meters(steps=steps, tokens=tokens, flops=flops, seconds=seconds),
            loss=loss,
            learning_rate=rate,
            terms={n: v for n, v in zip(terms, values, strict=True) if not math.isnan(v)},
        )
        for (steps, tokens), (flops, seconds, loss, rate, *values) in rows
    ]
