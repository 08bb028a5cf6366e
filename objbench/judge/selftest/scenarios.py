"""The simulated studies that the judge is tested on, by name, each with the claims it must judge.

Those in ``HELD`` must meet the bounds: they are what the method is made for. The others are stress
tests, whose results are reported beside them. The default noise is that of small GLUE studies:
seeds differ by 0.7 points in level and 15% in clock, with 0.3 points of evaluation noise; half of
level and clock is shared by the objectives of a seed. 11 equal parts of the budget put every
planted speedup between two points, where linear interpolation does worst.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from objbench.judge.selftest.simulate import Noise, Simulated

Kind = Literal["gain", "speedup"]

QUIET = Noise(level=0.1, clock=0.05, evaluation=0.03)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One simulated study and two claims that are far from its truth, to measure power.

    Attributes:
        name: as in the tables.
        kind: what is claimed.
        study: how it is drawn.
        below: a true claim, well below the truth; None where the range measured holds none.
        above: a false claim, well above the truth.
        stress: what makes it a stress test, which the bounds do not apply to; "" where they do.
        is_bootstrapped: whether the percentile bootstrap is measured on it as well.
    """

    name: str
    kind: Kind
    study: Simulated
    below: float | None
    above: float
    stress: str = ""
    is_bootstrapped: bool = False


HELD = (
    Scenario(name="gain 0 (A/A)", kind="gain", study=Simulated(), below=None, above=1.2),
    Scenario(name="gain 0.6", kind="gain", study=Simulated(gain=0.6), below=0.0, above=1.2),
    Scenario(
        name="gain 1.2",
        kind="gain",
        study=Simulated(gain=1.2),
        below=0.0,
        above=2.4,
        is_bootstrapped=True,
    ),
    Scenario(name="gain 2.4", kind="gain", study=Simulated(gain=2.4), below=1.2, above=3.6),
    Scenario(name="speedup 1 (A/A)", kind="speedup", study=Simulated(), below=None, above=1.5),
    Scenario(
        name="speedup 1.5", kind="speedup", study=Simulated(speedup=1.5), below=1.0, above=2.25
    ),
    Scenario(
        name="speedup 2",
        kind="speedup",
        study=Simulated(speedup=2.0),
        below=1.33,
        above=3.0,
        is_bootstrapped=True,
    ),
    Scenario(name="speedup 5", kind="speedup", study=Simulated(speedup=5.0), below=3.33, above=7.5),
    Scenario(
        name="speedup 1.5 and gain 2.4",
        kind="speedup",
        study=Simulated(speedup=1.5, gain=2.4),
        below=1.8,
        above=4.0,
    ),
    Scenario(
        name="speedup 2 at 7 elevenths of the budget",
        kind="speedup",
        study=Simulated(speedup=2.0, target_point=6),
        below=1.33,
        above=3.0,
    ),
    Scenario(
        name="speedup 2, seeds share nothing",
        kind="speedup",
        study=Simulated(speedup=2.0, noise=Noise(shared=0.0)),
        below=1.33,
        above=3.0,
    ),
)

STRESS_TESTS = (
    Scenario(
        name="heavy-tailed clocks",
        kind="speedup",
        study=Simulated(speedup=2.0, noise=Noise(clock=0.3, tails=2.0)),
        below=1.33,
        above=3.0,
        stress="the logarithm of a seed's clock is Student t with 2 degrees of freedom, scale 0.3: "
        "a single seed can be ten times slower",
    ),
    Scenario(
        name="late plateau",
        kind="speedup",
        study=Simulated(speedup=2.0, onset=0.5, noise=Noise(clock=0.35)),
        below=1.33,
        above=3.0,
        stress="the baseline leaves its plateau halfway, with clocks 35% apart, so that its final "
        "scores are skewed",
    ),
    Scenario(
        name="uneven clocks",
        kind="speedup",
        study=Simulated(speedup=2.0, onset=0.3, noise=Noise(clock=0.5, candidate_clock=0.1)),
        below=1.33,
        above=3.0,
        stress="the baseline's clocks are 50% apart, the candidate's 10%: the mean of the curves "
        "is not the curve of the mean seed, and the differences are skewed",
    ),
    Scenario(
        name="flat at the end",
        kind="speedup",
        study=Simulated(speedup=2.0, rate=2.0),
        below=1.33,
        above=3.0,
        stress="the baseline's last tenfold of spend brings almost nothing, so a score hardly "
        "determines a spend: intervals are wide and cover the truth too often",
    ),
    Scenario(
        name="21 noisy points",
        kind="speedup",
        study=Simulated(speedup=1.5, points=21),
        below=1.0,
        above=2.25,
        stress="every point has evaluation noise of its own, and the interval is the hull of what "
        "the test does not reject: with 3 seeds it covers the truth too often",
    ),
    Scenario(
        name="quiet score, 21 points",
        kind="speedup",
        study=Simulated(speedup=2.0, points=21, noise=QUIET),
        below=1.8,
        above=2.2,
        stress="seeds are as close together as held-out losses are (0.1 points, clocks 5%)",
    ),
    Scenario(
        name="quiet score, 5 points",
        kind="speedup",
        study=Simulated(speedup=2.0, points=5, noise=QUIET),
        below=1.5,
        above=2.6,
        stress="the same with 5 points: the interval is finer than the points and is widened to "
        "the two around the crossing, so it always covers the truth and settles less (not "
        "widened, it would cover the truth in 70% of the studies with 10 seeds)",
    ),
    Scenario(
        name="5 times with 7 points",
        kind="speedup",
        study=Simulated(speedup=5.0, points=7),
        below=3.33,
        above=6.5,
        stress="the crossing is between the first two points, where a straight line runs below "
        "a bent curve: the speedup is underestimated, and true claims at its edge are refuted",
    ),
    Scenario(
        name="quiet score, 4.3 times with 8 points",
        kind="speedup",
        study=Simulated(speedup=4.3, points=8, noise=QUIET),
        below=3.0,
        above=6.0,
        stress="quiet, and so curved between its first points that the interval ends up on the "
        "wrong side of one",
    ),
    Scenario(
        name="2% of candidates stuck",
        kind="speedup",
        study=Simulated(speedup=2.0, noise=Noise(stuck=0.02)),
        below=1.33,
        above=3.0,
        stress="2% of the candidate's seeds never leave the plateau, which costs the mean over all "
        "seeds 0.3 points that most studies never see",
    ),
    Scenario(
        name="10% of candidates stuck",
        kind="speedup",
        study=Simulated(speedup=2.0, noise=Noise(stuck=0.1)),
        below=None,
        above=2.0,
        stress="the same with 10%: a study in which no seed is stuck looks twice as fast, and no "
        "interval computed from its seeds can know better",
    ),
)
