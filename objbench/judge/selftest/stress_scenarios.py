"""Simulated studies that break an assumption of the method, and judges that lack one of its rules.

The bounds do not apply to them; what is found is reported. The noise is that of ``held_scenarios``
unless a scenario says otherwise.
"""

from __future__ import annotations

from objbench.judge.selftest.differences import skewed, tuned_apart
from objbench.judge.selftest.scenario import Scenario
from objbench.judge.selftest.simulate import Noise, Simulated

QUIET = Noise(level=0.1, clock=0.05, evaluation=0.03)

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
        stress="the same with 5 points: the test is finer than the points, and the interval contains "
        "the two around the crossing, so it always covers the truth and settles less (without "
        "them it would cover the truth in 70% of the studies with 10 seeds)",
    ),
    Scenario(
        name="5 times with 7 points",
        kind="speedup",
        study=Simulated(speedup=5.0, points=7),
        below=3.33,
        above=6.5,
        stress="the crossing is between the first two points, where a straight line runs below "
        "a bent curve: the speedup is underestimated, and only the two points around it keep true "
        "claims at its edge from being refuted",
    ),
    Scenario(
        name="quiet score, 4.3 times with 8 points",
        kind="speedup",
        study=Simulated(speedup=4.3, points=8, noise=QUIET),
        below=3.0,
        above=6.0,
        stress="quiet, and so curved between its first points that the test alone ends up on the "
        "wrong side of the truth",
    ),
    Scenario(
        name="differences of skewness 1 (A/A)",
        kind="gain",
        study=skewed(1.0),
        below=None,
        above=1.2,
        stress="the differences have a tail of good seeds (a gamma distribution of shape 4): a study "
        "that lacks them underestimates the mean",
    ),
    Scenario(
        name="exponential differences, a tail of good seeds (A/A)",
        kind="gain",
        study=skewed(2.0),
        below=None,
        above=1.2,
        stress="the same with an exponential distribution (skewness 2)",
    ),
    Scenario(
        name="exponential differences, a tail of bad seeds (A/A)",
        kind="gain",
        study=skewed(-2.0),
        below=None,
        above=1.2,
        stress="the mirror image: a few candidates are far worse, and a study that lacks them "
        "overestimates the mean",
    ),
    *(
        Scenario(
            name=f"six settings on {words}",
            kind="gain",
            topic="tuning",
            study=tuned_apart(6, tuning_seeds),
            below=None,
            above=1.2,
            stress=f"two equal objectives, each with the best of six settings on {words}",
        )
        for words, tuning_seeds in (("one tuning seed", 1), ("three tuning seeds", 3))
    ),
    *(
        Scenario(
            name=f"{name} (A/A), counted",
            kind="gain",
            topic="learning",
            study=Simulated(points=1, noise=noise),
            below=-1.2,
            above=1.2,
            stress="stuck runs are counted like others",
            is_contrast=True,
        )
        for name, noise in (
            ("80% of baselines stuck", Noise(baseline_stuck=0.8)),
            ("10% of candidates stuck", Noise(stuck=0.1)),
        )
    ),
    Scenario(
        name="gain 0, a look after every seed from 3 to 20, uncorrected",
        kind="gain",
        topic="looks",
        study=Simulated(points=1),
        below=-1.2,
        above=1.2,
        looks=tuple(range(3, 21)),
        look_rule="uncorrected",
        stress="every look has the 95% interval of a single one",
        is_contrast=True,
    ),
)
