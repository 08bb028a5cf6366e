"""Whether a step fits into a device's memory, and in how many parts it would.

What is needed is what lives in a step, as ``engine.measuring.fake_step`` counts it, with a seventh more
for the gaps between tensors, and what a GPU's libraries take for themselves. On a CPU it is that of
the process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from objbench.engine.measuring.fake_network import Planned
from objbench.engine.measuring.objective_size import fake_step
from objbench.engine.training.job import PretrainJob
from objbench.errors import ConfigError
from objbench.judge.formatting import memory
from objbench.study.settings import TrainingSection

GAPS = 1.15
OWN: Mapping[Planned, float] = {"cuda": 1.5e9, "cpu": 0.6e9}
"""Bytes that are taken before the first tensor: a CUDA context and libraries, or Python and torch."""

Peak = Callable[[int, bool], int]
"""The live bytes of a step, by the number of parts of its batch and whether layers are recomputed."""


def needed(live: int, planned: Planned) -> float:
    """Bytes of a device that a step needs of which ``live`` live at a time."""
    return GAPS * live + OWN[planned]


def smallest_parts(
    peak: Peak, batch: int, planned: Planned, room: float, above: int = 0, recomputes: bool = False
) -> int | None:
    """The smallest number of parts of a batch, above another, with which a step fits.

    None if it never does, or if layers are to be recomputed that cannot be.
    """
    for parts in range(above + 1, batch + 1):
        try:
            if batch % parts == 0 and needed(peak(parts, recomputes), planned) <= room:
                return parts
        except ConfigError:  # an objective that compares sequences refuses so few of them
            return None
    return None


def does_not_fit(
    name: str,
    peak: Peak,
    training: TrainingSection,
    planned: Planned,
    room: float,
    why: str = "",
) -> str:
    """The line for a step that does not fit; "" for one that does.

    Args:
        name: the objective's.
        room: bytes of the device.
        why: the reason why the objective's loss depends on other sequences, or "".
    """
    live = peak(training.micro_batches, training.activation_checkpointing)
    if needed(live, planned) <= room:
        return ""
    return _line(name, peak, training, planned, room, why)


def out_of_memory(job: PretrainJob, room: float, planned: Planned) -> str:
    """The line for a step of ``job`` that ran out of memory, whatever was expected.

    Args:
        room: bytes of the device.
    """
    training, words = job.training, job.vocabulary.size
    step = fake_step(job.objective, job.config, job.encoder, training, words, job.length, planned)

    def peak(parts: int, recomputes: bool) -> int:
        return step.peak(training.batch, parts, recomputes)

    name, why = job.objective.name, job.objective.across_sequences
    # What has just been tried does not fit, whatever is expected of it.
    tried = training.micro_batches
    return _line(name, peak, training, planned, room, why, tried, " has run out of memory: it")


def _line(
    name: str,
    peak: Peak,
    training: TrainingSection,
    planned: Planned,
    room: float,
    why: str,
    tried: int = 0,
    what: str = "",
) -> str:
    def about(parts: int, recomputes: bool) -> str:
        return f"about {memory(needed(peak(parts, recomputes), planned))}"

    own, again = training.micro_batches, training.activation_checkpointing
    parts = smallest_parts(peak, training.batch, planned, room, tried, again)
    # Fewer parts than now are no remedy, and torch.compile chooses itself what it recomputes.
    can_recompute = not again and not training.compile
    fewer = None
    if can_recompute:
        fewer = smallest_parts(peak, training.batch, planned, room, own - 1, True)
    other = ""
    if fewer is not None and (parts is None or fewer < parts):
        with_parts = f" --micro-batches {fewer}" if fewer > own else ""
        other = f"--activation-checkpointing{with_parts} ({about(fewer, True)})"
    start = f"a step of {name}{what} needs {about(own, again)}, and there are {memory(room)}: "
    if parts is None and other:
        return f"{start}no number of parts fits, but {other} does"
    if parts is None:
        return (
            f"{start}no number of parts fits; choose a smaller encoder, shorter "
            "sequences (--length), or another device"
        )
    line = (
        f"{start}--micro-batches {parts} is the smallest number of parts that fits "
        f"({about(parts, again)})"
    )
    line += f", or {other}" if other else ""
    return f"{line}; {name} compares sequences ({why}), of one part at a time then" if why else line
