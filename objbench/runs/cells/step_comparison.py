"""Compare the optimizer steps of a study's objectives: once per study, on one process.

Nothing depends on the result, so a study goes on where it cannot be measured.
"""

from __future__ import annotations

from pathlib import Path

from objbench.errors import one_line
from objbench.results.provenance import now, provenance
from objbench.results.run_folder import (
    read_step_comparison,
    step_comparison_path,
    write_step_comparison,
)
from objbench.results.step_comparison import StepComparison
from objbench.runs.cells.prepared_study import StudyText
from objbench.runs.cells.step_costs import cost_key, step_jobs
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.processes import is_main, processes
from objbench.runs.progress import Display
from objbench.study.study import Study


def keep_step_comparison(
    study: Study,
    chosen: ConfiguredPlugins,
    text: StudyText,
    run: Path,
    device: str,
    command: str,
    shown: Display,
) -> None:
    """Measure a step of each objective, unless what is stored is of the same code and settings.

    What is stored of other code or settings is removed. Several processes measure nothing.

    Raises:
        RecordError: what is stored cannot be read.
    """
    if not is_main():
        return
    keys = {name: cost_key(study, chosen, text, name, timed=True) for name in study.objectives}
    stored = read_step_comparison(run)
    if stored is not None:
        if stored.cost_keys == keys:
            return
        step_comparison_path(run).unlink()
    if processes() > 1:
        return
    from objbench.engine.measuring.step_comparison import compare_steps
    from objbench.engine.measuring.step_cost import TIMED_STEPS

    shown.say("comparing the optimizer steps of " + ", ".join(study.objectives))
    started = now()
    try:
        measured = compare_steps(step_jobs(study, chosen, text, run, device))
    except Exception as error:  # noqa: BLE001 - an objective's own fault shows in its cells
        shown.say(f"the steps are not compared: {type(error).__name__}: {one_line(error)}")
        return
    comparison = StepComparison(
        baseline=study.objectives[0],
        objectives=tuple(measured),
        repetitions=TIMED_STEPS,
        cost_keys=keys,
        provenance=provenance(command, device, processes(), started),
    )
    write_step_comparison(run, comparison)
