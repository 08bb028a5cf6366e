"""Whether more runs of an objective learn: exact, paired, and judged from records."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from objbench.judge.judgement import judge_by_every_score, judge_claims
from objbench.judge.obstacle_text import held_back_text
from objbench.judge.papers.claims import Claim, read_claims
from objbench.judge.statistics.proportions import fewest_unlike_pairs
from objbench.judge.verdict import judge_reliability
from objbench.judge.verdict_sentence import sentence
from objbench.judge.verdict_text import detail_text
from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.data_frames import Results
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.tables.verdicts import verdict_blocks

TACO = read_claims("taco-2022")
CLAIM = Claim(id="reliability", kind="leaves-plateau", where="section 5", wording="is reliable")
FILE = TACO.model_copy(update={"claims": (CLAIM,)})
SEEDS = (1, 2, 3, 4, 5)


def judged(make_study, seeds=SEEDS, **stuck):
    study = make_study(seeds=seeds, points=1)
    study.measure_learning(stuck)
    (item,) = judge_claims(study.results(), [FILE])
    return item


def test_four_of_five_against_none_shows_nothing(make_study):
    item = judged(make_study, mlm=SEEDS, taco=(3,))
    # Four pairs that differ, all one way: 2 / 2^4.
    assert item.finding.learnt.p_value == pytest.approx(0.125)
    assert (item.verdict, item.finding.comparison) == ("inconclusive", "unclear")
    assert item.finding.estimate.value == pytest.approx(80.0)
    assert item.held_back == ()
    said = sentence(item)
    assert "taco leaves its plateau more often: 4 of 5 against 0 of 5, exact p = 0.125" in said
    assert (
        "no significant difference by an exact paired test: the runs differ at 4 seeds, and it "
        "takes at least 6" in said
    )
    assert "stuck: mlm 5 of 5 [48%, 100%] and taco 1 of 5 [1%, 72%]" in said
    assert "among runs that learnt" not in said
    assert "- Score: none." in detail_text(item)


def test_enough_pairs_one_way_settle_it(make_study):
    seeds = tuple(range(1, 8))
    more = judged(make_study, seeds, mlm=seeds[:6])
    # 2 / 2^6 = 0.03125.
    assert more.finding.learnt.p_value == pytest.approx(0.03125)
    assert (more.verdict, more.finding.comparison) == ("confirmed", "better")
    assert sentence(more).startswith("reproduced at 1.23M parameters")
    assert "7 of 7 against 1 of 7, exact p = 0.0312" in sentence(more)
    less = judged(make_study, seeds, taco=seeds[:6])
    assert (less.verdict, less.finding.comparison) == ("refuted", "worse")
    assert "taco leaves its plateau less often: 1 of 7 against 7 of 7" in sentence(less)
    same = judged(make_study, seeds)
    assert "taco leaves its plateau as often: 7 of 7 against 7 of 7, exact p = 1" in sentence(same)


def test_what_holds_any_verdict_back_holds_this_one_back(make_study):
    study = make_study(seeds=SEEDS)
    (item,) = judge_claims(study.results(), [FILE])
    assert (item.finding, item.seeds) == (None, ())
    assert held_back_text(item) == "whether the runs learnt was not measured: run the study again"
    study.measure_learning({"mlm": (1, 2)})
    study.change("taco.seed-4", status="diverged", reason="nan")
    study.give_steps("taco", 1100)
    study.change("taco.seed-4", steps=1100)
    (item,) = judge_claims(study.results(), [FILE])
    assert item.seeds == (1, 2, 3, 5)
    assert [held.obstacle for held in item.held_back] == ["unequal spend", "diverged"]
    study.records.clear()
    (item,) = judge_claims(study.results(), [FILE])
    assert "no seed is complete: mlm's pretraining has not run yet" in held_back_text(item)


def test_it_needs_no_score_and_is_judged_once(make_study):
    study = make_study(seeds=SEEDS)
    study.measure_learning({"mlm": (1, 2)})
    (item,) = judge_by_every_score(study.results(), [FILE])
    assert (item.source, item.is_primary) == ("", True)
    (same,) = judge_claims(study.results(), [FILE], "glue")
    assert same.finding == item.finding


def test_it_has_a_row_on_the_page_and_in_the_data_frame(make_study, tmp_path):
    study = make_study(seeds=SEEDS, points=1)
    study.measure_learning({"mlm": (1, 2)})
    verdicts = judge_by_every_score(study.results(), [FILE])
    table, notes = verdict_blocks(replace(analyse(study.results()), verdicts=verdicts))
    page = render_markdown([table])
    assert "| 5 of 5 against 3 of 5, exact p = 0.5 | leaves its plateau more often |" in page
    assert any(
        note.startswith("No significant difference by an exact paired test") for note in notes.items
    )
    shipped = (Path(__file__).parents[3] / "leaderboard/claims/taco-2022.toml").read_text()
    words = 'id = "r"\nkind = "leaves-plateau"\nwhere = "w"\nwording = "w"\n'
    claim = tmp_path / "mine.toml"
    claim.write_text(f"{shipped.split('[[claims]]')[0]}[[claims]]\n{words}")
    (row,) = Results(study.results()).verdicts([str(claim)])
    assert (row["kind"], row["axis"], row["score"]) == ("leaves-plateau", "", "")
    assert row["estimate"] == pytest.approx(40.0)
    assert "no significant difference by an exact paired test" in row["why"]


@pytest.mark.parametrize("rate", [0.05, 0.025, 0.01])
def test_the_fewest_pairs_that_can_differ_significantly(rate):
    fewest = fewest_unlike_pairs(rate)
    assert 2 * binom.pmf(0, fewest, 0.5) < rate <= 2 * binom.pmf(0, fewest - 1, 0.5)


def test_equal_runs_are_hardly_ever_called_different():
    """At most 2.5% a side, whatever the share of stuck runs; and power where they differ."""
    generator = np.random.default_rng(13)
    for share in (0.1, 0.5, 0.8):
        found = [
            judge_reliability(*(generator.random((2, 10)) > share)).verdict for _ in range(1000)
        ]
        for verdict in ("confirmed", "refuted"):
            assert found.count(verdict) / 1000 <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / 1000)
    settled = [
        judge_reliability(generator.random(20) > 0.1, generator.random(20) > 0.8).verdict
        for _ in range(200)
    ]
    assert settled.count("confirmed") / 200 > 0.9


def test_runs_without_pairs_are_refused():
    with pytest.raises(ValueError, match="how often runs learn needs a row of runs"):
        judge_reliability(np.zeros(0, dtype=bool), np.zeros(0, dtype=bool))
    with pytest.raises(ValueError, match="not paired by seed"):
        judge_reliability(np.zeros(3, dtype=bool), np.zeros(2, dtype=bool))
