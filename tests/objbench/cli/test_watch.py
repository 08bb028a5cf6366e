"""``objbench watch``: a run that lasts, from its plan, records and logs, without torch."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from objbench.cli.main import main
from objbench.leaderboard.watched_run import Watcher
from objbench.results.run_folder import RunFolder
from objbench.results.training_log import EvaluationLine, TrainingLine, TrainingLog

FIELDS = {"total": 1000, "tokens": 8, "flops": 1e9}


def training(done, ago=0.0, **fields):
    time = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
    usual = {"loss": 2.5, "terms": {"mlm": 2.5}, "gradient_norm": 0.75, "learning_rate": 1e-3}
    usual |= {"tokens_per_second": 12345.6, "time": time, "seconds": done / 10}
    return TrainingLine(**{**FIELDS, "done": done, "step": done, **usual, **fields})


def evaluation(done):
    return EvaluationLine(
        **FIELDS,
        time=datetime.now(UTC).isoformat(),
        done=done,
        step=done,
        seconds=done / 10,
        share=0.5,
        heldout={"loss": 2.25},
        common_loss=2.3,
        order_gain=0.125,
    )


@pytest.fixture
def run(make_study, tmp_path):
    """A run of which some records are gone, as while it lasts, and the cells that they are of."""
    make_study(seeds=(0, 1, 2)).write(tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    cells = [cell for cell in folder.read_plan().cells if cell.kind == "pretrain"]
    for cell in cells[1:4]:
        folder.store.delete(folder.where(cell).removeprefix(f"{folder}/"))
    return folder, cells


def log_of(folder, cell, *lines):
    log = TrainingLog(folder.log(cell))
    log.begin(0, 1000)
    for line in lines:
        log.add(line)
    log.close()


def test_cells_are_running_silent_waiting_or_done(run):
    folder, cells = run
    log_of(folder, cells[1], training(400), evaluation(400), training(500))
    log_of(folder, cells[2], training(300, ago=4000))
    watcher = Watcher(folder.path)
    seen = watcher.look()
    states = {cell.id: cell.state for cell in seen.pretrainings}
    expected = ["ok", "running", "silent", "waiting"]
    assert [states[cell.id] for cell in cells[:4]] == expected
    assert [cell.state for cell in seen.pretrainings][:3] == ["running", "silent", "waiting"]
    first = seen.pretrainings[0]
    assert (first.training.done, first.evaluation.done) == (500, 400)
    # 500 steps took 50 seconds.
    assert first.seconds_left == pytest.approx(50)
    assert seen.cells - seen.done == 3 and not seen.is_complete
    log_of(folder, cells[1], training(400), evaluation(400), training(500), training(600))
    assert watcher.look().pretrainings[0].training.done == 600


def test_a_cell_whose_run_was_interrupted_is_stopped_at_once(run):
    folder, cells = run
    log = TrainingLog(folder.log(cells[1]))
    log.begin(0, 1000)
    log.add(training(500))
    watcher = Watcher(folder.path)
    assert watcher.look().pretrainings[0].state == "running"
    log.stop()
    log.close()
    seen = {cell.id: cell for cell in watcher.look().pretrainings}[cells[1].id]
    assert (seen.state, seen.training.done, seen.seconds_left) == ("stopped", 500, None)
    # The run that continues cuts it off.
    log.begin(500, 1000)
    assert watcher.look().pretrainings[0].state == "running"
    log.close()


def test_once_prints_a_plain_table(run, capsys):
    folder, cells = run
    log_of(folder, cells[1], evaluation(400), training(500))
    assert main(["watch", str(folder), "--once"]) == 0
    printed = capsys.readouterr().out
    assert "cells done" in printed.splitlines()[0]
    (row,) = (line for line in printed.splitlines() if cells[1].id in line)
    assert row.split()[1:9] == [
        *("running", "500/1,000", "2.500", "0.75", "0.001", "12,346", "2.250", "0.12"),
    ]
    assert "evaluation, " in printed and "\x1b" not in printed


def test_what_strangers_wrote_does_nothing_to_the_terminal(run, capsys):
    folder, cells = run
    log_of(folder, cells[1], training(500))
    with folder.log(cells[1]).open("ab") as file:
        file.write(b'{"kind": "training", "loss": "\x1b[2J[bold]"}\n\x00\xff' + b"x" * 3_000_000)
    assert main(["watch", str(folder), "--once"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_link_out_of_the_folder_is_refused(run, capsys, tmp_path):
    folder, cells = run
    (folder.path / "logs").mkdir()
    folder.log(cells[1]).symlink_to("/dev/zero")
    assert main(["watch", str(folder), "--once"]) == 2
    assert "leads out of its folder" in capsys.readouterr().err


def test_a_folder_without_a_plan_is_one_line(command_line):
    assert "plan.json" in command_line.refusal(["watch", "nothing", "--once"])
    assert "--every" in command_line.refusal(["watch", "nothing", "--every", "0"])
    assert "unknown value 'visdom'" in command_line.refusal(
        ["run", "--objectives", "mlm", "--track", "visdom"]
    )


def test_a_published_study_is_no_run_to_watch(command_line):
    study = Path(__file__).parents[3] / "leaderboard" / "toy-same"
    said = command_line.refusal(["watch", str(study), "--once"])
    assert "holds a published study" in said
    assert "show this one with `objbench leaderboard`" in said


def test_it_takes_no_torch(run, command_line):
    folder, _ = run
    codes, modules = command_line.codes_and_modules([["watch", str(folder), "--once"]])
    assert codes == [0]
    assert not {"torch", "accelerate", "transformers"} & modules


def test_records_keep_the_command_without_its_trackers():
    from objbench.cli.run import _without_tracking

    words = ["run", "--track", "wandb", "--objectives", "mlm", "--track=trackio", "--seeds", "2"]
    assert _without_tracking(words) == ["run", "--objectives", "mlm", "--seeds", "2"]
