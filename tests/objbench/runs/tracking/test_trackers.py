"""Lines of a cell in real trackers, on this machine: all of them, once, also after a kill.

Each test is skipped where its tracker is not installed, but not where OBJBENCH_TRACKERS=required.
"""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from accelerate import PartialState

from objbench.errors import ConfigError
from objbench.results.training_log import EvaluationLine, TrainingLine
from objbench.runs.tracking.tracked_cell import TrackedCell, values_of
from objbench.runs.tracking.tracker import TrackedRun
from objbench.runs.tracking.trackers import TRACKERS

POINT = {"time": "2026-11-29T12:00:00+00:00", "total": 30, "tokens": 8, "flops": 1e9}
SECONDS = 120


def needs(package):
    if importlib.util.find_spec(package) is None:
        if os.environ.get("OBJBENCH_TRACKERS") == "required":
            pytest.fail(f"{package} is not installed")
        pytest.skip(f"{package} is not installed")


def line(done, **fields):
    usual = {"loss": done / 8, "terms": {"mlm": done / 8}, "gradient_norm": None}
    usual |= {"learning_rate": 1e-3, "tokens_per_second": 100.0}
    return TrainingLine(**{**POINT, "done": done, "step": done, "seconds": 1.0, **usual, **fields})


LINES = [
    line(5),
    line(10),
    EvaluationLine(
        **POINT,
        done=10,
        step=10,
        seconds=1.0,
        share=0.5,
        heldout={"mlm (its text)": 2.0, "loss": 2.0},
        common_loss=2.5,
        order_gain=0.25,
    ),
    line(15, branch=True),
    line(20),
]
LOSSES = [(5, 0.625), (10, 1.25), (20, 2.5)]


@pytest.fixture
def run(tmp_path):
    PartialState(cpu=True)  # As in a run.
    return TrackedRun(
        study="a study",
        cell="mlm.seed-0",
        objective="mlm",
        folder=tmp_path / "tracking",
        file="mlm.seed-0.abcdef",
        settings={"training.batch": 8, "options.rate": 0.15, "seed": 0},
    )


def track(tracker, run, done=0, lines=LINES):
    cell = TrackedCell(tracker, run)
    cell.begin(done)
    for each in lines:
        cell.add(each)
    cell.close(SECONDS)
    return cell.fault


def track_killed_and_continued(tracker, run):
    """A run that was killed after 20 steps, and continues from its checkpoint of 10 steps."""
    assert track(tracker, run) == ""
    again = TrackedCell(tracker, run)
    again.begin(10)
    for each in (*LINES[3:], line(25)):
        again.add(each)
    again.close(SECONDS)
    assert again.fault == ""
    return [*LOSSES, (25, 3.125)]


def test_what_a_tracker_is_sent():
    trained, evaluated, branch = values_of(LINES[0]), values_of(LINES[2]), values_of(LINES[3])
    assert trained["train/loss"] == trained["train/terms/mlm"] == 0.625
    assert trained["train/tokens_per_second"] == 100.0 and trained["spent/flops"] == 1e9
    # A norm that was not finite is left out.
    assert "train/gradient_norm" not in trained
    assert evaluated["heldout/mlm _its text_"] == 2.0 and evaluated["heldout/order_gain"] == 0.25
    assert branch == {}


def test_tensorboard(run):
    needs("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    TRACKERS["tensorboard"].require()
    expected = track_killed_and_continued(TRACKERS["tensorboard"], run)
    found = EventAccumulator(str(run.folder / run.file))
    found.Reload()
    assert [(e.step, e.value) for e in found.Scalars("train/loss")] == expected
    assert [(e.step, e.value) for e in found.Scalars("heldout/order_gain")] == [(10, 0.25)]
    (settings,) = found.Tensors("settings/text_summary")
    assert b"|training.batch|8|" in settings.tensor_proto.string_val[0]


def test_trackio(run, tmp_path):
    needs("trackio")
    # Where it keeps its files is read once, when it is imported.
    code = f"import runpy; runpy.run_path({str(Path(__file__).with_name('in_trackio.py'))!r})"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "TRACKIO_DIR": str(tmp_path / "trackio"), "TRACKED": str(run.folder)},
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "as expected"


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory):
    """The address of an MLflow server; its command is not in the package that logs to it."""
    needs("mlflow")
    command = os.environ.get("OBJBENCH_MLFLOW")
    if not command:
        if os.environ.get("OBJBENCH_TRACKERS") == "required":
            pytest.fail("OBJBENCH_MLFLOW does not name the command of an MLflow server")
        pytest.skip("OBJBENCH_MLFLOW does not name the command of an MLflow server")
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    words = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    server = subprocess.Popen([command, *words], cwd=folder, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 300
        while True:
            try:
                with urllib.request.urlopen(f"{address}/health", timeout=5):
                    break
            except OSError:
                assert time.monotonic() < deadline and server.poll() is None, "no server"
                time.sleep(0.5)
        yield address
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def test_mlflow(run, mlflow_server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    tracker = TRACKERS["mlflow"]
    tracker.require()
    expected = track_killed_and_continued(tracker, run)
    import mlflow

    client = mlflow.MlflowClient()
    (experiment,) = client.search_experiments(filter_string="name = 'a study'")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.run_name == "mlm.seed-0" and found.data.tags["objective"] == "mlm"
    assert found.data.params["training.batch"] == "8"
    history = client.get_metric_history(found.info.run_id, "train/loss")
    assert [(each.step, each.value) for each in history] == expected
    assert tracker.where("a study", run.folder) == f"experiment a study at {mlflow_server}"


def test_mlflow_without_a_server_is_refused_at_once(monkeypatch):
    needs("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigError, match="set MLFLOW_TRACKING_URI"):
        TRACKERS["mlflow"].require()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ConfigError, match="--track mlflow: it does not take runs") as refused:
        TRACKERS["mlflow"].require()
    assert "\n" not in str(refused.value)


def test_trackio_with_a_server_that_is_gone_is_refused(monkeypatch):
    needs("trackio")
    monkeypatch.setenv("TRACKIO_SERVER_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ConfigError, match="--track trackio: it does not take runs"):
        TRACKERS["trackio"].require()


def test_wandb_offline(run, monkeypatch):
    needs("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DATA_DIR", str(run.folder))
    TRACKERS["wandb"].require()
    assert track(TRACKERS["wandb"], run) == ""
    (written,) = run.folder.glob("wandb/offline-run-*/run-*.wandb")
    # A process of wandb's own writes the file, and may still do so when the run has ended.
    end, wanted = time.monotonic() + 60, (b"train/loss", b"mlm.seed-0", b"a study")
    while not all(name in written.read_bytes() for name in wanted):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert run.remembered() in written.name


def test_wandb_of_somebody_who_is_not_logged_in_is_refused(monkeypatch, tmp_path):
    needs("wandb")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="--track wandb"):
        TRACKERS["wandb"].require()
