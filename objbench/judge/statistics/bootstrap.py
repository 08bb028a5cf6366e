"""Resampling scores as they came about: pretraining runs first, fine-tuning seeds within them.

Each draw takes S pretraining seeds with replacement and, within every seed taken, F fine-tuning
seeds with replacement. Tasks are the fixed benchmark and are never drawn; all tasks of one run
move together, so nine tasks of one run stay one observation. (rliable's
StratifiedBootstrap, Agarwal et al. 2021, draws the runs of every task apart, as if each task had
been pretrained for by itself.)

Objectives are paired. At one pretraining seed they share initial weights, documents and masks, so
the same seeds are drawn for all. At one fine-tuning seed they share the head's initial weights,
the order of the examples and the dropout stream, so a kind seed is kind to all: where they have
equally many fine-tuning seeds the same ones are drawn for all, and where not, each number of
seeds has a draw of its own, there being no partner to keep.

What the draws are worth with few seeds. Given the data, the variance of a drawn mean is

    [(S - 1) / S * s2 + mean over runs of v / F] / S,

with s2 the variance of the run means (n - 1) and v the variance within a run (n). The first term
is the usual s2 / S, too small by (S - 1) / S; the second is there only because fine-tuning seeds
are drawn too, whose noise s2 holds already (Davison & Hinkley 1997, section 3.8, and their advice
to draw the outer level alone: ``within=False``). A percentile interval of the draws moreover puts
normal-like quantiles where few seeds ask for Student's t, and so covers too rarely. Verdicts on
means therefore use the t-interval of ``objbench.judge.statistics.estimate``; the bootstrap serves what has no
closed form: medians, interquartile means, ranks. ``bootstrap_intervals`` has the corrections.

Shape legend: S pretraining seeds, T tasks or columns, F fine-tuning seeds, n draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray

IntArray = npt.NDArray[np.intp]
Statistic = Callable[..., FloatArray]

DRAWS = 10_000
# Float64 values held at once for the resampled arrays: 16 MiB, and a few times that in passing.
CHUNK_VALUES = 2**21


def bootstrap_interval(
    statistic: Callable[[FloatArray], FloatArray],
    values: FloatArray,
    generator: np.random.Generator,
    draws: int = DRAWS,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """A t-interval of ``statistic`` with the bootstrap's standard error."""
    seeds = len(values)
    if seeds < MIN_RUNS:
        return None
    uniform = generator.random((draws, seeds, 2))[..., 0]
    drawn = statistic(values[(uniform * seeds).astype(np.intp)])
    value = float(statistic(values[None])[0])
    quantile = float(stdtrit(seeds - 1, (1.0 + level) / 2.0))
    half = quantile * math.sqrt(seeds / (seeds - 1)) * float(np.std(drawn))
    return value - half, value + half


def nested_indices(
    generator: np.random.Generator, seeds: int, finetune: Sequence[int], draws: int
) -> tuple[IntArray, Mapping[int, IntArray]]:
    """Which seeds each draw takes.

    The numbers are consumed draw by draw, so n draws at once are the draws of any split of n.

    Args:
        generator: the source of the draws.
        seeds: S.
        finetune: F of every objective; equal numbers share their draw.
        draws: n.

    Returns:
        (n, S) pretraining seeds, and for each F (n, S, F) fine-tuning seeds, drawn anew for every
        place in the draw, also where one pretraining seed fills two.

    Raises:
        ValueError: a number is below 1.
    """
    counts = sorted(set(finetune))
    if min(seeds, draws, *counts) < 1 or not counts:
        raise ValueError(f"nothing to draw: {seeds} seeds, {finetune} fine-tuning, {draws} draws")
    uniform = generator.random((draws, seeds, 1 + sum(counts)))
    runs = (uniform[..., 0] * seeds).astype(np.intp)
    tries, start = {}, 1
    for count in counts:
        tries[count] = (uniform[..., start : start + count] * count).astype(np.intp)
        start += count
    return runs, tries


def resample(scores: FloatArray, runs: IntArray, tries: IntArray | None) -> FloatArray:
    """The scores that the draws take.

    Args:
        scores: (S, T, F) float64.
        runs: (n, S) pretraining seeds.
        tries: (n, S, F) fine-tuning seeds; None keeps those of each run as they are.

    Returns:
        (n, S, T, F) float64.
    """
    if tries is None:
        return scores[runs]
    tasks = np.arange(scores.shape[1])[:, None]
    return scores[runs[:, :, None, None], tasks, tries[:, :, None, :]]


def bootstrap(
    statistic: Statistic,
    arrays: Sequence[FloatArray],
    generator: np.random.Generator,
    draws: int = DRAWS,
    *,
    within: bool = True,
) -> FloatArray:
    """The statistic on resampled scores, drawn in chunks of bounded memory.

    Args:
        statistic: called with one (n, S, T, F) array for each of ``arrays``; returns (n, ...),
            one value or row a draw.
        arrays: one (S, T, F) float64 array an objective, none missing; the same index on the
            first axis is the same pretraining seed. T and F may differ.
        generator: the source of the draws.
        draws: how many.
        within: draw fine-tuning seeds too; False draws pretraining seeds alone, which counts
            the noise of fine-tuning once. The pretraining seeds drawn are the same either way.

    Returns:
        (draws, ...) float64.

    Raises:
        ValueError: a value is missing, the seeds do not match, or the statistic does not return
            a value for each draw.
    """
    _check(arrays)
    seeds, counts = len(arrays[0]), [array.shape[2] for array in arrays]
    chunk = max(1, CHUNK_VALUES // sum(array.size for array in arrays))
    parts = []
    for start in range(0, max(draws, 1), chunk):
        size = min(chunk, draws - start)
        runs, tries = nested_indices(generator, seeds, counts, size)
        drawn = [resample(a, runs, tries[a.shape[2]] if within else None) for a in arrays]
        values = np.asarray(statistic(*drawn), dtype=np.float64)
        if values.shape[:1] != (size,):
            raise ValueError(f"the statistic of {size} draws has the shape {values.shape}")
        parts.append(values)
    return np.concatenate(parts)


def _check(arrays: Sequence[FloatArray]) -> None:
    if not arrays or any(array.ndim != 3 or array.size == 0 for array in arrays):
        shapes = [array.shape for array in arrays]
        raise ValueError(f"a bootstrap needs arrays of seeds x tasks x tries, not {shapes}")
    if len({len(array) for array in arrays}) > 1:
        raise ValueError(f"not paired by seed: {[len(array) for array in arrays]} seeds")
    if not all(np.all(np.isfinite(array)) for array in arrays):
        raise ValueError("a bootstrap needs finite scores; a missing one cannot be drawn")
