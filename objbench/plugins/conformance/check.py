"""A check, its result, and how checks are run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from objbench.errors import one_line
from objbench.plugins.conformance.subject import Subject
from objbench.plugins.conformance.suite_subject import SuiteSubject

Status = Literal["ok", "failed", "skipped"]


class Broken(Exception):
    """The plugin fails the check; the text says what was observed."""


class NotChecked(Exception):
    """The check cannot be run here; the text says why, and what would be needed."""


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement of the contract.

    Attributes:
        name: a few words, the same in every report.
        meaning: what goes wrong in a study if the requirement is not met.
        remedy: how to fix it.
        run: examines a subject, which is a ``SuiteSubject`` for the checks of suites, and returns
            what was observed, or raises ``Broken`` or ``NotChecked``; any other exception is a fault
            of the plugin.
        by_mode: whether the check is run once in each mode of the objective, because a step draws
            one; False for checks that train or that go through the modes themselves.
    """

    name: str
    meaning: str
    remedy: str
    run: Callable[[Any], str]
    by_mode: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a check.

    Attributes:
        note: one line, what was observed or why the check was skipped.
    """

    check: Check
    status: Status
    note: str


def run_checks(subject: Subject | SuiteSubject, checks: Iterable[Check]) -> Iterator[Result]:
    """The results, each as soon as it is known; a failure does not stop the other checks."""
    for check in checks:
        yield result_of(check, subject)


def result_of(check: Check, subject: Subject | SuiteSubject) -> Result:
    """The result of ``check``; whatever the plugin raises is a failure."""
    try:
        return Result(check, "ok", one_line(_seen(check, subject)))
    except NotChecked as reason:
        return Result(check, "skipped", one_line(reason))
    except Broken as fault:
        return Result(check, "failed", one_line(fault))
    # The plugin's own code runs here, and the other checks are still wanted.
    except Exception as error:  # noqa: BLE001
        return Result(check, "failed", one_line(f"{type(error).__name__}: {error}"))


def _seen(check: Check, subject: Subject | SuiteSubject) -> str:
    if isinstance(subject, SuiteSubject) or not check.by_mode:
        return check.run(subject)
    modes = subject.modes()
    if len(modes) < 2:
        return check.run(subject)
    notes = []
    for mode in modes:
        try:
            notes.append(f"{mode}: {check.run(replace(subject, mode=mode))}")
        except Broken as fault:
            raise Broken(f"in mode {mode}: {fault}") from fault
    return "; ".join(notes)
