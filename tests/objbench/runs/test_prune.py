"""Pruning: what no unfinished cell needs goes, no record does, and what is missed says why."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from objbench.cli.main import main
from objbench.results.run_folder import RunFolder, read_records
from objbench.runs.executors.leases import Leases
from objbench.runs.prune import prune, pruning


@pytest.fixture(scope="module")
def finished(make_study, run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "finished"
    assert run(make_study(), folder).exit_code == 0
    return folder


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


def encoders(run):
    return sorted(path.relative_to(run).as_posix() for path in run.glob("encoders/*/step-*/"))


def records(run):
    return {path: path.read_bytes() for path in run.glob("records/*/*.json")}


def test_nothing_is_removed_unless_told_to(copy, capsys):
    before = encoders(copy)
    files = [path for path in copy.glob("encoders/**/*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    assert main(["prune", str(copy)]) == 0
    printed = capsys.readouterr().out
    assert encoders(copy) == before
    assert [line.split()[2] for line in printed.splitlines()[:4]] == [
        str(copy / name) for name in before
    ]
    assert f"4 encoders and the checkpoints of 0 cells: {size:,} bytes" in printed
    assert "nothing has been removed" in printed


def test_all_encoders_of_a_finished_study_go_and_no_record(copy, make_study, run, capsys):
    (copy / "checkpoints" / "old.0123456789ab").mkdir(parents=True)
    (copy / "checkpoints" / "old.0123456789ab" / "state").write_bytes(bytes(100))
    before = records(copy)
    assert main(["prune", str(copy), "--yes"]) == 0
    assert "4 encoders and the checkpoints of 1 cell: " in capsys.readouterr().out
    assert encoders(copy) == []
    assert not list(copy.glob("checkpoints/*"))
    assert not list(copy.glob("encoders/*/.*"))
    assert records(copy) == before
    assert pruning(copy).removable == ()
    # Nothing is left to be run, so nothing is missed.
    assert run(make_study(), copy).exit_code == 0
    assert records(copy) == before


def test_a_pruned_encoder_is_said_to_be_pruned_and_made_again(copy, make_study, run):
    prune(copy)
    wanted = next(r for r in read_records(copy) if r.kind == "evaluation" and r.share == 1.0)
    plan = RunFolder(copy).read_plan()
    cell = next(cell for cell in plan.cells if cell.id == wanted.id)
    record = Path(RunFolder(copy).where(cell))
    record.unlink()
    end = run(make_study(), copy)
    assert end.exit_code == 2
    text = end.failures[0].text
    assert "was removed by `objbench prune`; delete " in text
    assert text.endswith("to pretrain it again")
    assert "\n" not in text and "damaged" not in text
    for path in copy.glob(f"records/pretrain/{cell.objective}.*.json"):
        path.unlink()
    assert run(make_study(), copy).exit_code == 0
    assert record.is_file()


def test_what_an_unfinished_cell_needs_is_kept(copy):
    plan = RunFolder(copy).read_plan()
    evaluation = next(c for c in plan.cells if c.kind == "evaluation" and c.share == 0.5)
    Path(RunFolder(copy).where(evaluation)).unlink()
    pretrained = next(c for c in plan.cells if c.id == evaluation.needs[0])
    own = f"encoders/{pretrained.id}.{pretrained.key[:12]}/step-{evaluation.step}"
    found = pruning(copy)
    assert found.kept == (own,)
    assert [r.name for r in found.removable] == [name for name in encoders(copy) if name != own]
    # An unfinished pretraining goes on from its checkpoint, with the encoders it has exported.
    Path(RunFolder(copy).where(pretrained)).unlink()
    checkpoints = copy / f"checkpoints/{pretrained.id}.{pretrained.key[:12]}"
    checkpoints.mkdir(parents=True)
    found = prune(copy)
    assert len(found.kept) == 3
    assert len(encoders(copy)) == 2
    assert checkpoints.is_dir()


def test_what_a_worker_has_is_left_to_it(copy, capsys):
    plan = RunFolder(copy).read_plan()
    cell = next(cell for cell in plan.cells if cell.kind == "pretrain")
    # Of an earlier plan, as a round of tuning; its worker has not heard of the next one yet.
    earlier = cell.model_copy(update={"key": "f" * 64})
    for one in (cell, earlier):
        RunFolder(copy).checkpoints(one).mkdir(parents=True)
    own, others = RunFolder(copy).encoders(cell), len(encoders(copy))
    leases = Leases(RunFolder(copy).store)
    taken = [leases.take(one, "node-7:12") for one in (cell, earlier)]
    assert main(["prune", str(copy), "--yes"]) == 0
    assert capsys.readouterr().out.endswith("4 folders kept, which workers have\n")
    assert 0 < len(encoders(copy)) < others
    assert all(name.startswith(f"{own}/") for name in encoders(copy))
    assert all(RunFolder(copy).checkpoints(one).is_dir() for one in (cell, earlier))
    for lease in taken:
        leases.give_back(lease)
    assert pruning(copy).kept == ()


def test_a_run_under_way_is_left_alone(copy, capsys):
    before = encoders(copy)
    with FileLock(copy / ".lock"):
        assert main(["prune", str(copy), "--yes"]) == 2
    assert f"objbench is running in {copy}: prune it when it has ended" in capsys.readouterr().err
    assert encoders(copy) == before


def test_a_link_is_not_followed(copy, tmp_path):
    outside = tmp_path / "outside" / "step-1"
    outside.mkdir(parents=True)
    (outside / "mine").write_text("kept")
    (copy / "encoders" / "linked.0123456789ab").symlink_to(outside.parent)
    folder = next(path for path in (copy / "encoders").iterdir() if not path.is_symlink())
    (folder / "step-999").symlink_to(outside)
    prune(copy)
    assert (outside / "mine").read_text() == "kept"


def test_a_folder_without_a_plan_is_refused(tmp_path, capsys):
    assert main(["prune", str(tmp_path), "--yes"]) == 2
    assert "holds no plan.json" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
