"""Final scores of two objectives, drawn as their differences seed by seed.

For what curves do not show: differences that are skewed, and settings that were chosen by luck.

Shape legend: R studies, S pretraining seeds, K settings, T tuning seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from objbench.judge.statistics.estimate import FloatArray

Size = tuple[int, int]

# The default noise of ``simulate``: 0.7 points a seed, half of the variance shared by a pair.
SEED_SD = 0.7
SHARED = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Studies of which only the differences of the final scores are drawn.

    Attributes:
        gain: their mean over all seeds, in points: the truth.
        draw: (R, S), generator -> (R, S) float64 differences, candidate minus baseline, of mean
            ``gain`` over all seeds and studies.
    """

    gain: float
    draw: Callable[[Size, np.random.Generator], FloatArray]


def skewed(skewness: float) -> Differences:
    """Differences of mean 0 and standard deviation 0.7 from a shifted gamma distribution.

    A gamma distribution of shape k has skewness 2 / sqrt(k); with skewness 2 it is the exponential
    one. A negative skewness is the mirror image: some candidates are far worse than their baseline.
    """
    shape = 4.0 / skewness**2

    def draw(size: Size, generator: np.random.Generator) -> FloatArray:
        drawn = (generator.gamma(shape, size=size) - shape) / math.sqrt(shape)
        return np.asarray(math.copysign(SEED_SD, skewness) * drawn)

    return Differences(gain=0.0, draw=draw)


def tuned_apart(settings: int, tuning_seeds: int) -> Differences:
    """Two equal objectives, each with the settings that were the best in trials of its own.

    The K settings have the same mean scores for both objectives, normal with the standard deviation
    of a seed, 0.7 points. Each objective takes the one with the best mean of its T trials, which
    differ by their seed as the study's own runs do. So the two are compared at settings that may
    differ in what they are worth, though the objectives do not.
    """

    def draw(size: Size, generator: np.random.Generator) -> FloatArray:
        studies, seeds = size
        worth = SEED_SD * generator.standard_normal((studies, settings))
        trials = SEED_SD / math.sqrt(tuning_seeds) * generator.standard_normal((2, *worth.shape))
        best = np.argmax(worth + trials, axis=-1)
        chosen = np.take_along_axis(worth, best.T, axis=1)
        own = (
            SEED_SD * math.sqrt(2.0 * (1.0 - SHARED)) * generator.standard_normal((studies, seeds))
        )
        return np.asarray((chosen[:, 1] - chosen[:, 0])[:, None] + own)

    return Differences(gain=0.0, draw=draw)
