"""The evaluations of a study by task, each with its time as far as its suite says what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec

from objbench.contract.suite import Suite, Work
from objbench.errors import DataError
from objbench.runs.forecast.forecast_values import Evaluations
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.study.study import Study


def planned_tasks(suite: Suite) -> tuple[str, ...]:
    """The tasks that are counted; the suite's own name stands for those that it cannot tell."""
    try:
        return suite.planned_tasks()
    except DataError:
        return (suite.name,)


def works_of(
    study: Study, plugins: ConfiguredPlugins, sequences: int | None = None
) -> dict[tuple[str, str], Work | None]:
    """(suite, task) -> what an evaluation does; None where nothing says.

    Args:
        study: the study.
        plugins: its plugins.
        sequences: of held-out text that an evaluation can read at most; None where the text is not
            at hand.
    """
    found: dict[tuple[str, str], Work | None] = {}
    for name, suite in plugins.suites.items():
        for task in planned_tasks(suite):
            try:
                found[name, task] = _work_of(suite, task, study, sequences)
            except DataError:
                found[name, task] = None
    return found


def _work_of(suite: Suite, task: str, study: Study, sequences: int | None) -> Work | None:
    """What the module beside the suite says, or else the suite itself; see ``Suite.work``."""
    most, beside = study.evaluation.max_train_samples, f"{type(suite).__module__}_work"
    if find_spec(beside) is None:
        return suite.work(task, most)
    found: Work | None = import_module(beside).work(suite, task, most, study.data.length, sequences)
    return found


def timed(
    counts: Mapping[tuple[str, str], int],
    works: Mapping[tuple[str, str], Work | None],
    seconds: Callable[[Work], float] | None,
) -> tuple[Evaluations, ...]:
    """The evaluations that are left, by task.

    Args:
        counts: (suite, task) -> their number.
        works: as ``works_of``.
        seconds: of one evaluation; None where nothing is known of the device.
    """
    found = []
    for (suite, task), cells in counts.items():
        work = works.get((suite, task))
        time = None if work is None or seconds is None else seconds(work)
        found.append(Evaluations(suite=suite, task=task, cells=cells, seconds=time))
    return tuple(found)
