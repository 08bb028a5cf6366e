"""Compare the optimizer steps of a study's objectives: once per study, on one process.

Nothing depends on the result, so a study continues where it cannot be measured.
"""

from __future__ import annotations

from objbench.errors import one_line
from objbench.results.provenance import now, provenance
from objbench.results.step_comparison import StepComparison
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.runs.cells.step_costs import step_cost_keys, step_jobs
from objbench.runs.processes import is_main, processes
from objbench.runs.watch import TimeUp, time_limit


def keep_step_comparison(prepared: PreparedStudy) -> None:
    """Measure a step of each objective, unless what is stored is of the same code and settings.

    What is stored of other code or settings is removed. Several processes measure nothing.

    Raises:
        RecordError: what is stored cannot be read.
    """
    if not is_main():
        return
    names = prepared.study.objectives
    keys = step_cost_keys(prepared, timed=True)
    stored = prepared.folder.read_step_comparison()
    if stored is not None:
        if stored.cost_keys == keys:
            return
        prepared.folder.write_step_comparison(None)
    if processes() > 1:
        return
    from objbench.engine.measuring.step_comparison import compare_steps
    from objbench.engine.measuring.step_cost import TIMED_STEPS

    say = prepared.display.say
    say("comparing the optimizer steps of " + ", ".join(names))
    started = now()
    try:
        with time_limit(prepared.cell_timeout and prepared.cell_timeout * len(names)):
            measured = compare_steps(step_jobs(prepared, names))
    # An objective's own fault shows in its cells.
    except (Exception, SystemExit, TimeUp) as error:  # noqa: BLE001
        say(f"the steps are not compared: {type(error).__name__}: {one_line(error)}")
        return
    prepared.folder.write_step_comparison(
        StepComparison(
            baseline=names[0],
            objectives=tuple(measured),
            repetitions=TIMED_STEPS,
            cost_keys=keys,
            provenance=provenance(prepared.command, prepared.device, processes(), started),
        )
    )
