"""A cell that is killed and continued in trackio, which keeps its files where TRACKIO_DIR says."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path

import trackio
from accelerate import PartialState
from trackio.sqlite_storage import SQLiteStorage

from objbench.runs.tracking.tracker import TrackedRun
from objbench.runs.tracking.trackers import TRACKERS

path = Path(__file__).with_name("test_trackers.py")
spec = importlib.util.spec_from_file_location("test_trackers", path)
tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tests)

run = TrackedRun(
    study="a study",
    cell="mlm.seed-0",
    objective="mlm",
    folder=Path(os.environ["TRACKED"]),
    file="mlm.seed-0.abcdef",
    settings={"training.batch": 8},
)
PartialState(cpu=True)  # As in a run.
tracker = TRACKERS["trackio"]
tracker.require()
expected = tests.track_killed_and_continued(tracker, run)
# Another run folder of the same study has runs of its own.
assert tests.track(tracker, replace(run, file="other", folder=run.folder / "other")) == ""
runs = {found.name: found for found in trackio.Api().runs("a study")}
assert len(runs) == 2
found = runs[f"mlm.seed-0-{run.remembered()}"]
rows = SQLiteStorage.get_logs("a study", found.name)
losses = [(row["step"], row["train/loss"]) for row in rows if "train/loss" in row]
assert losses == expected, losses
assert found.config["training.batch"] == 8, found.config
print("as expected")
