"""A study on two workers in a tracker: a run per pretraining, and nothing of it in what is stored."""

import pytest

from objbench.results.run_folder import RunFolder
from objbench.results.training_log import read_training_log


@pytest.mark.slow
def test_two_workers_track_their_own_cells(make_study, run, tmp_path, capsys):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    study = make_study(evaluation={"suites": ["toy"], "points": 1, "max_train_samples": 16})
    assert run(study, tmp_path / "run", jobs=2, trackers=["tensorboard"]).complete
    folder = RunFolder(tmp_path / "run")
    plan = folder.read_plan()
    cells = [cell for cell in plan.cells if cell.kind == "pretrain"]
    assert len(cells) == 2
    for cell in cells:
        found = EventAccumulator(str(folder.tracking("tensorboard") / folder.log(cell).stem))
        found.Reload()
        events = {event.step: event.value for event in found.Scalars("train/loss")}
        lines = [line for line in read_training_log(folder.log(cell)) if line.kind == "training"]
        assert events == {line.done: pytest.approx(line.loss) for line in lines}
    assert f"tensorboard --logdir {folder.tracking('tensorboard')}" in capsys.readouterr().err
    stored = [*folder.path.glob("records/**/*.json"), folder.path / "plan.json"]
    assert not any("tensorboard" in path.read_text() for path in stored)
    # The same cells by the same keys, without a tracker.
    assert run(study, tmp_path / "run", jobs=1).complete
    assert {cell.key for cell in folder.read_plan().cells} == {cell.key for cell in plan.cells}
