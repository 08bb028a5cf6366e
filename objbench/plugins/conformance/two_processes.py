"""Two processes that share a batch compute the losses and gradients that one computes.

Both are real: started as ``accelerate launch`` would start them, connected by gloo on this
machine, each with half of the rows. What they compute is compared with what this process computes
on the whole batch.
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

from objbench.engine.training.job import PretrainJob
from objbench.engine.training.session import Session
from objbench.errors import one_line
from objbench.plugins.conformance.check import Broken, Check, NotChecked
from objbench.plugins.conformance.subject import Subject, gradients, relative_difference, silence

PATIENCE = 180.0
"""Seconds after which two processes are taken to wait for each other for ever."""

_LOSS = 1e-5
_GRADIENT = 1e-3


def one_and_two(subject: Subject) -> str:
    """Each term's mean and the gradients of one step, by one process and by two."""
    if subject.job.training.batch % 2:
        raise NotChecked("the batch is odd and cannot be shared by two")
    one = _step_of(subject.job, subject.mode)
    two = _step_of_two(subject)
    means, others = one.pop(_MEANS), two.pop(_MEANS)
    if not torch.allclose(means, others, rtol=_LOSS, atol=_LOSS):
        raise Broken(f"one process computes {means.tolist()}, two {others.tolist()}")
    difference = relative_difference(one, two)
    if difference > _GRADIENT:
        raise Broken(f"the losses are equal, and the gradients differ by {difference:.1%}")
    return f"losses within {float((means - others).abs().max()):.0e}, gradients {difference:.0e}"


_MEANS = "the terms' means"
_JOB = "job.pickle"


def _step_of(job: PretrainJob, mode: str | None) -> dict[str, Tensor]:
    """The terms' means and the gradients of step 0, as this process is told to compute them."""
    with torch.random.fork_rng():
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
        # By a file: a spawned process that dies before it has read a long message leaves its
        # parent writing for ever.
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
    """One of two processes; the first leaves what it found, each leaves why it failed."""
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
    warnings.simplefilter("ignore")  # two processes would say everything twice
    # A process that was forked has inherited that it is alone.
    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        found = _step_of(*pickle.loads((folder / _JOB).read_bytes()))
        if rank == 0:
            torch.save(found, folder / "found.pt")
        torch.distributed.destroy_process_group()
    except BaseException as error:  # noqa: BLE001 - told by the parent
        (folder / f"failed-{rank}").write_text(f"{type(error).__name__}: {one_line(error)}")
        raise SystemExit(1) from None


def _wait(started: Sequence[BaseProcess], folder: Path) -> None:
    """Until both are done, one has failed, or PATIENCE is at its end."""
    end = time.monotonic() + PATIENCE
    try:
        while any(process.is_alive() for process in started):
            if any(process.exitcode not in (None, 0) for process in started):
                break
            if time.monotonic() > end:
                raise Broken(
                    f"two processes were not done after {PATIENCE:g} s: each must call "
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
            "a process of two was ended from within, as gloo does where processes call "
            "rows.gather unequally often or with unequal shapes"
        )


CHECKS = (
    Check(
        "one process and two agree",
        "a study may be run on any number of GPUs: a loss that sees one process's rows only, or "
        "averages over them, changes with that number",
        "return sums and counts and leave the mean to the engine; take other rows from "
        "rows.gather, called equally often on every process, and index them by rows.first; ask "
        "streams for the same shapes everywhere",
        one_and_two,
    ),
)
