"""A check, what it may find, and running checks one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from objbench.errors import one_line
from objbench.plugins.conformance.subject import Subject

Status = Literal["ok", "failed", "skipped"]


class Broken(Exception):
    """The objective does not hold to what is checked; the text says what was seen."""


class NotChecked(Exception):
    """It cannot be checked here; the text says why, and what would let it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing an objective must hold to.

    Attributes:
        name: a few words, the same in every report.
        meaning: what goes wrong in a study where it does not hold.
        remedy: how to mend it.
        run: looks at a subject and returns what was seen, or raises ``Broken`` or
            ``NotChecked``; anything else it raises is the objective's own fault.
        by_mode: whether it is run once in each mode of the objective, which a single step draws;
            not where it trains, or goes over the modes itself.
    """

    name: str
    meaning: str
    remedy: str
    run: Callable[[Subject], str]
    by_mode: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found.

    Attributes:
        check: the check.
        status: "ok", "failed" or "skipped".
        note: one line, what was seen or why it was not looked at.
    """

    check: Check
    status: Status
    note: str


def run_checks(subject: Subject, checks: Iterable[Check]) -> Iterator[Result]:
    """The results, each as soon as it is known; one failure stops none of the others."""
    for check in checks:
        yield result_of(check, subject)


def result_of(check: Check, subject: Subject) -> Result:
    """What ``check`` finds, with whatever the objective raises as a failure of it."""
    try:
        return Result(check, "ok", one_line(_seen(check, subject)))
    except NotChecked as reason:
        return Result(check, "skipped", one_line(reason))
    except Broken as fault:
        return Result(check, "failed", one_line(fault))
    # The objective's own code runs in there, and the other checks are still wanted.
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
