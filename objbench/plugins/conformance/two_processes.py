"""Two processes that share a batch must compute the losses and gradients of a single process.

Both are real processes, started as ``accelerate launch`` would start them and connected by gloo on
this machine, each with half of the rows. Their results are compared with those of this process on
the whole batch.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import socket
import tempfile
import time
import warnings
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from accelerate.state import AcceleratorState
from torch import Tensor

from objbench.engine.global_generators import forked_generators
from objbench.engine.training.job import PretrainJob
from objbench.engine.training.session import Session
from objbench.errors import one_line
from objbench.plugins.conformance.check import Broken, Check, NotChecked
from objbench.plugins.conformance.subject import Subject, gradients, relative_difference, silence

PATIENCE = 180.0
"""Seconds after which the two processes are considered to wait for each other forever."""

_LOSS = 1e-5
_GRADIENT = 1e-3


def one_and_two(subject: Subject) -> str:
    """Each term's mean and the gradients of one step, by one process and by two."""
    if subject.job.training.batch % 2:
        raise NotChecked("the batch size is odd, so two processes cannot share it")
    one = _step_of(subject.job, subject.mode)
    two = _step_of_two(subject)
    means, others = one.pop(_MEANS), two.pop(_MEANS)
    if not torch.allclose(means, others, rtol=_LOSS, atol=_LOSS):
        raise Broken(
            f"the means are {means.tolist()} with one process, but {others.tolist()} with two"
        )
    difference = relative_difference(one, two)
    if difference > _GRADIENT:
        raise Broken(f"the losses are equal, but the gradients differ by {difference:.1%}")
    return f"losses within {float((means - others).abs().max()):.0e}, gradients {difference:.0e}"


_MEANS = "the terms' means"
_JOB = "job.pickle"


def _step_of(job: PretrainJob, mode: str | None) -> dict[str, Tensor]:
    """The terms' means and the gradients of step 0, computed by this process as the job says."""
    with forked_generators(job.device):
        session = Session(job)
        silence(session.module)
        means = session.gradients(0, mode)
        found = {_MEANS: means, **gradients(session.module)}
        session.close()
    return found


def _step_of_two(subject: Subject) -> dict[str, Tensor]:
    context = multiprocessing.get_context(subject.start_method)
    with tempfile.TemporaryDirectory() as folder:
        number = _free_port()
        # In a file: if a spawned process dies before it has read a long message, its parent
        # waits forever.
        (Path(folder) / _JOB).write_bytes(pickle.dumps((subject.job, subject.mode)))
        started: list[BaseProcess] = []
        for rank in range(2):
            process = context.Process(  # type: ignore[attr-defined]
                target=_share, args=(rank, number, folder), daemon=True
            )
            process.start()
            started.append(process)
        _wait(started, Path(folder))
        found: dict[str, Tensor] = torch.load(Path(folder) / "found.pt", weights_only=True)
    return found


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _share(rank: int, port: int, place: str) -> None:
    """One of two processes: the first writes its results, and each the reason if it fails."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE="2",
        LOCAL_WORLD_SIZE="2",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        CUDA_VISIBLE_DEVICES="",
    )
    folder = Path(place)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # two processes would show every warning twice
    # A forked process has inherited the state of a process that is alone.
    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        found = _step_of(*pickle.loads((folder / _JOB).read_bytes()))
        if rank == 0:
            torch.save(found, folder / "found.pt")
        torch.distributed.destroy_process_group()
    except BaseException as error:  # noqa: BLE001 - reported by the parent
        (folder / f"failed-{rank}").write_text(f"{type(error).__name__}: {one_line(error)}")
        raise SystemExit(1) from None


def _wait(started: Sequence[BaseProcess], folder: Path) -> None:
    """Wait until both have finished, one has failed, or PATIENCE is exceeded."""
    end = time.monotonic() + PATIENCE
    try:
        while any(process.is_alive() for process in started):
            if any(process.exitcode not in (None, 0) for process in started):
                break
            if time.monotonic() > end:
                raise Broken(
                    f"two processes did not finish within {PATIENCE:g} s: all of them must call "
                    "rows.gather equally often, with equal shapes"
                )
            time.sleep(0.02)
    finally:
        for process in started:
            if process.is_alive():
                process.kill()
            process.join()
    for failed in sorted(folder.glob("failed-*")):
        raise Broken(f"process {failed.name[-1]} of two failed: {failed.read_text()[:300]}")
    if any(process.exitcode for process in started):
        raise Broken(
            "one of two processes was aborted, as gloo does when processes call rows.gather "
            "different numbers of times or with different shapes"
        )


CHECKS = (
    Check(
        "one process and two agree",
        "a study may be run on any number of GPUs: a loss over the rows of one process, or an "
        "average of them, changes with that number",
        "return sums and counts and let the engine take the mean; get other rows from "
        "rows.gather, called equally often on every process, and index them with rows.first; "
        "draw the same shapes from streams on every process",
        one_and_two,
    ),
)
