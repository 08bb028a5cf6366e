"""The simulated studies that must meet the bounds: they are what the method is made for.

The default noise is that of small GLUE studies: seeds differ by 0.7 points in level and 15% in
clock, with 0.3 points of evaluation noise; half of level and clock is shared by the objectives of a
seed. 11 equal parts of the budget put every planted speedup between two points, where linear
interpolation does worst.
"""

from __future__ import annotations

from objbench.judge.selftest.differences import skewed
from objbench.judge.selftest.learnt_shares import LearntShares
from objbench.judge.selftest.scenario import LookRule, Scenario
from objbench.judge.selftest.simulate import Noise, Simulated

# Of a gain only the end of the budget is judged.
_END = 1

# Of runs of 1,200 steps.
STEP = 1 / 1200
LOOKING: tuple[tuple[str, tuple[int, ...], LookRule], ...] = (
    ("looks at 5, 10 and 20, declared", (5, 10, 20), "declared"),
    ("a look after every seed from 3 to 20, none declared", tuple(range(3, 21)), "added"),
    ("a look after every seed from 5 to 20, none declared", tuple(range(5, 21)), "added"),
)

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
    *(
        Scenario(
            name=f"{name} (A/A)",
            kind="gain",
            topic="learning",
            study=Simulated(points=_END, noise=noise),
            below=-1.2,
            above=1.2,
        )
        for name, noise in (
            ("10% of baselines stuck", Noise(baseline_stuck=0.1)),
            ("30% of baselines stuck", Noise(baseline_stuck=0.3)),
            ("80% of baselines stuck", Noise(baseline_stuck=0.8)),
            ("30% of both stuck", Noise(baseline_stuck=0.3, stuck=0.3)),
            ("10% of candidates stuck", Noise(stuck=0.1)),
        )
    ),
    Scenario(
        name="30% of baselines stuck, speedup 2",
        kind="speedup",
        topic="learning",
        study=Simulated(speedup=2.0, noise=Noise(baseline_stuck=0.3)),
        below=1.33,
        above=3.0,
    ),
    Scenario(
        name="10% of candidates stuck, speedup 2",
        kind="speedup",
        topic="learning",
        study=Simulated(speedup=2.0, noise=Noise(stuck=0.1)),
        below=1.33,
        above=3.0,
    ),
    *(
        Scenario(
            name=f"{100 * candidate:.0f}% of candidates and {100 * baseline:.0f}% of baselines learn",
            kind="leaves-plateau",
            topic="reliability",
            study=LearntShares(candidate=candidate, baseline=baseline),
        )
        for candidate, baseline in ((0.5, 0.5), (0.9, 0.9), (0.9, 0.2), (0.2, 0.9))
    ),
    *(
        Scenario(
            name=f"gain {gain:g}, {words}",
            kind="gain",
            topic="looks",
            study=Simulated(gain=gain, points=_END),
            below=gain - 1.2,
            above=gain + 1.2,
            looks=looks,
            look_rule=rule,
        )
        for gain in (0.0, 0.6)
        for words, looks, rule in LOOKING
    ),
    *(
        Scenario(
            name=f"gain 0, {words}, 30% of baselines stuck",
            kind="gain",
            topic="looks",
            study=Simulated(points=_END, noise=Noise(baseline_stuck=0.3)),
            below=-1.2,
            above=1.2,
            looks=looks,
            look_rule=rule,
        )
        for words, looks, rule in LOOKING
    ),
    Scenario(
        name="speedup 1 (A/A), looks at 5, 10 and 20, declared",
        kind="speedup",
        topic="looks",
        study=Simulated(),
        below=None,
        above=1.5,
        looks=(5, 10, 20),
    ),
    Scenario(
        name="speedup 1 (A/A), the candidate a step short",
        kind="speedup",
        study=Simulated(step=STEP, short=0.9),
        below=None,
        above=1.5,
    ),
    Scenario(
        name="speedup 0.7, the candidate a step short",
        kind="speedup",
        study=Simulated(speedup=0.7, step=STEP, short=0.9),
        below=None,
        above=1.0,
    ),
    Scenario(
        name="differences of skewness 0.5 (A/A)",
        kind="gain",
        study=skewed(0.5),
        below=None,
        above=1.2,
    ),
)
