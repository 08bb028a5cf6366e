"""``objbench compare``: the judge's own numbers for any two objectives, and McNemar's for one seed."""

import json
from math import comb

import numpy as np
import pytest
from made_examples import give_examples

from objbench.cli.main import main
from objbench.judge.answers import Question, answer_claim
from objbench.judge.pairwise import compare_pair
from objbench.judge.score_source import Pair
from objbench.judge.statistics.estimate import t_interval

SEEDS = (1, 2, 3, 4)
FLOORS = {"majority": 45}


def learnt(make_study, **changes):
    study = make_study(**{"seeds": SEEDS, "floors": FLOORS, "points": 2, **changes})
    study.measure_learning()
    return study


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_gains_are_paired_t_intervals_at_every_budget(make_study):
    study = learnt(make_study, objectives=("mlm", "taco", "span"))
    # Neither need be the baseline of the study.
    (glue, *losses) = compare_pair(study.results(), Pair("span", "taco"))
    assert glue.source == "glue"
    assert set(glue.along) == {0.5, 1.0}
    # span is 2 points above taco at every seed, at every point.
    for found in glue.along.values():
        assert (found.estimate.value, found.low.value, found.seeds) == pytest.approx((2, 2, 4))
    (first, *_) = compare_pair(study.results(), Pair("taco", "mlm"))
    # Each later seed adds 1 to mlm and 2 to taco, which begins 2 points above it.
    mean, half = t_interval(np.array([2.0, 3.0, 4.0, 5.0]))
    for share in (0.5, 1.0):
        found = first.along[share]
        assert found.estimate.value == pytest.approx(mean)
        assert found.low.value == pytest.approx(mean - half)
    # A loss has a gain too, in nats; no verdict is about it.
    assert all(score.gain is None and score.speedup is not None for score in losses)


def test_the_answers_are_those_of_the_judge(make_study):
    results = learnt(make_study).results()
    for score in compare_pair(results, Pair("taco", "mlm")):
        for kind, value, own in (("gain", 0.0, score.gain), ("speedup", 1.0, score.speedup)):
            if own is not None:
                asked = Question(kind, results.plan.equalize, value)
                assert own == answer_claim(results, Pair("taco", "mlm"), asked, score.source)


def test_it_is_printed_and_says_what_is_concluded(make_study, here, capsys):
    learnt(make_study).write(here / "run")
    assert main(["compare", "run", "mlm", "taco"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("# taco against mlm: made-up\n")
    assert "- By glue score taco is significantly better than mlm: gain +3.50 [+1.4" in printed
    assert "Gain of taco over mlm at each budget" in printed
    assert "Not tested: there are 4 pretraining seeds" in printed
    # The other way round it is the same with the other sign.
    assert main(["compare", "run", "taco", "mlm"]) == 0
    assert "mlm is significantly worse than taco: gain -3.50" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seeds": (1, 2)}, "nothing may be concluded: 2 seeds give no confidence interval"),
        ({"floors": None}, "nothing may be concluded: the floors of glue were not measured"),
    ],
)
def test_what_cannot_be_concluded_is_said_with_the_reason(make_study, here, capsys, changes, why):
    learnt(make_study, **changes).write(here / "run")
    assert main(["compare", "run", "mlm", "taco"]) == 0
    assert f"- By glue score {why}" in capsys.readouterr().out


def test_one_pretraining_each_is_compared_by_examples(make_study):
    study = learnt(make_study, seeds=(1,))
    raw = give_examples(study)
    (glue, *_) = compare_pair(study.results(), Pair("taco", "mlm"))
    assert [test.column for test in glue.examples] == ["cola", "mrpc", "mnli_m", "mnli_mm"]
    single = []
    for test in glue.examples:
        # The first metric of the first fine-tuning seed; by hand, from the binomial distribution.
        ours, theirs = (
            next(iter(raw[name, 1, 0, test.column].values())) for name in ("taco", "mlm")
        )
        only = sum(a > b for a, b in zip(ours, theirs, strict=True))
        other = sum(a < b for a, b in zip(ours, theirs, strict=True))
        assert (test.only_objective, test.only_baseline) == (only, other)
        assert test.examples == len(ours)
        unlike = only + other
        tail = sum(comb(unlike, k) for k in range(min(only, other) + 1)) / 2**unlike
        single.append(min(1.0, 2 * tail) if only != other else 1.0)
    ordered = sorted(range(4), key=lambda place: single[place])
    worst = 0.0
    for rank, place in enumerate(ordered):
        worst = max(worst, min(1.0, (4 - rank) * single[place]))
        assert glue.examples[place].p_value == pytest.approx(worst)


def test_the_examples_are_a_table_that_says_what_it_is_not(make_study, here, capsys):
    study = learnt(make_study, seeds=(1,))
    give_examples(study)
    study.write(here / "run")
    assert main(["compare", "run", "mlm", "taco"]) == 0
    printed = capsys.readouterr().out
    assert "It tells two encoders apart and not two objectives" in printed
    assert "only taco right" in printed


def test_every_format_is_written(make_study, here, capsys):
    learnt(make_study).write(here / "run")
    words = ["compare", "run", "mlm", "taco", "--format", "markdown,html,csv,latex,json"]
    assert main(words) == 0
    folder = here / "run" / "leaderboard" / "mlm-vs-taco"
    assert "comparison: run/leaderboard/mlm-vs-taco/README.md" in capsys.readouterr().out
    tables = json.loads((folder / "tables.json").read_text())["tables"]
    assert [table["title"] for table in tables] == [
        "Gain of taco over mlm at each budget",
        "Speedup of taco over mlm",
    ]
    assert len(list((folder / "tables").glob("*.csv"))) == 2
    assert "<script" in (folder / "index.html").read_text()
    before = (folder / "README.md").read_text()
    assert main(words) == 0
    assert (folder / "README.md").read_text() == before
    (folder / "README.md").write_text("by hand")
    assert main(words) == 2
    assert "was not made by objbench compare" in capsys.readouterr().err


def test_two_runs_of_the_same_text_are_compared_by_seed(make_study, here, capsys):
    learnt(make_study).write(here / "one")
    other = learnt(make_study, seeds=(2, 3, 4, 5))
    other.write(here / "two")
    assert main(["compare", "one", "mlm", "two", "taco"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("# taco@other of two against mlm of one\n")
    assert "3 seeds" in printed
    # An objective is compared with itself of another run: here the same, seed by seed.
    assert main(["compare", "one", "mlm", "two", "mlm"]) == 0
    assert "# mlm@other of two against mlm of one\n" in capsys.readouterr().out


def test_runs_that_are_not_alike_are_refused(make_study, here, capsys):
    study = learnt(make_study)
    study.write(here / "one")
    for field, value, why in [
        ("data", {"key": "another"}, "not of the same text and tokenizer"),
        ("budget", "5-steps", "the budget is 1200-steps in one run and 5-steps in the other"),
    ]:
        changed = learnt(make_study)
        changed.plan = changed.plan.model_copy(update={field: value})
        if field == "data":
            changed.lines = None  # They are of the first text.
        changed.write(here / field)
        assert main(["compare", "one", "mlm", field, "taco"]) == 2
        assert why in capsys.readouterr().err
    learnt(make_study, seeds=(7, 8)).write(here / "seeds")
    assert main(["compare", "one", "mlm", "seeds", "taco"]) == 2
    assert "no pretraining seed in common" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["run"], "give RUN A B, or RUN_A A RUN_B B"),
        (["run", "mlm", "tacoo"], "unknown objective 'tacoo' of run; did you mean 'taco'?"),
        (["run", "mlm", "mlm"], "mlm cannot be compared with itself"),
        (["nowhere", "mlm", "taco"], "nowhere holds no plan.json"),
        (["s3://bucket/run", "mlm", "taco"], "is an address; name a path on this machine"),
        (["run", "mlm", "taco", "--format", "pdf"], "unknown value 'pdf'"),
        (["run", "mlm", "taco", "--out", "x"], "--out goes with --format"),
    ],
)
def test_wrong_words_are_one_line(make_study, here, capsys, words, why):
    make_study().write(here / "run")
    assert main(["compare", *words]) == 2
    error = capsys.readouterr().err
    assert why in error
    assert error.count("\n") == 1
