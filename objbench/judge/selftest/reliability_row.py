"""The row of a claim that more of the candidate's runs learn, by the code that judges real runs."""

from __future__ import annotations

import numpy as np

from objbench.judge.selftest.error_rates import ClaimRates, Place, RateRow
from objbench.judge.selftest.learnt_shares import LearntShares, draw_learnt
from objbench.judge.selftest.scenario import Scenario
from objbench.judge.verdict import Verdict, judge_reliability


def reliability_row(
    scenario: Scenario,
    study: LearntShares,
    repetitions: int,
    seeds: int,
    generator: np.random.Generator,
) -> RateRow:
    """The judge's rates on "more of the candidate's runs learn"; such a verdict has no interval."""
    candidate, baseline = draw_learnt(study, repetitions, seeds, generator)
    # The test reads two counts, so studies that have them alike are judged once.
    pairs = np.stack([(candidate & ~baseline).sum(1), (baseline & ~candidate).sum(1)], axis=1)
    _, first, numbers = np.unique(pairs, axis=0, return_index=True, return_counts=True)
    counts: dict[Verdict, int] = {"confirmed": 0, "refuted": 0, "inconclusive": 0}
    for study_place, number in zip(first, numbers, strict=True):
        found = judge_reliability(candidate[study_place], baseline[study_place])
        counts[found.verdict] += int(number)
    place: Place = "the truth"
    if study.points:
        place = "well below" if study.points > 0 else "well above"
    claim = ClaimRates(
        place=place,
        claimed=0.0,
        confirmed=counts["confirmed"] / repetitions,
        refuted=counts["refuted"] / repetitions,
    )
    return RateRow(
        scenario=scenario.name,
        kind=scenario.kind,
        seeds=seeds,
        truth=study.points,
        is_held=scenario.is_held,
        topic=scenario.topic,
        coverage=None,
        test_coverage=None,
        open_ended=0.0,
        claims=(claim,),
    )
