"""What a suite says of itself must fit a plan, and decide when its scores are measured again."""

from __future__ import annotations

from pydantic import ValidationError

from objbench.plugins.conformance.check import Broken, Check
from objbench.plugins.conformance.suite_subject import SuiteSubject
from objbench.results.agreement import suite_misfits
from objbench.results.json_files import fault
from objbench.results.plan import PlannedCell
from objbench.results.planned_suites import planned_suite


def fits_a_plan(subject: SuiteSubject) -> str:
    """Columns, average, seeds and names are such that a plan can hold them."""
    suite = subject.make()
    tasks, average = suite.tasks(), suite.average()
    if not tasks:
        raise Broken("tasks() names no task")
    for column in suite.columns():
        if column.task not in tasks:
            raise Broken(
                f"the column {column.name!r} is of {column.task!r}, which is no task of it"
            )
        if not column.metrics:
            raise Broken(f"the column {column.name!r} shows no metric")
    if not suite.seeds():
        raise Broken("seeds() names no fine-tuning seed")
    try:
        planned = planned_suite(suite)
        for task in tasks:
            for floor in ("", *suite.floors()):
                cell = f"{suite.name}.{task}.{floor}"
                PlannedCell(
                    id=cell, kind="floor", key="0", objective="x", seed=0, task=task, floor=floor
                )
    except ValidationError as error:
        raise Broken(fault(error)) from error
    for misfit in suite_misfits([planned]):
        raise Broken(misfit)
    shown = average.label if average.groups else "no average"
    return f"{len(tasks)} tasks, {len(suite.columns())} columns, {shown}"


def fingerprints(subject: SuiteSubject) -> str:
    """A task's fingerprint is the same whenever the suite is made, and another for each task."""
    one, two = subject.make(), subject.make()
    prints = {task: one.fingerprint(task) for task in one.tasks()}
    for task, found in prints.items():
        if two.fingerprint(task) != found:
            raise Broken(f"the fingerprint of {task} is another when the suite is made again")
    if len(set(prints.values())) < len(prints):
        raise Broken("two tasks have one fingerprint")
    return f"{len(prints)} stay the same"


CHECKS: tuple[Check, ...] = (
    Check(
        name="fits a plan",
        meaning="pages and verdicts know a suite by its plan, which refuses what does not fit",
        remedy="give every column a task of tasks() and its metrics, average only columns that "
        "are there, and keep names short and free of slashes",
        run=fits_a_plan,
        by_mode=False,
    ),
    Check(
        name="fingerprints",
        meaning="a fingerprint is part of every key: one that moves makes finished work run again, "
        "and one that does not say what is scored keeps old scores",
        remedy="hash the data and every option that scores depend on, and no time, path or id()",
        run=fingerprints,
        by_mode=False,
    ),
)
