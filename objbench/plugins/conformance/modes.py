"""The attention and shapes of a batch may depend on the objective's mode and on nothing else.

The cost of a step is measured once in each mode and assumed for every step; a compiled encoder is
compiled once for each shape.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from objbench.contract.batch import Batch
from objbench.contract.phases import phase_at, phase_shares
from objbench.contract.random_streams import Streams
from objbench.engine.training.step import TrainingStep
from objbench.plugins.conformance.check import Broken, Check
from objbench.plugins.conformance.subject import Subject

STEPS = 8
"""Number of batches of each mode, from the start of the budget to its end."""


def one_kind_a_mode(subject: Subject) -> str:
    """Batches of one mode are of one kind, also when the mode is drawn."""
    module = subject.step()
    modes = module.objective.modes
    _require_shares(modes)
    kinds = {mode: _one_kind(subject, module, mode) for mode in modes}
    _require_phases(subject, module)
    for number in range(STEPS):
        batch = subject.batch(number)
        drawn = module.objective.mode_of(batch, subject.streams(batch, number))
        kind = _kind(module, batch, subject.streams(batch, number))
        if drawn not in kinds or kind != kinds[drawn]:
            raise Broken(f"a batch that draws the mode {drawn!r} is {kind}, not {kinds.get(drawn)}")
    if len(kinds) == 1:
        return next(iter(kinds.values()))
    return "; ".join(f"{mode} ({modes[mode]:.3g}): {kind}" for mode, kind in kinds.items())


def _require_shares(modes: Mapping[str, float]) -> None:
    if not modes or not all(share > 0 for share in modes.values()):
        raise Broken(
            f"the modes are {dict(modes)}: there must be at least one, each with a positive share"
        )
    if not math.isclose(sum(modes.values()), 1.0, abs_tol=1e-9):
        raise Broken(f"the shares of the modes add up to {sum(modes.values()):.6g}, not 1")


def _require_phases(subject: Subject, module: TrainingStep) -> None:
    """The modes of an objective in phases must come in the order that it declares."""
    shares = phase_shares(module.objective)
    for number in range(STEPS if shares else 0):
        progress = (number + 0.5) / STEPS
        batch = replace(subject.batch(number), progress=progress)
        found = module.objective.mode_of(batch, subject.streams(batch, number))
        if found != (wanted := phase_at(shares, progress)):
            raise Broken(
                f"with {progress:.0%} of the budget spent the mode is {found!r}, and by `phases` and "
                f"the shares of the modes {wanted!r}"
            )


def _one_kind(subject: Subject, module: TrainingStep, mode: str) -> str:
    found: dict[str, float] = {}
    for number in range(STEPS):
        progress = number / (STEPS - 1)
        batch = replace(subject.batch(number), mode=mode, progress=progress)
        found.setdefault(_kind(module, batch, subject.streams(batch, number)), progress)
    if len(found) > 1:
        (one, _), (other, progress) = list(found.items())[:2]
        raise Broken(
            f"a batch of mode {mode!r} is {one} and, with {progress:.0%} of the budget spent, "
            f"{other}"
        )
    return next(iter(found))


def _kind(module: TrainingStep, batch: Batch, streams: Streams) -> str:
    """The attention and shapes of the encoder's input, in words."""
    readings = module.corrupt(batch, streams)
    made = readings.corrupted
    parts = [f"{'causal' if made.causal else 'bidirectional'} {_shape(made)}"]
    if made.positions is not None:
        parts.append(f"{made.positions.shape[1]} slots")
    parts += [f"{name!r} views {_shape(view)}" for name, view in readings.views.items()]
    return ", ".join(parts)


def _shape(batch: Batch) -> str:
    rows, length = batch.input_ids.shape
    return f"{rows} x {length}"


CHECKS = (
    Check(
        "one kind of batch per mode",
        "the FLOPs of a step are counted once in each mode and used for the whole budget: if "
        "attention or shapes change otherwise, the objective gets too many steps or too few",
        "allocate slots for the highest rate of the budget (mask_tokens(..., slots=...)), let no "
        "shape depend on data, and if batches differ in kind, declare `modes` and ask "
        "mode_of(batch, streams) which kind to make",
        one_kind_a_mode,
        by_mode=False,
    ),
)
