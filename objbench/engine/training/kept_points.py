"""Which points of a pretraining's log its record keeps, however long it trains.

A base encoder is logged 10,000 times, which is 2 MB of text in its record and in every checkpoint,
and nothing is judged by most of it. The points that are kept lie at steps that grow by a constant
factor: losses fall with the logarithm of the steps, so a curve drawn through them looks the same.
A point keeps what it says, the means over the ``log_every`` steps before it. The log of the run
folder, which ``objbench watch`` reads, has every point.
"""

from __future__ import annotations

from collections.abc import Collection

MOST = 500
"""Points of a record's log, beside those at exports; all are kept where there are no more."""


def kept_steps(steps: int, log_every: int, exports: Collection[int], most: int = MOST) -> set[int]:
    """The steps whose log points a record keeps.

    With n log points the k-th of ``most`` kept ones is number n^((k - 1) / (most - 1)), rounded, so
    that the first ones are all kept, and the last one is. So are those at exports.

    Args:
        steps: of the run.
        log_every: steps between two log points; there is one at the end too.
        exports: the steps after which an encoder is exported.
        most: at least 2.
    """
    points = -(-steps // log_every)
    numbers = (
        set(range(1, points + 1))
        if points <= most
        else {round(points ** (k / (most - 1))) for k in range(most)}
    )
    logged = {min(number * log_every, steps) for number in numbers}
    return logged | {step for step in exports if step % log_every == 0 or step == steps}
