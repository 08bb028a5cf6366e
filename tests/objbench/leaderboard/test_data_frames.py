"""Results in Python: every number by hand on the made-up study, and as published of the others."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from published_values import PUBLISHED, WITHOUT_STUCK_RUNS

import objbench
from objbench.errors import ObjbenchError
from objbench.leaderboard.page import write_leaderboard
from objbench.leaderboard.table_columns import COSTS, CURVES, SCORES, VERDICTS

ROOT = Path(__file__).parents[3]
TABLES = {"scores": SCORES, "curves": CURVES, "verdicts": VERDICTS, "costs": COSTS}


def frame(folder, name):
    return getattr(objbench.read_results(folder), name)().to_frame()


@pytest.fixture(scope="module", params=WITHOUT_STUCK_RUNS)
def study(request):
    """A committed study and the numbers published of it."""
    return objbench.read_results(ROOT / "leaderboard" / request.param), PUBLISHED[request.param]


def close(value):
    """Published numbers have ten digits."""
    return pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", TABLES)
def test_columns_have_the_documented_names_and_dtypes(make_study, tmp_path, name):
    run = make_study(seeds=(1, 2, 3)).write(tmp_path)
    found = getattr(objbench.read_results(run), name)()
    made = found.to_frame()
    assert len(found) == len(made) > 0
    assert found.columns is TABLES[name]
    assert list(made) == list(TABLES[name])
    assert [made[column].dtype for column in made] == [
        pd.api.types.pandas_dtype(column.dtype) for column in TABLES[name].values()
    ]
    assert all(column.meaning for column in TABLES[name].values())
    assert set(made["study"]) == {"made-up"}
    assert {name for row in found for name in row} == set(made)


@pytest.mark.parametrize("name", TABLES)
def test_a_study_that_has_not_begun_has_the_same_columns(make_study, tmp_path, name):
    study = make_study()
    study.records.clear()
    study.plan = study.plan.model_copy(update={"cells": ()})
    made = frame(study.write(tmp_path), name)
    assert list(made) == list(TABLES[name])
    assert name == "verdicts" or made.empty


@pytest.mark.parametrize("name", TABLES)
def test_a_run_and_its_published_form_give_the_same_tables(make_study, tmp_path, name):
    run = make_study(seeds=(1, 2, 3)).write(tmp_path / "run")
    out = write_leaderboard(run, tmp_path / "out", with_records=True).parent
    pd.testing.assert_frame_equal(frame(run, name), frame(str(out), name))


def test_scores_by_hand(make_study, tmp_path):
    scores = frame(make_study().write(tmp_path), "scores")
    # 2 objectives, 2 seeds, 4 columns, 3 points: 1 fine-tuning seed on the way, 2 at the end.
    assert len(scores) == 2 * 2 * 4 * (1 + 1 + 2)
    end = scores.query("objective == 'mlm' and seed == 1 and share == 1 and finetune_seed == 0")
    assert dict(zip(end["column"], end["value"], strict=True)) == pytest.approx(
        {"cola": 19.0, "mrpc": 74.0, "mnli_m": 49.0, "mnli_mm": 53.0}
    )
    (mrpc,) = end[end["column"] == "mrpc"].to_dict("records")
    assert (mrpc["suite"], mrpc["task"], mrpc["metrics"]) == ("glue", "mrpc", "accuracy+f1")
    assert (mrpc["scale"], mrpc["direction"]) == (100, "max")
    spent = (mrpc["steps"], mrpc["tokens"], mrpc["flops"], mrpc["seconds"])
    assert spent == (1200, 1200 * 2048, 3.6e12, 76)
    assert (mrpc["status"], mrpc["why"]) == ("ok", "")


def test_what_was_not_measured_is_a_row_without_a_value(make_study, tmp_path):
    study = make_study(points=1, finetune=(0,))
    study.change("glue.cola.taco.seed-1.1of1.ft-0", status="failed", reason="no memory", scores={})
    study.change("glue.cola.taco.seed-2.1of1.ft-0", scores={}, unscored={"cola": "no token head"})
    del study.records["glue.cola.mlm.seed-1.1of1.ft-0"]
    study.change("taco.seed-2", status="diverged", reason="loss is nan")
    del study.records["mlm.seed-2"]
    run = study.write(tmp_path)
    cola = frame(run, "scores").query("column == 'cola'")
    rows = {(row.objective, row.seed): row for row in cola.itertuples()}
    assert len(rows) == 4
    assert rows["mlm", 2].value == pytest.approx(20.0)
    missing = rows["mlm", 1], rows["taco", 1], rows["taco", 2]
    assert [row.status for row in missing] == ["missing", "failed", "ok"]
    assert [row.why for row in missing] == ["", "no memory", "no token head"]
    assert all(math.isnan(row.value) for row in missing)
    assert rows["mlm", 1].steps is pd.NA
    costs = {(row.objective, row.seed): row for row in frame(run, "costs").itertuples()}
    assert costs["taco", 2].status == "diverged"
    assert costs["taco", 2].steps == 900
    assert costs["mlm", 2].status == "missing"
    assert costs["mlm", 2].steps is costs["mlm", 2].peak_memory is pd.NA
    assert set(frame(run, "curves")["score"]) == {
        "glue",
        "heldout:mlm",
        "heldout:loss",
        "heldout:tc",
    }


def test_curves_by_hand(make_study, tmp_path):
    curves = frame(make_study().write(tmp_path), "curves")
    glue = curves.query("score == 'glue' and objective == 'mlm' and seed == 2")
    # 50 at the end, 1 less with the first fine-tuning seed alone, 20 less for a missing budget.
    assert glue["value"].tolist() == pytest.approx([49 - 40 / 3, 49 - 20 / 3, 49])
    assert glue["share"].tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert glue["point"].tolist() == [1, 2, 3]
    assert glue["steps"].tolist() == [400, 800, 1200]
    assert glue["seconds"].tolist() == [27, 52, 77]
    loss = curves.query("score == 'heldout:mlm' and objective == 'taco' and seed == 2")
    assert loss["value"].tolist() == pytest.approx([5 + 2 / 3, 5 + 1 / 3, 5])
    assert set(loss["direction"]) == {"min"}
    assert loss["flops"].tolist() == [1.2e12, 2.4e12, 3.6e12]


def test_what_runs_learnt_by_hand(make_study, tmp_path):
    study = make_study()
    study.measure_learning({"taco": (2,)})
    run = study.write(tmp_path)
    runs = {(row.objective, row.seed): row for row in frame(run, "costs").itertuples()}
    own, stuck = runs["mlm", 1], runs["taco", 2]
    assert (own.learnt, own.learnt_at, own.common_of) == ("learnt", 800, "masked")
    assert (own.common_loss, own.order_gain, own.bigram_line) == pytest.approx((3.0, 2.0, 4.5))
    assert (stuck.learnt, stuck.common_loss, stuck.order_gain) == ("stuck", 5.2, 0.0)
    assert stuck.learnt_at is pd.NA
    curves = frame(run, "curves").query("objective == 'mlm' and seed == 1")
    common = curves[curves["score"] == "heldout:common"]
    assert common["value"].tolist() == pytest.approx([5.0, 4.0, 3.0])
    gain = curves[curves["score"] == "order_gain"]
    assert gain["value"].tolist() == pytest.approx([2 / 3, 4 / 3, 2])
    assert (set(common["direction"]), set(gain["direction"])) == ({"min"}, {"max"})


def test_what_old_runs_learnt_is_unknown(make_study, tmp_path):
    study = make_study()
    del study.records["mlm.seed-2"]
    found = frame(study.write(tmp_path), "costs")
    assert set(found["learnt"]) == {"unknown"}
    assert found["common_loss"].isna().all() and found["bigram_line"].isna().all()
    assert set(found["common_of"]) == {""}


def test_a_claim_of_ones_own_is_judged(tmp_path, make_study):
    run = make_study(seeds=(1, 2, 3)).write(tmp_path / "run")
    claim = (ROOT / "leaderboard/claims/taco-2022.toml").read_text()
    own = tmp_path / "own.toml"
    own.write_text(claim)
    results = objbench.read_results(run)
    bundled, mine = results.verdicts().to_frame(), results.verdicts([str(own)]).to_frame()
    assert [name.replace("own", "taco-2022") for name in mine["claim"]] == list(bundled["claim"])
    pd.testing.assert_frame_equal(bundled.drop(columns="claim"), mine.drop(columns="claim"))


def test_verdicts_are_those_published(study):
    results, published = study
    made = results.verdicts().to_frame()
    # Claims that ship since are judged too.
    made = made[made["claim"].isin({old["claim"] for old in published["verdicts"]})]
    for row, old in zip(made.itertuples(), published["verdicts"], strict=True):
        assert (row.claim, row.score) == (old["claim"], old["source"])
        # No study here is at a paper's scale.
        words = {"confirmed": ("reproduced", "found"), "refuted": ("not reproduced", "not found")}
        assert row.verdict.startswith(
            words.get(old["verdict"], ("inconclusive",) if old["source"] else ("not tested",))
        )
        assert row.seeds == len(old["seeds"])
        finding = old["finding"]
        if finding is None:
            assert math.isnan(row.estimate)
            assert row.why
            continue
        for name in ("estimate", "low", "high"):
            side, value = finding[name] or ("", math.nan)
            assert getattr(row, f"{name}_side") == side
            assert getattr(row, name) == pytest.approx(value, rel=1e-9, nan_ok=True)
        assert (row.comparison, row.claimed) == (finding["direction"], finding["claimed"])
        for end, more in zip(("low", "high"), finding["more_seeds"] or (None, None), strict=True):
            found = getattr(row, f"more_seeds_{end}")
            assert found is pd.NA if more is None else found == more


def test_costs_are_those_published(study):
    results, published = study
    costs = results.costs().to_frame()
    assert set(costs["objective"]) == set(published["costs"])
    for objective, old in published["costs"].items():
        own = costs[costs["objective"] == objective]
        assert len(own) == old["seeds"]
        for name in ("steps", "tokens", "flops", "seconds", "flops_per_step", "tokens_per_second"):
            assert own[name].mean() == close(old[name])
        assert own["peak_memory"].max() == old["peak_memory"]


def test_scores_average_to_those_published(study):
    results, published = study
    scores = results.scores().to_frame()
    for suite in results.study.suites:
        end = scores[(scores["suite"] == suite.name) & (scores["share"] == 1)]
        columns = end.groupby(["objective", "seed", "column"])["value"].mean().unstack()
        ranked = {row["objective"]: row["score"] for row in published["ranking"][suite.name]}
        for objective, score in ranked.items():
            if score is not None:
                rows = columns.loc[objective].to_dict("index")
                averages = [suite.average.score(rows[seed]) for seed in results.study.seeds]
                assert np.mean(averages) == close(score["mean"])
                assert (min(averages), max(averages)) == close((score["low"], score["high"]))


def test_held_out_losses_end_as_published(study):
    results, published = study
    curves = results.curves().to_frame()
    last = curves.groupby(["score", "objective", "seed"])["value"].last()
    for objective, terms in published["heldout"].items():
        for term, old in terms.items():
            if old is not None:
                assert last[f"heldout:{term}", objective].mean() == close(old["mean"])


@pytest.mark.parametrize("place", ["nowhere", "empty", "file"])
def test_a_folder_that_is_no_study_is_one_line(tmp_path, place):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ObjbenchError, match=r"holds no plan\.json") as caught:
        objbench.read_results(tmp_path / place)
    assert "\n" not in str(caught.value)


def test_no_torch_is_imported():
    code = (
        "import sys, objbench\n"
        "results = objbench.read_results(sys.argv[1])\n"
        "for name in ('scores', 'curves', 'verdicts', 'costs'):\n"
        "    assert len(getattr(results, name)().to_frame())\n"
        "print([m for m in ('torch', 'transformers', 'datasets', 'matplotlib') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(ROOT / "leaderboard/toy")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
