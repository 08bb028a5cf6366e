"""What is no file, or no file of its name, is refused in one line: nothing waits for it or shows it."""

import json
import os
import shutil
from pathlib import Path

import pytest

from objbench.cli.main import main
from objbench.errors import RecordError
from objbench.results import generations
from objbench.results.json_files import sealed, write_to
from objbench.results.local_store import LocalStore
from objbench.results.run_folder import RunFolder, read_plan
from objbench.results.step_cost import StepCost
from objbench.results.study_results import read_comparison
from objbench.results.training_log import FollowedLog

TOY = Path(__file__).parents[3] / "leaderboard" / "toy"


@pytest.fixture
def published(tmp_path):
    """A copy of a published study, to be spoilt."""
    return Path(shutil.copytree(TOY, tmp_path / "toy"))


@pytest.fixture
def run(make_study, tmp_path):
    """A run folder, to be spoilt."""
    return make_study().write(tmp_path / "run")


@pytest.fixture
def refused(tmp_path, capsys):
    """(folder) -> what `objbench leaderboard` says of it."""

    def told(folder):
        assert main(["leaderboard", str(folder), "--out", str(tmp_path / "out")]) == 2
        out, err = capsys.readouterr()
        assert not out and not (tmp_path / "out").exists()
        return " ".join(err.split())

    return told


def test_a_hidden_generation_is_not_read_in_place_of_a_plan(published):
    plan = published / "plan.json"
    first, life, _ = generations._first(plan)
    folder = generations._folder(plan, life)
    folder.mkdir()
    body = json.loads(first)
    body.pop("sha256")
    (folder / "1").write_text(json.dumps(sealed(body | {"name": "swapped in"})))
    assert LocalStore(published).get("plan.json")[1] == f"{life}-1"
    assert read_plan(published).name != "swapped in"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
@pytest.mark.parametrize("name", ["evaluation.jsonl", "plan.json", "lines.json", "overhead.json"])
def test_what_is_no_file_of_a_published_study_is_named(published, refused, name, make):
    (published / name).unlink()
    make(published / name)
    assert name in refused(published)


def test_a_pipe_in_place_of_a_record_is_named(run, refused):
    record = next(run.glob("records/evaluation/*"))
    record.unlink()
    os.mkfifo(record)
    assert "it is no ordinary file: delete it" in refused(run)


def test_a_folder_in_place_of_a_record_is_named(run, refused):
    record = next(run.glob("records/evaluation/*"))
    record.unlink()
    record.mkdir()
    assert "is no file" in refused(run)


@pytest.mark.parametrize("name", ["records", "attempts", "segments", "costs"])
def test_a_file_in_place_of_a_folder_is_named(run, name):
    shutil.rmtree(run / name, ignore_errors=True)
    (run / name).write_text("")
    with pytest.raises(RecordError, match=f"{name} is no folder: delete it"):
        LocalStore(run).list(name)


def test_a_run_whose_records_are_a_file_has_no_page(run, refused):
    shutil.rmtree(run / "records")
    (run / "records").write_text("")
    assert "is no folder" in refused(run)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_log_that_is_no_file_is_not_waited_for(tmp_path, make):
    path = tmp_path / "log.jsonl"
    make(path)
    with pytest.raises(RecordError, match="is no ordinary file: delete it"):
        FollowedLog(path).look()


def test_a_cost_of_another_objective_or_of_another_step_is_refused(tmp_path):
    folder, cost = RunFolder(tmp_path), StepCost(tokens=100.0, flops=1e9, seconds=0.5)
    for number, name in enumerate(("mlm", "taco"), start=1):
        folder.write_cost(name, "ab" * 32, cost.model_copy(update={"flops": number * 1e9}))
    assert folder.read_cost("taco", "ab" * 32) == cost.model_copy(update={"flops": 2e9})
    mlm, taco = sorted((tmp_path / "costs").iterdir())
    mlm.rename(tmp_path / "kept")
    taco.rename(mlm)
    with pytest.raises(
        RecordError, match=r"mlm\..* is the cost of another step, of taco: delete it"
    ):
        folder.read_cost("mlm", "ab" * 32)
    # The file is called by the beginning of the key.
    mlm.unlink()
    (tmp_path / "kept").rename(mlm)
    with pytest.raises(RecordError, match="is the cost of another step"):
        folder.read_cost("mlm", "ab" * 31 + "cd")


def test_a_cost_from_before_it_said_whose_it_is_is_read(tmp_path):
    cost = StepCost(tokens=100.0, flops=1e9)
    folder = RunFolder(tmp_path)
    write_to(folder.store, f"costs/mlm.{'ab' * 6}.json", cost)
    assert folder.read_cost("mlm", "ab" * 32) == cost


OTHER = [
    ({"baseline": "taco"}, "its baseline is taco, planned mlm"),
    ({"baseline": "evil", "objectives": ["evil"]}, "its baseline is evil"),
    ({"objectives": ["mlm", "evil"]}, "evil is not one of the objectives"),
    ({"objectives": ["mlm", "mlm"]}, "two steps are of mlm"),
    ({"cost_keys": {}}, "its keys are not of the objectives"),
    ({"flops": 1.0}, "FLOPs, planned"),
    ({"shortest": 9.0, "longest": 1.0}, "the median of mlm is not between"),
]


@pytest.mark.parametrize(("changes", "said"), OTHER, ids=[said for _, said in OTHER])
def test_a_comparison_of_other_steps_is_refused(published, refused, changes, said):
    path = published / "overhead.json"
    body = json.loads(path.read_text())
    body.pop("sha256")
    (step, other) = body["objectives"]
    assert (step["objective"], other["objective"]) == ("mlm", "taco")
    for name, value in changes.items():
        if name == "objectives":
            body[name] = [step | {"objective": one} for one in value]
            body["cost_keys"] = dict.fromkeys(value, "0" * 64)
        elif name in body:
            body[name] = value
        else:
            step[name] = value
    path.write_text(json.dumps(sealed(body)))
    found = refused(published)
    assert "overhead.json is not of this study" in found and said in found


def test_a_comparison_may_lack_what_was_added_since(published):
    path = published / "overhead.json"
    body = json.loads(path.read_text())
    body.pop("sha256")
    body["objectives"] = body["objectives"][:1]
    del body["cost_keys"]["taco"]
    path.write_text(json.dumps(sealed(body)))
    found = read_comparison(published, read_plan(published))
    assert [step.objective for step in found.objectives] == ["mlm"]
