"""Moves the state of a session into a checkpoint and back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from objbench.engine.training.checkpoint_files import Checkpoint
from objbench.engine.training.loss_log import Logbook
from objbench.engine.training.session import Session
from objbench.errors import CheckpointError, one_line

_FORK = "fork."


def snapshot(session: Session, book: Logbook, step: int, state: dict[str, Any]) -> Checkpoint:
    """The session after ``step`` steps, together with ``state``.

    Random generators are not stored: every step seeds its own from its number.
    """
    moments = session.optimizer.state_dict()["state"]
    scaler = session.accelerator.scaler
    return Checkpoint(
        step=step,
        tensors={
            "weights": session.module.state_dict(),
            "optimizer": {
                f"{index}.{name}": value
                for index, values in moments.items()
                for name, value in values.items()
            },
            "logbook": {"rows": book.state()},
        },
        state={**state, "scaler": None if scaler is None else scaler.state_dict()},
    )


def held_back(taken: Checkpoint) -> Checkpoint:
    """``taken`` with copies of its tensors on the host, which training does not change."""
    tensors = {
        group: {name: tensor.detach().to("cpu", copy=True) for name, tensor in named.items()}
        for group, named in taken.tensors.items()
    }
    return Checkpoint(taken.step, tensors, taken.state)


def combined(taken: Checkpoint, fork: Checkpoint | None) -> Checkpoint:
    """One checkpoint of a branch and of the trunk that it left, if there is one."""
    if fork is None:
        return taken
    trunk = {f"{_FORK}{group}": named for group, named in fork.tensors.items()}
    state = {**taken.state, "fork": {"step": fork.step, "state": fork.state}}
    return Checkpoint(taken.step, {**taken.tensors, **trunk}, state)


def restore(session: Session, book: Logbook, stored: Checkpoint) -> Checkpoint | None:
    """Return the session to where ``snapshot`` was taken.

    Returns:
        The trunk that was held back, if ``stored`` is of a branch.

    Raises:
        CheckpointError: the checkpoint's tensors are not this model's.
    """
    try:
        session.module.load_state_dict(dict(stored.tensors["weights"]))
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in stored.tensors["optimizer"].items():
            index, name = key.split(".", 1)
            # A copy: what safetensors maps from a file need not be aligned as torch aligns.
            moments.setdefault(int(index), {})[name] = value.clone()
        groups = session.optimizer.state_dict()["param_groups"]
        session.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        book.restore(stored.tensors["logbook"]["rows"])
        if session.accelerator.scaler is not None:
            session.accelerator.scaler.load_state_dict(stored.state["scaler"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"the checkpoint of step {stored.step} in {session.job.checkpoints} does not fit the "
            f"model ({one_line(error)[:200]}); delete that folder to start again"
        ) from error
    fork = stored.state.get("fork")
    if fork is None:
        return None
    trunk = {
        group.removeprefix(_FORK): named
        for group, named in stored.tensors.items()
        if group.startswith(_FORK)
    }
    return Checkpoint(int(fork["step"]), trunk, fork["state"])


def same_step_everywhere(session: Session, step: int) -> None:
    """Make sure that all processes continue from the same checkpoint.

    Raises:
        CheckpointError: they do not see the same files.
    """
    if session.processes == 1:
        return
    steps = session.accelerator.gather(torch.tensor([step], device=session.device)).tolist()
    if len(set(steps)) > 1:
        raise CheckpointError(
            f"the processes find checkpoints of different steps in {session.job.checkpoints} "
            f"({steps}); put the run folder on a disk that all of them share"
        )
