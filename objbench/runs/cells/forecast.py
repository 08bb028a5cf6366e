"""What is left of a study, said before its cells run: by the plan, and by steps that were measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import torch

from objbench.contract.suite import INITIAL_WEIGHTS
from objbench.data.heldout_split import part_indices
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.training.schedule import plan_route
from objbench.errors import ObjbenchError
from objbench.results.evaluation_points import export_steps
from objbench.results.plan import TUNING_KINDS, Plan, PlannedCell
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.runs.cells.step_costs import step_jobs
from objbench.runs.forecast.disk import disk_of
from objbench.runs.forecast.evaluation_times import timed, works_of
from objbench.runs.forecast.expected_seconds import MeasuredSeconds, TimedHere
from objbench.runs.forecast.forecast import KINDS, Forecast, lines_of
from objbench.runs.forecast.forecast_values import Evaluations, Pretraining
from objbench.runs.forecast.made_up_jobs import takes_too_long
from objbench.runs.processes import is_main, processes

_TRIALS = (
    "these are the trials that choose settings, and the study's own cells follow them: "
    "`objbench plan` with the same arguments shows all"
)


def say_what_is_left(
    prepared: PreparedStudy,
    plan: Plan,
    finished: Collection[str],
    jobs: int,
    threads: int | None,
    timed: TimedHere,
) -> Forecast | None:
    """Show and return the forecast of a plan, by measured steps; nothing if all is pretrained.

    Args:
        finished: ids of the cells that are done.
        jobs: pretrainings that run at the same time.
        threads: of each; None for those of this process.
        timed: what earlier rounds of the study have timed, and receives what this one does.
    """
    left = [cell for cell in plan.cells if cell.id not in finished]
    if not is_main() or not any(cell.kind in ("pretrain", "trial") for cell in left):
        return None
    forecast = what_is_left(prepared, plan, left, jobs, threads, timed)
    for line in lines_of(forecast):
        prepared.display.say(line)
    if plan.cells and all(cell.kind in TUNING_KINDS for cell in plan.cells):
        prepared.display.say(_TRIALS)
    return forecast


def what_is_left(
    prepared: PreparedStudy,
    plan: Plan,
    left: Sequence[PlannedCell],
    jobs: int,
    threads: int | None = None,
    timed: TimedHere | None = None,
) -> Forecast:
    """The forecast of the cells ``left`` of a plan; what ``timed`` has is not timed again."""
    timed = timed or TimedHere()
    pretrainings = _pretrainings(prepared, plan, left, threads, timed)
    words = prepared.text.vocabulary.size
    seconds = MeasuredSeconds(prepared.device, prepared.study, words, threads, timed)
    kinds = Counter(cell.kind for cell in left)
    encoderless = [cell for cell in left if cell.floor and cell.floor not in INITIAL_WEIGHTS]
    return Forecast(
        cells={kind: kinds[kind] for kind in KINDS if kinds[kind]},  # type: ignore[index]
        pretrainings=pretrainings,
        evaluations=_evaluations(prepared, left, seconds),
        floors=len(encoderless),
        jobs=jobs,
        by=seconds.words,
        disk=disk_of(
            pretrainings,
            words=words,
            log_every=prepared.study.training.log_every,
            jobs=jobs,
            evaluations=kinds["evaluation"] + kinds["trial_evaluation"] + kinds["floor"],
            curves=kinds["curve"],
            forks=prepared.study.training.schedule == "trunk",
        ),
    )


def _pretrainings(
    prepared: PreparedStudy,
    plan: Plan,
    left: Sequence[PlannedCell],
    threads: int | None,
    timed: TimedHere,
) -> list[Pretraining]:
    compared = prepared.folder.read_step_comparison()
    of = {objective.name: objective for objective in plan.objectives}
    seconds = {o.name: o.seconds_per_step for o in plan.objectives if o.seconds_per_step}
    if compared is not None:
        seconds |= {step.objective: step.seconds for step in compared.objectives}
    evaluation = prepared.study.evaluation
    runs = Counter(
        (cell.kind == "trial", cell.objective, cell.step)
        for cell in left
        if cell.kind in ("pretrain", "trial")
    )
    names = {key[1] for key in runs}
    sizes = {name: _parameters(prepared, name) for name in names}
    flops = {name: of[name].flops_per_step for name in of if name in names - {*seconds}}
    new = {name: each for name, each in flops.items() if (name, each) not in timed.steps}
    timed.steps.update(_timed_here(prepared, new, threads))
    found = []
    for (is_trial, name, steps), number in runs.items():
        points = 1 if is_trial else evaluation.points
        exports = export_steps(steps, points, evaluation.spacing)
        training = prepared.study.for_objective(name).training
        exported, trained = sizes[name]
        found.append(
            Pretraining(
                objective=name,
                runs=number,
                steps=steps,
                route_steps=plan_route(steps, exports, training).total,
                flops=of[name].flops_per_step,
                tokens=of[name].tokens_per_step,
                seconds=seconds.get(name, timed.steps.get((name, of[name].flops_per_step))),
                exports=len(exports),
                heldout_batches=evaluation.heldout_batches,
                exported_parameters=exported,
                trained_parameters=trained,
                is_trial=is_trial,
            )
        )
    return found


def _timed_here(
    prepared: PreparedStudy, flops: Mapping[str, float], threads: int | None
) -> dict[tuple[str, float], float | None]:
    """Seconds of a step of the objectives that no run has timed, as where workers run the cells.

    Args:
        prepared: the study.
        flops: of a step of each of them.
        threads: of a cell; None for those of this process.

    Returns:
        As ``TimedHere.steps``: None where it takes too long, cannot be done, or several processes
        would have to do it.
    """
    is_cpu, precision = prepared.device == "cpu", prepared.study.training.precision
    too_long = is_cpu and flops and takes_too_long(sum(flops.values()), precision)
    unknown = dict.fromkeys(flops.items())
    if not flops or too_long or processes() > 1:
        return unknown
    from objbench.engine.measuring.step_cost import calibrate

    prepared.display.say("timing a step of " + ", ".join(flops))
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        costs = calibrate(step_jobs(prepared, [*flops]), timed=True)
    except (Exception, SystemExit):  # noqa: BLE001 - foreign code; its cells will say
        return unknown
    finally:
        torch.set_num_threads(before)
    return {each: cost.seconds for each, cost in zip(unknown, costs, strict=True)}


def _parameters(prepared: PreparedStudy, name: str) -> tuple[int, int]:
    """(parameters of an exported encoder with its head, of all that is trained)."""
    own, words = prepared.study.for_objective(name), prepared.text.vocabulary
    with torch.device("meta"):  # Shapes suffice to count parameters.
        encoder = build_encoder(own.encoder, words, own.data.length, seed=0)
    kind, config = prepared.plugins.objectives[name][0], prepared.plugins.config(own, name)
    sizes = {id(p): p.numel() for p in encoder.parameters()}
    try:
        objective = build_objective(kind, config, encoder_spec_of(encoder, words), seed=0)
    except (Exception, SystemExit):  # noqa: BLE001 - foreign code; its cells will say
        return sum(sizes.values()), sum(sizes.values())
    head = objective.token_head
    kept = {id(p): p.numel() for p in (head.parameters() if head is not None else ())}
    trained = {id(p): p.numel() for p in objective.parameters()}
    return sum({**sizes, **kept}.values()), sum({**sizes, **trained}.values())


def _evaluations(
    prepared: PreparedStudy, left: Sequence[PlannedCell], seconds: MeasuredSeconds
) -> tuple[Evaluations, ...]:
    """The evaluations of encoders; of unknown time where it cannot be measured."""
    counts = Counter(
        (cell.suite, cell.task)
        for cell in left
        if cell.kind in ("evaluation", "trial_evaluation") or cell.floor in INITIAL_WEIGHTS
    )
    if not counts:
        return ()
    try:
        own = part_indices(len(prepared.text.heldout), "reported")
        works = works_of(prepared.study, prepared.plugins, len(own))
        return timed(counts, works, seconds.of_evaluation)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - nothing depends on a forecast
        reason = str(error) if isinstance(error, ObjbenchError) else type(error).__name__
        prepared.display.say(f"the time of evaluations is not estimated: {reason}")
        return timed(counts, {}, None)
