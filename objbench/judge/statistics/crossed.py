"""An interval over pretraining seeds and evaluation examples, crossed: both are samples.

An interval over seeds is about new seeds scored on these same examples. Every run is scored on the
same N examples, so what these favour does not average out over seeds. With d[s, i] the paired
difference of seed s on example i, the two-way random-effects model

    d[s, i] = gain + seed[s] + example[i] + both[s, i]

has three mean squares, and the gain's variance over new seeds and new examples is

    seeds^2 = sum_s (d[s, .] - d)^2 / (S (S - 1))           the seeds' interval is made of this
    examples^2 = max(0, sum_i (d[., i] - d)^2 / (N (N - 1)) - rest)
    rest = sum_si (d[s, i] - d[s, .] - d[., i] + d)^2 / (S N (S - 1) (N - 1))
    variance = seeds^2 + examples^2

(Searle, Casella & McCulloch 1992, "Variance Components", chapter 4). The Multi-Bootstrap, which
draws seeds and examples with replacement (Sellam et al. 2022, arXiv:2106.16163), has on average the
variance (S - 1)/S seeds^2 + (examples^2 + rest) + (S - 1)/S rest: it counts the rest three times,
as all crossed bootstraps do (McCarthy 1969; Owen 2007, arXiv:0712.1111), and with few seeds the
seeds' own part too little.

The half-widths of both parts are added by squares, each with its own quantile:

    half = sqrt( (seeds' half-width)^2 + (t(n - 1) examples)^2 )

so it is never shorter than the seeds' interval (Zou & Donner 2008, "Construction of confidence
limits about effect measures: a general approach"). The seeds' quantile t(S - 1) on the whole
variance would cover 99% where examples dominate, and Satterthwaite's degrees of freedom 91% at
three seeds.

A metric that is no mean over examples enters by its linear approximation (see
``contract.suite.ExampleScores``), and an average over tasks by the weights of its tasks, whose
examples are independent of each other.

Shape legend: S pretraining seeds, N examples, n of them whose values are known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from objbench.judge.statistics.estimate import LEVEL, MIN_RUNS, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class ExampleDifferences:
    """The paired differences on one set of examples.

    Attributes:
        values: (S, n) float64, candidate minus baseline at each seed and example, in the unit of
            the gain and times the weight that these examples' scores have in it.
        count: N, how many examples the scores are over; at least n.
    """

    values: FloatArray
    count: int


@dataclass(frozen=True, slots=True)
class ExampleError:
    """What the choice of examples adds to the uncertainty of a gain.

    Attributes:
        error: its standard error, in the unit of the gain; 0 where the examples' own effect cannot
            be seen beside what varies from seed to seed.
        freedom: degrees of freedom: the fewest known examples of a set, minus 1.
    """

    error: float
    freedom: int


def example_error(sets: Sequence[ExampleDifferences]) -> ExampleError:
    """The part of a gain's standard error that is due to its examples.

    Args:
        sets: independent sets of examples, of the same seeds.

    Raises:
        ValueError: there is no set, one has fewer than ``MIN_RUNS`` seeds or two examples, the
            seeds differ in number, or a value is missing.
    """
    shapes = [one.values.shape for one in sets]
    if not sets or any(len(shape) != 2 or shape[1] < 2 for shape in shapes):
        raise ValueError(f"example errors need seeds and at least two examples, not {shapes}")
    seeds = shapes[0][0]
    if seeds < MIN_RUNS or any(shape[0] != seeds for shape in shapes):
        raise ValueError(f"example errors need the same {MIN_RUNS} seeds or more, not {shapes}")
    if not all(np.isfinite(one.values).all() for one in sets):
        raise ValueError("example errors need finite differences")
    variance = sum(_own_variance(one.values) / one.count for one in sets)
    freedom = min(shape[1] for shape in shapes) - 1
    return ExampleError(math.sqrt(max(0.0, variance)), freedom)


def with_examples(
    low: float, high: float, examples: ExampleError, level: float = LEVEL
) -> tuple[float, float]:
    """The interval over seeds, widened to one over seeds and examples.

    Args:
        low, high: the interval over seeds, around the estimate.
        examples: of the same gain.
        level: coverage of both intervals, in (0, 1).
    """
    quantile = float(stdtrit(examples.freedom, (1.0 + level) / 2.0))
    half = math.hypot((high - low) / 2, quantile * examples.error)
    middle = (low + high) / 2
    return middle - half, middle + half


def _own_variance(values: FloatArray) -> float:
    """The variance of the examples' own effects, by the mean squares; may come out negative."""
    seeds, known = values.shape
    by_example = values.mean(axis=0)
    rest = values - values.mean(axis=1, keepdims=True) - by_example + values.mean()
    interaction = float((rest**2).sum()) / ((seeds - 1) * (known - 1))
    return float(by_example.var(ddof=1) - interaction / seeds)
