"""The overhead of a study's objectives: measured once on one process, then kept with its records.

It decides nothing, so it stops nothing either: where it cannot be measured the study goes on.
"""

from __future__ import annotations

from pathlib import Path

from objbench.errors import one_line
from objbench.results.provenance import now, provenance
from objbench.results.run_folder import overhead_path, read_overhead, write_overhead
from objbench.results.step_breakdown import Overhead
from objbench.runs.cells.prepared_study import StudyText
from objbench.runs.cells.step_costs import cost_key, step_jobs
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.processes import is_main, processes
from objbench.runs.progress import Display
from objbench.study.study import Study


def keep_overhead(
    study: Study,
    chosen: ConfiguredPlugins,
    text: StudyText,
    run: Path,
    device: str,
    command: str,
    shown: Display,
) -> None:
    """Measure the parts of a step of each objective, unless what is stored is of the same.

    What is stored of other code or settings is removed. Several processes measure nothing: the
    split of a step is of one process's.

    Raises:
        RecordError: what is stored cannot be read.
    """
    if not is_main():
        return
    keys = {name: cost_key(study, chosen, text, name, timed=True) for name in study.objectives}
    stored = read_overhead(run)
    if stored is not None:
        if stored.cost_keys == keys:
            return
        overhead_path(run).unlink()
    if processes() > 1:
        return
    import torch

    from objbench.engine.measuring.matmul_peak import measure_matmul_peak
    from objbench.engine.measuring.step_breakdown import TIMED_ROUNDS, measure_overhead

    shown.say("measuring the parts of a step of " + ", ".join(study.objectives))
    started = now()
    try:
        jobs = step_jobs(study, chosen, text, run, device)
        measured = measure_overhead(jobs)
        peak = measure_matmul_peak(torch.device(device), jobs[0].training.precision)
    except Exception as error:  # noqa: BLE001 - an objective's own fault shows in its cells
        shown.say(
            f"the parts of a step are not measured: {type(error).__name__}: {one_line(error)}"
        )
        return
    overhead = Overhead(
        baseline=study.objectives[0],
        objectives=tuple(measured),
        repetitions=TIMED_ROUNDS,
        cost_keys=keys,
        provenance=provenance(command, device, processes(), started),
        peak=peak,
    )
    write_overhead(run, overhead)
