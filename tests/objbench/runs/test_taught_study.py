"""A study in which an objective learns from another: keys, order, records, resuming, tuning."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from objbench.errors import ConfigError
from objbench.results.records import TrialRecord
from objbench.results.run_folder import read_plan, read_records
from objbench.runs.dry_run import dry_run
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.tacl import TokenAwareContrast

SMALL = {
    "objectives": ["mlm", "tacl"],
    "evaluation": {"suites": [], "points": 2, "heldout_batches": 1},
}


@pytest.fixture(scope="module")
def finished(make_study, run, tmp_path_factory):
    """The folder of a finished study of mlm and of tacl, which learns from it."""
    folder = tmp_path_factory.mktemp("runs") / "taught"
    assert run(make_study(**SMALL), folder).complete
    return folder


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the finished study, to be changed."""
    return shutil.copytree(finished, tmp_path / "copy")


def cells_of(folder):
    return {cell.id: cell for cell in read_plan(folder).cells}


def records_of(folder):
    return {record.id: record for record in read_records(folder)}


def weights_of(folder, cell):
    (last,) = (folder / "encoders").glob(f"{cell.id}.{cell.key[:12]}/step-{cell.step}")
    return load_file(last / "model.safetensors")


def test_the_learner_needs_its_teacher_of_the_same_seed(finished, page_of):
    cells, records = cells_of(finished), records_of(finished)
    assert cells["tacl.seed-0"].needs == ("mlm.seed-0",)
    assert cells["mlm.seed-0"].needs == ()
    assert records["tacl.seed-0"].teachers == {"mlm": cells["mlm.seed-0"].key}
    assert records["mlm.seed-0"].teachers == {}
    assert {item.name: item.teachers for item in read_plan(finished).objectives} == {
        "mlm": (),
        "tacl": ("mlm",),
    }
    page = page_of(finished)
    assert "tacl learns from the final encoder of mlm" in page
    assert "teachers (not in budget)" in page


def test_it_learns_from_the_final_encoder_that_was_exported(finished, make_study, run, tmp_path):
    # The same study whose teacher has learnt otherwise: other weights of the learner.
    other = make_study(**SMALL, options={"mlm": {"rate": 0.5}})
    assert run(other, tmp_path).complete
    ours, theirs = (cells_of(folder)["tacl.seed-0"] for folder in (finished, tmp_path))
    assert ours.key != theirs.key
    one, two = weights_of(finished, ours), weights_of(tmp_path, theirs)
    assert any(not torch.equal(one[name], two[name]) for name in one)


def test_a_changed_teacher_makes_its_learner_stale_and_not_the_other_way_round(
    copy, make_study, run
):
    before = cells_of(copy)
    assert run(make_study(**SMALL, options={"tacl": {"temperature": 0.1}}), copy).complete
    learner_changed = cells_of(copy)
    assert learner_changed["mlm.seed-0"].key == before["mlm.seed-0"].key
    assert learner_changed["tacl.seed-0"].key != before["tacl.seed-0"].key


def test_a_learner_named_first_or_alone_is_refused_before_any_work(
    make_study, run, registry, tmp_path
):
    for names, told in (
        (
            ["tacl", "mlm"],
            "tacl learns from mlm, whose cost is not counted in its budget.*name mlm first",
        ),
        (
            ["taco", "tacl"],
            r"add mlm to --objectives, or name another .*--set tacl\.teacher=\.\.\.",
        ),
    ):
        study = make_study(**{**SMALL, "objectives": names})
        with pytest.raises(ConfigError, match=told):
            run(study, tmp_path)
        with pytest.raises(ConfigError, match=told):
            dry_run(study, run=tmp_path, registry=registry)
    assert not (tmp_path / "records").exists()


def test_the_order_of_the_names_is_not_that_of_training(make_study, registry, tmp_path):
    study = make_study(**{**SMALL, "objectives": ["taco", "tacl", "mlm"]})
    lines = dry_run(study, run=tmp_path, registry=registry).splitlines()[:-1]
    assert [line.split()[-1] for line in lines] == ["taco.seed-0", "mlm.seed-0", "tacl.seed-0"]


def test_a_teachers_encoder_that_is_gone_is_an_error_that_says_so(copy, make_study, run):
    shutil.rmtree(copy / "encoders")
    next((copy / "records" / "pretrain").glob("tacl*")).unlink()
    end = run(make_study(**SMALL), copy)
    assert end.exit_code == 2
    assert [failure.id for failure in end.failures] == ["tacl.seed-0"]
    assert "is gone; delete" in end.failures[0].text
    assert "mlm.seed-0" in end.failures[0].text


class Interrupted(TokenAwareContrast):
    """TaCL whose corruption is interrupted once, as by Ctrl-C."""

    at = None

    def corrupt(self, batch, streams):
        if type(self).at is not None and self.training:
            type(self).at -= 1
            if type(self).at < 0:
                type(self).at = None
                raise KeyboardInterrupt
        return super().corrupt(batch, streams)


def test_an_interrupted_learner_goes_on_where_it_was(make_study, run, with_objective, tmp_path):
    Interrupted.name = "tacl"
    registry = with_objective(Interrupted)
    training = {"batch": 4, "learning_rate": 1e-3, "log_every": 2, "checkpoint_every": 0}
    study = make_study(**SMALL, training=training)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run(study, whole, registry=registry).complete
    steps = cells_of(whole)["tacl.seed-0"].step
    assert steps >= 3
    shutil.copytree(whole / "costs", cut / "costs")  # so that training is all that is left
    shutil.copy(whole / "overhead.json", cut)
    Interrupted.at = steps
    with pytest.raises(KeyboardInterrupt):
        run(study, cut, registry=registry)
    assert set(records_of(cut)) == {"mlm.seed-0"}
    assert list((cut / "checkpoints").glob("tacl*/*"))
    assert run(study, cut, registry=registry).complete
    one, two = (weights_of(folder, cells_of(folder)["tacl.seed-0"]) for folder in (whole, cut))
    assert all(torch.equal(one[name], two[name]) for name in one)


class Faulty(MaskedLanguageModeling):
    """MLM that measures well and fails to train."""

    name = "faulty"
    calls = 0

    def corrupt(self, batch, streams):
        type(self).calls += 1
        if type(self).calls > 4:
            raise RuntimeError("planted fault")
        return super().corrupt(batch, streams)


def test_where_the_teacher_fails_the_learner_is_not_run(
    make_study, run, with_objective, page_of, tmp_path
):
    study = make_study(
        **{**SMALL, "objectives": ["mlm", "faulty", "tacl"]},
        options={"tacl": {"teacher": "faulty"}},
    )
    end = run(study, tmp_path, registry=with_objective(Faulty))
    assert [failure.id for failure in end.failures] == ["faulty.seed-0"]
    assert set(records_of(tmp_path)) == {"mlm.seed-0", "faulty.seed-0"}
    assert "needs faulty.seed-0, which has failed" in page_of(tmp_path)


def test_trials_learn_from_the_best_trial_of_the_teacher(make_study, run, tmp_path):
    # A rate of one in a million learns nothing.
    grid = {"training.learning_rate": [1e-6, 1e-2]}
    tuning = {"grid": grid, "score": "mlm", "budget": "30-steps", "seeds": [1000]}
    assert run(make_study(**SMALL, tuning=tuning), tmp_path).complete
    cells, records = cells_of(tmp_path), records_of(tmp_path)
    for number in (0, 1):
        assert cells[f"mlm.trial-{number}"].needs == ()
        assert cells[f"tacl.trial-{number}"].needs == ("mlm.trial-1",)
        trial = records[f"tacl.trial-{number}"]
        assert isinstance(trial, TrialRecord)
        assert trial.teachers == {"mlm": cells["mlm.trial-1"].key}
    assert records["tacl.seed-0"].teachers == {"mlm": cells["mlm.seed-0"].key}
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "records").rglob("*.json")}
    assert run(make_study(**SMALL, tuning=tuning), tmp_path).complete
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "records").rglob("*.json")}
    assert after == before


def test_records_from_before_there_were_teachers_are_read(copy):
    path = next((copy / "records" / "pretrain").glob("mlm*"))
    body = json.loads(path.read_text())
    del body["sha256"], body["teachers"]
    path.write_text(json.dumps(body))
    plan = json.loads((copy / "plan.json").read_text())
    del plan["sha256"]
    for item in plan["objectives"]:
        del item["teachers"]
    (copy / "plan.json").write_text(json.dumps(plan))
    assert records_of(copy)["mlm.seed-0"].teachers == {}
    assert {item.teachers for item in read_plan(copy).objectives} == {()}
