"""Primary verdicts of several claims at once: Holm's correction, by hand and by simulation."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import t

from objbench.judge.judgement import judge_by_every_score, judge_claims
from objbench.judge.papers.claims import read_claims
from objbench.judge.primaries import at_once
from objbench.judge.statistics.multiple_tests import holm, paired_p_values
from objbench.judge.verdict import judge_gain
from objbench.judge.verdict_sentence import correction_sentence, sentence
from objbench.judge.verdict_text import detail_text

TACO = read_claims("taco-2022")


def verdicts_on(gains):
    """The verdicts at once on gains of more than nothing, one row of seeds each."""
    return at_once(
        [judge_gain(row, 0.0).verdict for row in gains],
        lambda index, claims: judge_gain(gains[index], 0.0, 1 - 0.05 / claims).verdict,
    )


def test_claims_at_once_are_holms_correction_of_the_paired_t_test():
    random = np.random.default_rng(4)
    seen = set()
    for _ in range(200):
        gains = random.normal(random.choice([-1.5, 0.0, 1.5], (4, 1)), 1.0, (4, 5))
        adjusted = holm(paired_p_values(gains))
        wanted = [
            "inconclusive" if p > 0.05 else "confirmed" if row.mean() > 0 else "refuted"
            for p, row in zip(adjusted, gains, strict=True)
        ]
        assert verdicts_on(gains) == wanted
        seen.update(wanted)
    assert seen == {"confirmed", "refuted", "inconclusive"}
    assert verdicts_on(np.empty((0, 5))) == []


def test_any_false_verdict_of_several_true_claims_is_as_rare_as_of_one():
    """Five claims of exactly what is true: alone 1 - 0.95^5 = 23% have a false verdict on one."""
    gains = np.random.default_rng(6).normal(size=(4000, 5, 6))
    ratios = np.abs(gains.mean(axis=2)) / (gains.std(axis=2, ddof=1) / np.sqrt(6))
    assert np.mean((ratios > t.ppf(0.975, 5)).any(axis=1)) == pytest.approx(0.226, abs=0.02)
    wrong = [any(v != "inconclusive" for v in verdicts_on(rows)) for rows in gains[:600]]
    # Two standard errors of 600 studies.
    assert np.mean(wrong) < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 600)


@pytest.fixture
def study(make_study):
    """Four seeds, taco better by 2, 3, 4 and 5 points, floors far below every score."""
    study = partial(make_study, floors={"majority": 30, "untrained": 20})(
        seeds=(1, 2, 3, 4), points=20
    )
    study.measure_learning()
    return study


def two_claims(speedup, gain):
    values = (speedup, gain)
    items = tuple(
        claim.model_copy(update={"value": value})
        for claim, value in zip(TACO.claims, values, strict=True)
    )
    return TACO.model_copy(update={"claims": items})


def test_a_claim_that_is_open_at_once_says_what_it_is_alone(study):
    # The gain is 3.5 -+ 2.054 at 95%, and -+ t(3, 0.9875) * 0.6455 = 2.696 at 97.5%.
    speedup, gain = judge_claims(study.results(), [two_claims(1.6, 1.2)])
    assert (speedup.verdict, speedup.alone) == ("inconclusive", "inconclusive")
    assert (gain.verdict, gain.alone, gain.claims) == ("inconclusive", "confirmed", 2)
    # The interval is that of the claim alone.
    assert gain.finding.level == 0.95
    assert (
        "reproduced at this scale if judged alone, open with all 2 primary verdicts judged at once "
        "(Holm)"
    ) in sentence(gain)
    assert "if judged alone" not in sentence(speedup)
    assert "reproduced" not in detail_text(gain).splitlines()[-1]
    assert correction_sentence([speedup, gain]).startswith("The 2 verdicts by the claims' own ")
    # Far enough from what is claimed it is settled at once too.
    _, gain = judge_claims(study.results(), [two_claims(1.6, 0.7)])
    assert (gain.verdict, gain.claims) == ("confirmed", 2)
    assert "if judged alone" not in sentence(gain)


def test_what_is_settled_leaves_the_whole_error_rate_to_the_others(study):
    speedup, gain = judge_claims(study.results(), [two_claims(5.0, 1.2)])
    assert (speedup.verdict, gain.verdict) == ("refuted", "confirmed")
    by_every = judge_by_every_score(study.results(), [two_claims(5.0, 1.2)])
    assert by_every[0].verdict == "refuted"
    secondary = [item for item in by_every if not item.is_primary]
    assert secondary
    assert all(item.claims == 1 and item.alone == item.verdict for item in secondary)


def test_a_single_claim_is_not_corrected(study):
    file = two_claims(5.0, 1.2)
    (gain,) = judge_claims(study.results(), [file.model_copy(update={"claims": file.claims[1:]})])
    assert (gain.verdict, gain.claims) == ("confirmed", 1)
    assert correction_sentence([gain]) == ""


def test_looks_and_claims_share_one_error_rate(make_study):
    study = partial(make_study, floors={"majority": 30, "untrained": 20})(seeds=(1, 2, 3, 4))
    study.measure_learning()
    study.plan = study.plan.model_copy(update={"declared": ((1, 2, 3), (4,))})
    # Half-widths at every look with n = 4: 4.657 alone and 7.780 at half the error, from 3.5 down.
    for value, verdict in ((-1.2, "inconclusive"), (-4.2, "inconclusive"), (-4.3, "confirmed")):
        _, gain = judge_claims(study.results(), [two_claims(1.6, value)])
        assert (gain.alone, gain.verdict) == ("confirmed", verdict)
