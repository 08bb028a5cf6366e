"""A check, its result, and how checks are run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from objbench.errors import one_line
from objbench.plugins.conformance.subject import Subject

Status = Literal["ok", "failed", "skipped"]


class Broken(Exception):
    """The objective fails the check; the text says what was observed."""


class NotChecked(Exception):
    """The check cannot be run here; the text says why, and what would be needed."""


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement of the contract.

    Attributes:
        name: a few words, the same in every report.
        meaning: what goes wrong in a study if the requirement is not met.
        remedy: how to fix it.
        run: examines a subject and returns what was observed, or raises ``Broken`` or
            ``NotChecked``; any other exception is a fault of the objective.
        by_mode: whether the check is run once in each mode of the objective, because a step draws
            one; False for checks that train or that go through the modes themselves.
    """

    name: str
    meaning: str
    remedy: str
    run: Callable[[Subject], str]
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


def run_checks(subject: Subject, checks: Iterable[Check]) -> Iterator[Result]:
    """The results, each as soon as it is known; a failure does not stop the other checks."""
    for check in checks:
        yield result_of(check, subject)


def result_of(check: Check, subject: Subject) -> Result:
    """The result of ``check``; whatever the objective raises is a failure."""
    try:
        return Result(check, "ok", one_line(_seen(check, subject)))
    except NotChecked as reason:
        return Result(check, "skipped", one_line(reason))
    except Broken as fault:
        return Result(check, "failed", one_line(fault))
    # The objective's own code runs here, and the other checks are still wanted.
    except Exception as error:  # noqa: BLE001
        return Result(check, "failed", one_line(f"{type(error).__name__}: {error}"))


def _seen(check: Check, subject: Subject) -> str:
    modes = subject.modes() if check.by_mode else ()
    if len(modes) < 2:
        return check.run(subject)
    notes = []
    for mode in modes:
        try:
            notes.append(f"{mode}: {check.run(replace(subject, mode=mode))}")
        except Broken as fault:
            raise Broken(f"in mode {mode}: {fault}") from fault
    return "; ".join(notes)
