"""Simulated studies whose truth is known: two objectives' curves with the noise of real ones.

A mean curve has the shape of masked language modelling: flat until the unigram plateau is left,
then concave in the logarithm of spend, saturating. With spend s as a share of the budget and the
plateau's end at ``onset``,

    score(s) = FLOOR + HEIGHT * (1 - (1 + (s / onset)^SHARP)^(-rate / SHARP)).

The candidate's curve is the baseline's with its time axis divided by a known speedup, its rise
scaled to a known gain at the end of the budget, or both. Each seed of each objective has a level
of its own, a clock of its own (a log-normal factor scales its spends: some seeds leave the
plateau late) and independent evaluation noise at every point; level and clock are partly shared
by the two objectives of a seed, which pairing takes out.

What is true, then, is defined by the *mean over all seeds* of the curves, not by the curve of the
mean seed: the two differ when clocks do. It is computed from the distribution's quantiles. Some runs
may never leave the plateau: they are marked, as order gain and reference lines mark real ones, and
the truth is that of the runs that learn.

Shape legend: R repetitions of the study, S pretraining seeds, P points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from objbench.judge.statistics.estimate import FloatArray
from objbench.judge.statistics.target_crossing import BoolArray

# GLUE-like: points, from majority class up.
FLOOR = 60.0
HEIGHT = 20.0
# How sharply the plateau ends.
SHARP = 8.0
# The clock of a run that does not leave the plateau within any budget simulated here.
STUCK = 1e-6
_QUANTILES = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How much the seeds differ.

    Attributes:
        level: standard deviation of a seed's level, in points.
        clock: scale of the logarithm of a seed's clock; 0.15 is 15% faster or slower.
        candidate_clock: the same for the candidate; ``clock`` when None.
        shared: correlation of level and of clock between the two objectives of a seed.
        tails: degrees of freedom of the clock's Student t; infinite is normal.
        stuck, baseline_stuck: share of the candidate's and of the baseline's runs that never leave
            the plateau, each independently of all others.
        evaluation: standard deviation of the evaluation noise of every point, in points.
    """

    level: float = 0.7
    clock: float = 0.15
    candidate_clock: float | None = None
    shared: float = 0.5
    tails: float = math.inf
    stuck: float = 0.0
    baseline_stuck: float = 0.0
    evaluation: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """A study that can be drawn any number of times.

    Attributes:
        speedup: by which the candidate's time axis is divided.
        gain: by which its mean is better at the end of the budget, on top of the speedup.
        onset: where the baseline leaves its plateau, as a share of the budget.
        rate: how fast it saturates after that.
        points: P, equal parts of the budget.
        target_point: the baseline's point whose score is the target; the last is -1.
        step: what an optimizer step of the candidate is of all that it took, as a share.
        short: by how many of its steps the candidate ends before the budget's end, below 1.
        noise: how much the seeds differ.
    """

    speedup: float = 1.0
    gain: float = 0.0
    onset: float = 0.08
    rate: float = 0.5
    points: int = 11
    target_point: int = -1
    step: float = 0.0
    short: float = 0.0
    noise: Noise = Noise()

    @property
    def spend(self) -> FloatArray:
        """(P,) float64: shares of the budget."""
        return np.arange(1, self.points + 1) / self.points

    @property
    def candidate_spend(self) -> FloatArray:
        """(P,) float64: the same for the candidate."""
        return self.spend / (1.0 + self.short * self.step)

    @property
    def target_spend(self) -> float:
        """The baseline's spend at the target."""
        return float(self.spend[self.target_point])


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Studies drawn.

    Attributes:
        baseline, candidate: (R, S, P) float64 scores at the spends of ``Simulated``.
        learnt: (R, S) bool, whether both runs of a pair learnt.
    """

    baseline: FloatArray
    candidate: FloatArray
    learnt: BoolArray


def draw(study: Simulated, repetitions: int, seeds: int, generator: np.random.Generator) -> Draws:
    """Draw a study ``repetitions`` times.

    Args:
        study: what is drawn.
        repetitions: R.
        seeds: S.
        generator: the only source of randomness.
    """
    noise = study.noise
    size = (repetitions, seeds)
    levels = noise.level * _pair(noise.shared, size, generator)
    clocks = _pair(noise.shared, size, generator)
    if math.isfinite(noise.tails):
        # One divisor a seed: heavy tails on both objectives, correlated as before.
        clocks = clocks / np.sqrt(generator.chisquare(noise.tails, size) / noise.tails)
    scales = np.array(_clock_scales(noise))[:, None, None]
    # No real clock is off by e^20, and a Student t with 2 degrees of freedom knows no bounds.
    factors = np.exp(np.clip(scales * clocks, -20.0, 20.0))
    is_stuck = np.zeros((2, *size), dtype=bool)
    for side, share in enumerate((noise.baseline_stuck, noise.stuck)):
        if share:
            is_stuck[side] = generator.random(size) < share
    factors[is_stuck] = STUCK
    spends = np.stack([study.spend, study.candidate_spend])[:, None, None] * factors[..., None]
    errors = noise.evaluation * generator.standard_normal((2, *size, study.points))
    rise = candidate_rise(study)
    means = np.stack([_score(study, spends[0]), _score(study, spends[1] * study.speedup, rise)])
    baseline, candidate = means + levels[..., None] + errors
    learnt: BoolArray = ~(is_stuck[0] | is_stuck[1])
    return Draws(baseline, candidate, learnt)


def population_mean(study: Simulated, spend: float, *, candidate: bool) -> float:
    """The mean score over all runs that learn at ``spend``, a share of the budget; may be beyond it."""
    at = spend * _clock_quantiles(study.noise, candidate=candidate)
    return _candidate_mean(study, at) if candidate else float(_score(study, at).mean())


def true_gain(study: Simulated) -> float:
    """What a gain claim is judged by: the difference of the population means at the last points."""
    candidate = population_mean(study, float(study.candidate_spend[-1]), candidate=True)
    return candidate - population_mean(study, 1.0, candidate=False)


def true_speedup(study: Simulated) -> float:
    """What a speedup claim is judged by: the ratio of spends at which the population means meet.

    Raises:
        ValueError: the candidate's mean does not reach the target.
    """
    target = population_mean(study, study.target_spend, candidate=False)
    low, high = 1e-4, 1e4
    if population_mean(study, high, candidate=True) < target:
        raise ValueError(f"the candidate's mean never reaches {target:g}")
    while high / low > 1 + 1e-10:
        middle = math.sqrt(low * high)
        reached = population_mean(study, middle, candidate=True) >= target
        low, high = (low, middle) if reached else (middle, high)
    return study.target_spend / high


def candidate_rise(study: Simulated) -> float:
    """The factor on the candidate's rise that makes its mean better by ``gain`` at the end."""
    if study.gain == 0:
        return 1.0
    at = _clock_quantiles(study.noise, candidate=True)
    return 1.0 + study.gain / (_candidate_mean(study, at, 1.0) - FLOOR)


def _score(study: Simulated, spend: FloatArray, rise: float = 1.0) -> FloatArray:
    left = (1.0 + (spend / study.onset) ** SHARP) ** (-study.rate / SHARP)
    scores: FloatArray = FLOOR + HEIGHT * rise * (1.0 - left)
    return scores


def _candidate_mean(study: Simulated, spend: FloatArray, rise: float | None = None) -> float:
    """The candidate's mean over its runs that learn, from quantiles of their spend."""
    rise = candidate_rise(study) if rise is None else rise
    return float(_score(study, spend * study.speedup, rise).mean())


def _pair(shared: float, size: tuple[int, int], generator: np.random.Generator) -> FloatArray:
    """(2, R, S) standard normal, with correlation ``shared`` along the first axis."""
    common, *own = generator.standard_normal((3, *size))
    pair: FloatArray = math.sqrt(shared) * common + math.sqrt(1.0 - shared) * np.stack(own)
    return pair


def _clock_scales(noise: Noise) -> tuple[float, float]:
    other = noise.clock if noise.candidate_clock is None else noise.candidate_clock
    return noise.clock, other


def _clock_quantiles(noise: Noise, *, candidate: bool) -> FloatArray:
    """Quantiles of the factor on a seed's spends."""
    shares = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    scores = stdtrit(noise.tails, shares) if math.isfinite(noise.tails) else ndtri(shares)
    factors: FloatArray = np.exp(_clock_scales(noise)[int(candidate)] * scores)
    return factors
