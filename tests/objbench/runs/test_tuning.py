"""Tuning: as many trials for every objective, on text and a seed that no result uses."""

import pytest

from objbench.errors import ConfigError, UnknownNameError
from objbench.results.records import TrialEvaluationRecord, TrialRecord
from objbench.results.run_folder import read_plan, read_records
from objbench.results.study_results import read_study_results
from objbench.runs.dry_run import dry_run
from objbench.runs.planning.trials import Tuner
from objbench.study.study import build_study

BASE = {"objectives": ["mlm", "taco"], "budget": "9-steps", "seeds": [0]}


def study(**tuning):
    return build_study([{**BASE, "tuning": tuning}], "test")


def test_a_grid_is_every_combination():
    grid = {"training.learning_rate": [1e-3, 2e-3], "training.warmup": [0.1, 0.2]}
    trials = study(grid=grid).tuning.trials("mlm")
    assert len(trials) == 4
    assert trials[1] == {"training.learning_rate": 1e-3, "training.warmup": 0.2}


@pytest.mark.parametrize(
    ("tuning", "told"),
    [
        ({"grid": {"data.length": [8]}}, "'data.length' cannot be tuned"),
        ({"grid": {"training.batch": [8]}}, "'training.batch' cannot be tuned"),
        ({"seeds": [0]}, "is one of the study's seeds"),
        ({"budget": "3-apples"}, "unknown unit"),
        (
            {
                "grid": {"training.warmup": [0.1, 0.2]},
                "objectives": {"taco": {"training.clip": [1]}},
            },
            "every objective must get the same number of trials, not mlm 2, taco 1",
        ),
        ({"objectives": {"rtd": {}}}, "tuning names 'rtd'"),
    ],
)
def test_an_unfair_or_impossible_grid_is_refused(tuning, told):
    with pytest.raises(ConfigError, match=told):
        study(**tuning)


def test_an_objective_runs_with_its_own_settings():
    whole = build_study([{**BASE, "overrides": {"taco": {"training.learning_rate": 0.5}}}], "test")
    assert whole.for_objective("taco").training.learning_rate == 0.5
    assert whole.for_objective("mlm") == whole
    assert whole.for_objective("mlm", {"options.mlm.rate": 0.4}).options["mlm"]["rate"] == 0.4
    with pytest.raises(ConfigError, match=r"settings of mlm: training\.warmth"):
        whole.for_objective("mlm", {"training.warmth": 1})


def test_the_best_trial_gives_its_settings_and_a_second_run_adds_nothing(
    make_study, run, tmp_path, capsys
):
    # A rate of one in a million learns nothing.
    grid = {"training.learning_rate": [1e-6, 1e-2]}
    tuned = make_study(tuning={"grid": grid, "score": "mlm", "budget": "30-steps", "seeds": [1000]})
    assert run(tuned, tmp_path).complete
    # Of the two plans that are forecast, the first has trials alone and says so.
    said = capsys.readouterr().err
    assert said.count("the study's own cells follow them") == 1
    assert said.index("the study's own cells follow them") < said.index("tuned: ")
    trials = {r.id: r for r in read_records(tmp_path) if isinstance(r, TrialRecord)}
    assert set(trials) == {f"{n}.trial-{t}" for n in ("mlm", "taco") for t in (0, 1)}
    assert {(r.seed, r.points[-1].meters.steps) for r in trials.values()} == {
        (1000, 30),
        (1000, 26),
    }
    plan = read_plan(tmp_path)
    for objective in plan.objectives:
        own = [trials[f"{objective.name}.trial-{number}"] for number in (0, 1)]
        best = min(own, key=lambda record: record.points[-1].heldout["mlm"])
        assert objective.overrides == best.settings
        record = next(r for r in read_records(tmp_path) if r.id == f"{objective.name}.seed-0")
        rate = best.settings["training.learning_rate"]
        assert record.config["training"]["learning_rate"] == rate
    assert plan.objectives[0].overrides == {"training.learning_rate": 1e-2}
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "records").rglob("*.json")}
    assert run(tuned, tmp_path).complete
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "records").rglob("*.json")}
    assert after == before


def test_a_score_that_is_no_heldout_loss_is_refused(make_study, run, tmp_path):
    grid = {"training.learning_rate": [1e-3]}
    with pytest.raises(
        UnknownNameError, match=r"tuning\.score 'tc' for mlm \(known: common, loss, mlm\)"
    ):
        run(make_study(tuning={"grid": grid, "score": "tc"}), tmp_path)


def test_seeds_are_added_and_never_taken_away(make_study, run, tmp_path):
    few = {"evaluation": {"suites": [], "points": 1, "heldout_batches": 1}}
    run(make_study(seeds=[3, 1], **few), tmp_path)
    with pytest.raises(
        ConfigError, match="dropping 1 now would be cherry-picking: use --seeds 3,1"
    ):
        run(make_study(seeds=[3], **few), tmp_path)
    run(make_study(seeds=[3, 1, 2], **few), tmp_path)
    assert read_plan(tmp_path).declared == ((3, 1), (2,))


def test_a_suite_tunes_on_its_training_data_and_is_reported_separately(
    make_study, run, registry, tmp_path
):
    grid = {"training.learning_rate": [1e-6, 1e-2]}
    tuned = make_study(tuning={"grid": grid, "score": "toy", "seeds": [1000]})
    assert run(tuned, tmp_path).complete
    records = {r.id: r for r in read_records(tmp_path)}
    scored = {i: r for i, r in records.items() if isinstance(r, TrialEvaluationRecord)}
    assert set(scored) == {f"toy.polarity.{n}.trial-{t}" for n in ("mlm", "taco") for t in (0, 1)}
    # A fifth of the 32 examples it may train on; the reported score has an evaluation split.
    assert {r.eval_examples["polarity"] for r in scored.values()} == {6}
    assert {r.train_examples for r in scored.values()} == {26}
    for objective in read_plan(tmp_path).objectives:
        found = [
            scored[f"toy.polarity.{objective.name}.trial-{n}"].scores["polarity"]["accuracy"]
            for n in (0, 1)
        ]
        best = grid["training.learning_rate"][int(found[1] > found[0])]
        assert objective.overrides == {"training.learning_rate": best}
    listed = dry_run(tuned, run=tmp_path, registry=registry).splitlines()[:-1]
    assert {line.split()[-1] for line in listed} == {c.id for c in read_plan(tmp_path).cells}
    assert all(line.startswith("done") for line in listed)
    results = read_study_results(tmp_path)
    assert {cell.kind for cell in results.evaluations("toy")} == {"evaluation"}
    assert results.seeds == (0,)


@pytest.mark.parametrize("unreliable", [(), ("mlm",)])
def test_what_was_chosen_is_said_and_whether_any_setting_learnt_on_all_seeds(
    make_study, run, tmp_path, monkeypatch, capsys, unreliable
):
    monkeypatch.setattr(Tuner, "without_reliable_setting", lambda *_: unreliable)
    few = {"evaluation": {"suites": [], "points": 1, "heldout_batches": 1}, "objectives": ["mlm"]}
    tuning = {"grid": {"training.learning_rate": [1e-3]}, "seeds": [7]}
    run(make_study(**few, tuning=tuning), tmp_path)
    (line,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith("tuned")]
    said = " (no setting of mlm learnt on all of its tuning seeds)" if unreliable else ""
    assert line == f"tuned: mlm training.learning_rate = 0.001{said}"
