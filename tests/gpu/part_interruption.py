"""``objbench run`` on the GPU: killed in the middle, run again, and compared with one left alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import torch
from own_process import Row

from objbench.cli.main import main
from objbench.leaderboard import page  # noqa: F401 - so that no process of the command has to
from objbench.results.run_folder import RunFolder, read_records
from objbench.runs import run_study  # noqa: F401

STUDY = """
preset = "demo"
objectives = ["mlm"]
budget = "{steps}-steps"
training = {{ log_every = 10, checkpoint_every = 0, batch = {batch} }}
evaluation = {{ suites = ["toy"], points = 1, max_train_samples = 64, heldout_batches = 1 }}
options.toy = {{ tasks = ["polarity"], epochs = 1 }}
"""

# What a run took, and not what it computed.
TIMES = {"provenance", "seconds", "branch_seconds", "tokens_per_second", "peak_memory"}


def run(setting: Any, row: Row) -> None:
    """The kill comes as soon as there is a checkpoint of some steps."""
    steps, batch = (12, 4) if setting.dry else (300, 32)
    study = setting.folder / "study.toml"
    study.write_text(STUDY.format(steps=steps, batch=batch))
    whole, killed = setting.folder / "whole", setting.folder / "killed"
    began = time.perf_counter()
    _ended(setting, study, whole)
    alone = time.perf_counter() - began
    process = _started(setting, study, killed)
    checkpoints = killed / "checkpoints"
    while process.is_alive() and not any(checkpoints.rglob("step-*")):
        time.sleep(0.005)
    was_alive = process.is_alive()
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    _ended(setting, study, killed)
    one, other = content(whole), content(killed)
    row(
        killed_in_the_middle=was_alive,
        seconds_left_alone=alone,
        records=len(one),
        same_cells=one.keys() == other.keys(),
        equal=one == other,
        largest_difference_of_losses=_difference(whole, killed),
    )
    if one.keys() != other.keys():
        raise RuntimeError("the run that was killed has other cells")


def content(folder: Path) -> dict[str, Any]:
    """Cell -> its record without what depends on the clock."""
    logged = map(RunFolder(folder).with_log, read_records(folder))
    return {record.id: _numbers(record.model_dump(mode="json")) for record in logged}


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _numbers(inner) for name, inner in value.items() if name not in TIMES}
    return [_numbers(inner) for inner in value] if isinstance(value, list) else value


def _difference(one: Path, other: Path) -> float:
    logs = [
        [
            point.loss
            for record in read_records(folder)
            for point in getattr(RunFolder(folder).with_log(record), "log", ())
        ]
        for folder in (one, other)
    ]
    return max(abs(a - b) for a, b in zip(*logs, strict=True))


def _started(setting: Any, study: Path, folder: Path) -> Any:
    words = ["run", "--config", str(study), "--out", str(folder), "--jobs", "1"]
    words += ["--device", str(setting.device), "--cache", str(setting.folder / "cache")]
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=_command, args=(words, str(folder) + ".log", setting.device.type))
    process.start()
    return process


def _ended(setting: Any, study: Path, folder: Path) -> None:
    process = _started(setting, study, folder)
    process.join()
    if process.exitcode:
        said = Path(f"{folder}.log").read_text("utf-8", errors="replace")[-800:]
        raise RuntimeError(f"objbench run ended with {process.exitcode}: {said}")


def _command(words: list[str], log: str, kind: str) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    if kind == "cpu":
        torch.set_num_threads(1)
    os._exit(main(words))
