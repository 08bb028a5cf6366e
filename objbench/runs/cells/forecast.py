"""What is left of a study, said before it begins: steps, FLOPs, time from a measured step, disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch

from objbench.engine.encoder.build import build_encoder
from objbench.judge.formatting import amount, duration, memory
from objbench.results.plan import Plan, PlannedCell, PlannedObjective
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.study.budget import export_steps

_BYTES = 4
"""Of a stored parameter, float32."""
_COPIES = 4
"""Of the parameters in a checkpoint: themselves, the optimizer's two moments, and the new file
while the old one is still there, rounded up for heads."""


def say_what_is_left(
    prepared: PreparedStudy, plan: Plan, finished: Collection[str], jobs: int
) -> None:
    """Show the forecast of a plan, by the steps that were measured; nothing if all is pretrained.

    Args:
        finished: ids of the cells that are done.
        jobs: pretrainings that run at the same time.
    """
    left = [c for c in plan.cells if c.kind == "pretrain" and c.id not in finished]
    if not left:
        return
    compared = prepared.folder.read_step_comparison()
    seconds = {o.name: o.seconds_per_step for o in plan.objectives if o.seconds_per_step}
    if compared is not None:
        seconds |= {step.objective: step.seconds for step in compared.objectives}
    study, words = prepared.study, prepared.text.vocabulary
    with torch.device("meta"):  # Shapes suffice to count parameters.
        encoder = build_encoder(study.encoder, words, study.data.length, seed=0)
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    for line in _forecast(plan, left, seconds, parameters, jobs):
        prepared.display.say(line)


def _forecast(
    plan: Plan,
    left: Sequence[PlannedCell],
    seconds: Mapping[str, float],
    parameters: int,
    jobs: int,
) -> list[str]:
    """The lines that say what the pretrainings of a plan still take.

    Args:
        plan: the plan.
        left: its pretrainings that are still to be run.
        seconds: objective -> measured seconds of one step; empty where nothing was measured.
        parameters: of the encoder.
        jobs: cells that run at the same time.
    """
    of = {objective.name: objective for objective in plan.objectives}
    lines = ["each pretraining: " + "; ".join(_one(one, seconds) for one in plan.objectives)]
    flops = sum(cell.step * of[cell.objective].flops_per_step for cell in left)
    total = f"{_counted(len(left), 'pretraining')} left: {amount(flops)} FLOPs"
    if all(cell.objective in seconds for cell in left):
        times = [cell.step * seconds[cell.objective] for cell in left]
        # They cannot end before the longest one, however many run at the same time.
        together = f" ({jobs} at a time)" if 1 < jobs <= len(left) else ""
        longest = duration(max(max(times), sum(times) / jobs))
        total += f", about {longest}{together}, evaluation not included"
    evaluation = plan.study["evaluation"]
    encoders = sum(
        len(export_steps(cell.step, evaluation["points"], evaluation["spacing"])) for cell in left
    )
    stored = _BYTES * parameters * (encoders + _COPIES * min(jobs, len(left)))
    return [*lines, f"{total}; about {memory(stored)} of disk for {_counted(encoders, 'encoder')}"]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")


def _one(objective: PlannedObjective, seconds: Mapping[str, float]) -> str:
    text = f"{objective.name} {objective.steps:,} steps, "
    text += f"{amount(objective.steps * objective.flops_per_step)} FLOPs"
    if objective.name in seconds:
        text += f", {duration(objective.steps * seconds[objective.name])}"
    return text
