"""Claims judged at declared looks and beyond, against intervals worked out by hand.

Taco minus mlm is 2 points at the first seed and 1 more at every later one.
"""

import math
from functools import partial

import pytest

from objbench.judge.judgement import judge_claims
from objbench.judge.papers.claims import read_claims
from objbench.judge.verdict_sentence import look_note, sentence
from objbench.judge.verdict_text import detail_text
from objbench.results.study_results import join

TACO = read_claims("taco-2022")


@pytest.fixture
def make_study(make_study):
    """``make_study`` with floors far below every score."""
    return partial(make_study, floors={"majority": 30, "untrained": 20})


def judged(study, value=1.2, lacking=(), **declaration):
    """The verdicts on a speedup and on a gain of ``value`` points.

    Args:
        lacking: seeds of which an evaluation has not run.
    """
    if study.lines is None:
        study.measure_learning()
    study.plan = study.plan.model_copy(update=declaration)
    records = {
        cell_id: record
        for cell_id, record in study.records.items()
        if not (cell_id.startswith("glue.cola.mlm.") and record.seed in lacking)
    }
    gain = TACO.claims[1].model_copy(update={"value": value})
    file = TACO.model_copy(update={"claims": (TACO.claims[0], gain)})
    return judge_claims(join(study.plan, records.values(), study.lines), [file])


def test_a_declared_look_is_at_its_first_seeds_and_its_own_level(make_study):
    study = make_study(seeds=(1, 2, 3, 4))
    speedup, gain = judged(study, looks=(3, 5))
    # 3 -+ 5.6428 / sqrt(3): P(|t| > 5.6428) is three fifths of 5% with 2 degrees of freedom.
    half = 5.6428 / math.sqrt(3)
    assert gain.finding.low.value == pytest.approx(3 - half, abs=1e-4)
    assert gain.finding.high.value == pytest.approx(3 + half, abs=1e-4)
    assert gain.finding.level == pytest.approx(0.97)
    assert (gain.seeds, gain.verdict) == ((1, 2, 3), "inconclusive")
    assert "gain in points +3.00 [-0.26, +6.26], 97% interval over 3 seeds at look 1 of 2, " in (
        sentence(gain)
    )
    assert "1.2 is within the 97% interval; the next look is at 5 seeds" in sentence(gain)
    assert "estimate [97% interval]" in detail_text(gain)
    assert look_note(gain) == "look 1 of 2, read by its 97% interval"
    assert (speedup.seeds, speedup.finding.level) == ((1, 2, 3), gain.finding.level)


def test_the_last_look_has_no_next_one(make_study):
    study = make_study(seeds=(1, 2, 3, 4, 5))
    _, gain = judged(study, 4.0, looks=(3, 5))
    half = 3.4440 * math.sqrt(2.5 / 5)
    assert gain.finding.low.value == pytest.approx(4 - half, abs=1e-3)
    assert " over 5 seeds at look 2 of 2, " in sentence(gain)
    assert "next look" not in sentence(gain)


def test_who_is_run_first_does_not_matter(make_study):
    """The look of the first three seeds says the same before, while and after the next are run."""
    found = []
    for seeds, lacking in (((1, 2, 3), ()), ((1, 2, 3, 4, 5), (4,)), ((1, 2, 3, 4, 5), (4, 5))):
        _, gain = judged(make_study(seeds=seeds), lacking=lacking, looks=(3, 5))
        found.append((gain.finding, gain.verdict, gain.seeds))
    assert found[0] == found[1] == found[2]


def test_a_look_that_lacks_a_seed_is_no_verdict(make_study):
    study = make_study(seeds=(1, 2, 3, 4))
    _, gain = judged(study, 9.0, lacking=(2,))
    assert gain.finding.verdict == "refuted"
    assert gain.verdict == "inconclusive"
    assert "the first look is at 4 seeds, and seed 2 is not complete" in sentence(gain)
    _, gain = judged(study, 0.1, looks=(5, 10))
    assert gain.verdict == "inconclusive"
    assert "the first look is at 5 seeds, and fewer were run" in sentence(gain)


def test_seeds_that_were_added_are_judged_at_every_look(make_study):
    study = make_study(seeds=(1, 2, 3, 4, 5))
    declared = ((1, 2, 3), (4,), (5,))
    _, gain = judged(study, declared=declared)
    # The mixture with n = 5: k = 21, R = (sqrt(21) / 0.05)^(2/5).
    bound = (math.sqrt(21) / 0.05) ** 0.4
    half = math.sqrt(2.5 / 5) * math.sqrt(4 * (bound - 1) / (1 - bound / 21))
    assert gain.finding.low.value == pytest.approx(4 - half)
    assert gain.finding.level > 0.99
    said = "99.4% interval over 5 seeds, which holds at every look, since seeds were added to the 3"
    assert f"{said} declared, " in sentence(gain)
    assert look_note(gain).startswith(
        "seeds were added to the 3 declared, so it is read by a 99.4% "
    )
    # Until one of them is complete, the look is the declared one, and it is plain.
    _, gain = judged(study, lacking=(4, 5), declared=declared)
    assert (gain.seeds, gain.finding.level) == ((1, 2, 3), 0.95)
    assert "95% interval over 3 seeds, " in sentence(gain)
    assert look_note(gain) == ""
    # A seed that is not needed may lack something.
    _, gain = judged(study, lacking=(2,), declared=declared)
    assert gain.seeds == (1, 3, 4, 5)
    assert gain.held_back == ()


def test_a_run_that_diverged_after_the_look_holds_the_verdict_back(make_study):
    study = make_study(seeds=(1, 2, 3, 4))
    study.measure_learning()
    study.change("taco.seed-4", status="diverged", reason="nan")
    records = {c: r for c, r in study.records.items() if "taco.seed-4." not in c}
    study.records = records
    _, gain = judged(study, 0.1, looks=(3, 4))
    assert gain.seeds == (1, 2, 3)
    assert gain.verdict == "inconclusive"
    assert "seed 4 diverged, and the others are not a fair sample" in sentence(gain)
    assert "not complete" not in sentence(gain)


def test_a_stuck_run_is_complete_and_its_pair_is_left_out_of_the_look(make_study):
    study = make_study(seeds=(1, 2, 3, 4))
    study.measure_learning(stuck={"taco": [2]})
    _, gain = judged(study)
    assert gain.look.is_reached
    assert gain.seeds == (1, 3, 4)
    assert gain.finding.level == 0.95
    # Every look that holds is wider for the pair less.
    _, later = judged(study, declared=((1, 2, 3), (4,)))
    assert later.seeds == (1, 3, 4)
    assert later.finding.level > 0.9999
