"""The plan of a study before anything of it is run."""

from dataclasses import replace

import pytest

from objbench.cli.main import main
from objbench.contract.suite import Work
from objbench.errors import BudgetError, ConfigError
from objbench.results.run_folder import RunFolder, read_plan
from objbench.runs.cells import forecast
from objbench.runs.cells.forecast import what_is_left
from objbench.runs.cells.prepared_study import prepare
from objbench.runs.finished_part import finished_part
from objbench.runs.forecast import devices, evaluation_times, expected_seconds
from objbench.runs.forecast.disk import PAGE
from objbench.runs.forecast.expected_seconds import TimedHere
from objbench.runs.forecast.expected_steps import expected_steps
from objbench.runs.forecast.forecast import AROUND, lines_of
from objbench.runs.forecast.plan_ahead import Asked, forecast_ahead, plan_ahead
from objbench.runs.planning.configured_plugins import configure_plugins

ON_H100 = Asked(device="h100")


@pytest.fixture(scope="module")
def finished(make_study, run, tmp_path_factory):
    """(study, folder of it) with an encoder that is larger than its README."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    config = {
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "intermediate_size": 176,
        "max_position_embeddings": 32,
    }
    study = make_study(encoder={"model_type": "bert", "config": config})
    run(study, folder)
    return study, folder


def test_the_flops_of_the_plan_are_those_of_the_run(finished, registry):
    study, folder = finished
    plan = read_plan(folder)
    words = plan.data["vocabulary"]
    steps = expected_steps(study, configure_plugins(study, registry), words, "cpu")
    for objective in plan.objectives:
        assert steps[objective.name].flops == objective.flops_per_step
        assert steps[objective.name].tokens == objective.tokens_per_step


def _bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_disk_is_within_two_percent(finished, registry, cache):
    study, folder = finished
    plan = read_plan(folder)
    prepared = prepare(study, registry, RunFolder(folder), cache=cache, device="cpu")
    left = what_is_left(prepared, plan, plan.cells, jobs=1)
    assert left.disk.count == len(list(folder.glob("encoders/*/step-*"))) == 4
    assert left.disk.encoders == pytest.approx(_bytes(folder / "encoders"), rel=0.02)
    stored = sum(_bytes(folder / part) for part in ("encoders", "records", "losses", "costs"))
    stored += (folder / "plan.json").stat().st_size
    assert left.disk.encoders + left.disk.records - PAGE == pytest.approx(stored, rel=0.02)
    # What a cell is expected to take adds up to what all are.
    seconds = {cell.id: left.seconds_of(cell) for cell in plan.cells}
    known = sum(value for value in seconds.values() if value is not None)
    assert known == pytest.approx(left.pretraining_seconds + left.evaluation_seconds)
    assert [value for value in seconds.values()].count(None) == 2 + 2
    # The lines are those that the run has said.
    lines = lines_of(left)
    assert lines[0] == ("plan: 11 cells: 2 pretrainings, 4 evaluations, 3 floors, 2 curves")
    assert lines[1].startswith("each pretraining: mlm 6 steps, ")
    assert any(line.startswith("5 evaluations left: about ") for line in lines)
    assert any("time not estimated: floors without an encoder 2" in line for line in lines)


def test_a_plan_leaves_out_what_the_run_folder_has(finished, registry, tmp_path):
    study, folder = finished
    done = finished_part(study, registry, RunFolder(folder), "cpu").cells
    assert len(done) == len(read_plan(folder).cells)
    asked = replace(ON_H100, done=done)
    assert lines_of(forecast_ahead(study, registry, asked)) == [
        f"plan: nothing is left: all {len(done)} cells are done"
    ]
    more = study.model_copy(update={"seeds": (0, 1)})
    kinds, each, left, *_ = plan_ahead(more, registry, asked)
    assert kinds.startswith("plan: 9 cells left, 11 done: 2 pretrainings, 4 evaluations, ")
    assert each.startswith("each pretraining: mlm 6 steps") and "taco" in each
    assert left.startswith("2 pretrainings left: ")
    # All that one objective has, and nothing of the other.
    own = [cell for cell in done if cell.objective == "mlm" and cell.kind == "pretrain"]
    half = forecast_ahead(study, registry, replace(ON_H100, done=own))
    assert [one.objective for one in half.pretrainings] == ["taco"]
    assert half.cells["pretrain"] == 1
    assert finished_part(study, registry, RunFolder(tmp_path / "new"), "cpu").cells == ()


def test_the_folder_of_another_study_is_named_and_has_nothing_of_this_one(finished, capsys):
    words = ["--objectives", "mlm,taco", "--preset", "demo", "--corpus", "toy", "--device", "h100"]
    assert main(["plan", *words, "--out", str(finished[1])]) == 0
    said, refused = capsys.readouterr()
    assert said.startswith("plan: ") and " done" not in said.splitlines()[0]
    assert refused.startswith("objbench run would refuse this: ") and "another study" in refused


def test_what_is_left_of_evaluations_alone_names_no_encoder(finished, registry):
    study, folder = finished
    done = finished_part(study, registry, RunFolder(folder), "cpu").cells
    trained = [cell for cell in done if cell.kind == "pretrain"]
    lines = plan_ahead(study, registry, replace(ON_H100, done=trained))
    assert not any("pretraining" in line or "disk for 0" in line for line in lines)
    assert any(line.startswith("about ") and "of disk for records" in line for line in lines)


def test_steps_that_no_run_has_timed_are_timed_for_the_plan(finished, registry, cache, monkeypatch):
    study, folder = finished
    plan, own = read_plan(folder), RunFolder(folder)
    compared = own.read_step_comparison()
    own.write_step_comparison(None)
    prepared = prepare(study, registry, own, cache=cache, device="cpu")
    assert what_is_left(prepared, plan, plan.cells, jobs=1).pretraining_seconds > 0
    assert own.read_step_comparison() is None
    # A later round of the study measures nothing again, and nothing but what is new.
    timed, said, counted = TimedHere(), [], []
    monkeypatch.setattr(prepared.display, "say", said.append)
    plain = expected_seconds.finetuning_seconds
    monkeypatch.setattr(
        expected_seconds,
        "finetuning_seconds",
        lambda *given: counted.append(given[-2:]) or plain(*given),
    )
    rounds = [what_is_left(prepared, plan, plan.cells, jobs=1, timed=timed) for _ in range(2)]
    assert said == ["timing a step of mlm, taco"]
    assert len(counted) == len(set(counted)) > 0
    assert rounds[0] == rounds[1] and rounds[0].evaluation_seconds > 0
    other = plan.objectives[1].model_copy(update={"flops_per_step": 1.0})
    tuned = plan.model_copy(update={"objectives": (plan.objectives[0], other)})
    what_is_left(prepared, tuned, plan.cells, jobs=1, timed=timed)
    assert said[1:] == ["timing a step of taco"]
    monkeypatch.setattr(forecast, "takes_too_long", lambda *_: True)
    assert what_is_left(prepared, plan, plan.cells, jobs=1).pretraining_seconds is None
    own.write_step_comparison(compared)


@pytest.mark.parametrize(
    ("model_type", "changes", "message"),
    [
        ("fnet", {"objectives": ["mlm", "clm"]}, "does not respect the causal mask"),
        ("bert", {"objectives": ["mlm", "mae+tc"]}, "reads tokens that 'mae' hides"),
        ("albert", {"training": {"activation_checkpointing": True}}, "cannot recompute the layers"),
    ],
)
def test_a_family_that_cannot_do_it_is_refused(make_study, registry, model_type, changes, message):
    study = make_study(encoder={"model_type": model_type}, **changes)
    with pytest.raises(ConfigError, match=message):
        forecast_ahead(study, registry, ON_H100)


def test_a_plan_counts_all_cells_and_multiplies_what_each_costs(make_study, registry):
    study = make_study(seeds=[0, 1, 2], budget="1k-steps")
    found = forecast_ahead(study, registry, ON_H100)
    assert found.cells == {
        "trial": 0,
        "pretrain": 6,
        "evaluation": 12,
        "trial_evaluation": 0,
        "floor": 5,
        "curve": 6,
    }
    mlm = found.pretrainings[0]
    assert (mlm.objective, mlm.runs, mlm.steps, mlm.exports) == ("mlm", 3, 1000, 2)
    whole = sum(3 * one.each for one in found.pretrainings)
    assert found.pretraining_seconds == pytest.approx(whole)
    assert found.device_seconds == pytest.approx(whole + found.evaluation_seconds)
    two = replace(found, jobs=2)
    assert two.seconds == pytest.approx(AROUND + found.device_seconds / 2)
    # More cells at a time than there are: none ends before the longest.
    assert replace(found, jobs=1000).seconds == AROUND + max(
        each.each for each in found.pretrainings
    )
    (polarity,) = found.evaluations
    assert polarity.cells == 12 + 3
    assert polarity.seconds > expected_seconds.BESIDE_STEPS
    text = "\n".join(lines_of(found))
    assert "6 pretrainings left: " in text and "on one H100 SXM 80 GB at an assumed 20% of" in text
    assert "USD at 2.00 to 4.00 an hour (remembered, not looked up, 2026-11-29)" in text
    assert "3 seeds: a difference of" in text


def test_what_is_not_known_is_said_and_never_0(make_study, registry, monkeypatch):
    monkeypatch.setattr(evaluation_times, "find_spec", lambda name: None)
    study = make_study(evaluation={"suites": ["toy", "heldout"], "points": 2})
    found = forecast_ahead(study, registry, ON_H100)
    assert found.not_estimated == {"heldout": 4 + 2, "floors without an encoder": 2}
    unknown = [each for each in found.evaluations if each.suite == "heldout"]
    assert [each.seconds for each in unknown] == [None]
    only = make_study(evaluation={"suites": ["heldout"], "points": 2})
    assert forecast_ahead(only, registry, ON_H100).evaluation_seconds is None


def test_every_suite_says_what_it_reads(make_study, registry):
    suites = ["toy", "probe", "heldout", "representation", "blimp"]
    study = make_study(evaluation={"suites": suites, "points": 2}, options={"probe": {"of": "toy"}})
    found = forecast_ahead(study, registry, ON_H100)
    assert [*found.not_estimated] == ["floors without an encoder"]
    assert {each.suite for each in found.evaluations} == {*suites}
    assert "BLiMP is scored piece by piece" in "\n".join(lines_of(found))


def test_trials_are_pretrainings_too(make_study, registry):
    tuning = {
        "seeds": [7, 8],
        "budget": "2-steps",
        "grid": {"training.learning_rate": [1e-3, 2e-3]},
    }
    found = forecast_ahead(make_study(tuning=tuning), registry, ON_H100)
    assert found.cells["trial"] == 8
    trial = found.pretrainings[0]
    assert (trial.runs, trial.steps, trial.exports) == (4, 2, 1)
    kinds, trials, runs, left, *_ = lines_of(found)
    assert "8 trials" in kinds
    assert trials.startswith("each trial: mlm 2 steps, ")
    assert runs.startswith("each pretraining: mlm ") and "mlm 2 steps" not in runs
    assert left.startswith("8 trials and 2 pretrainings left: ")


def test_a_trunk_pays_for_its_branches(make_study, registry):
    training = {"batch": 4, "schedule": "trunk"}
    study = make_study(training=training, budget="100-steps")
    found = forecast_ahead(study, registry, ON_H100)
    assert found.pretrainings[0].route_steps > found.pretrainings[0].steps == 100
    plain = forecast_ahead(make_study(training={"batch": 4}), registry, ON_H100)
    assert found.disk.checkpoints == 2 * plain.disk.checkpoints


def test_a_budget_of_time_is_spent_at_the_devices_speed(make_study, registry):
    slow, fast = (
        forecast_ahead(make_study(budget="10-min"), registry, Asked(device=name)).pretrainings[0]
        for name in ("a100", "h100")
    )
    assert slow.steps * slow.seconds == pytest.approx(600, rel=0.01)
    assert fast.steps >= slow.steps
    with pytest.raises(BudgetError, match="less than one step"):
        forecast_ahead(make_study(budget="1e-9-min"), registry, ON_H100)


def test_without_a_device_steps_are_taken_here(make_study, registry):
    found = forecast_ahead(make_study(), registry, Asked(jobs=2))
    assert all(one.seconds > 0 for one in found.pretrainings)
    assert "on this machine (cpu), by steps measured here" in "\n".join(lines_of(found))
    assert "2 cells at a time" in "\n".join(lines_of(found))
    assert found.price is None


def test_a_step_that_is_too_long_to_measure_is_looked_up(make_study, registry, monkeypatch):
    monkeypatch.setattr("objbench.runs.forecast.made_up_jobs.LONGEST", 0.0)
    monkeypatch.setattr(devices, "measured_peak", lambda precision: 1e11)
    text = "\n".join(plan_ahead(make_study(), registry, Asked()))
    assert "on this machine's CPU at an assumed 40%" in text


def test_what_does_not_fit_is_named_with_its_parts(make_study, registry, monkeypatch):
    small = devices.named_device("h100").model_copy(update={"memory": 1.5001e9})
    monkeypatch.setattr("objbench.runs.forecast.plan_ahead.named_device", lambda name: small)
    lines = plan_ahead(make_study(), registry, ON_H100)
    said = [line for line in lines if line.startswith("does not fit: ")]
    assert [line.split()[6] for line in said] == ["mlm", "taco"]
    assert all("--micro-batches" in line or "no number of parts" in line for line in said)


def test_a_price_may_be_given_and_seeds_asked_for(make_study, registry):
    asked = Asked(device="h100", price=2.5, difference=1.0, deviation=0.5)
    text = "\n".join(plan_ahead(make_study(), registry, asked))
    assert "USD at 2.50 an hour (as given)" in text
    assert "1 seed: no difference can be significant, 3 or more are needed" in text
    assert "a difference of 1 with a deviation of 0.5 needs 5 seeds" in text


def test_the_papers_study_is_planned_without_corpus_and_without_glue(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["plan", "--objectives", "mlm,taco", "--preset", "small", "--seeds", "5"]
    assert main([*words, "--device", "h100", "--glue-protocol", "taco-2022"]) == 0
    printed = capsys.readouterr().out
    # 250,000 steps of 1,024 x 256 tokens; 5 points of 9 tasks; untrained encoders and two floors.
    assert "10 pretrainings, 450 evaluations, 63 floors, 10 curves" in printed
    assert "mlm 250,000 steps, 6.31e18 FLOPs, 65.5B tokens" in printed
    assert "GLUE's official numbers of examples" in printed
    assert "no corpus is named" in printed
    assert not list(tmp_path.iterdir())


def test_a_work_says_all_of_it():
    assert Work(steps=1, trained=2, read=3, length=4.0).assumed == ""
