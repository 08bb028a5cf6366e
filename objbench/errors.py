"""The errors that a user can cause and fix, as one small tree.

::

    ObjbenchError
        ConfigError             a study, preset or option that does not fit
            BudgetError         a budget that cannot be read or spent
            UnknownNameError    a name that nothing is registered under
            WrongKindError      a plugin named where another kind belongs
        DataError               a missing or malformed corpus, tokenizer or task file
            HubError            the Hugging Face hub is out of reach
        CheckpointError         an incomplete, corrupted or foreign checkpoint
        RecordError             a record or plan file that cannot be read
        StorageError            a disk that is full, read-only or gone
        PluginError             a plugin that breaks the contract

Every message says what is wrong, where, and what to do. The command line turns these, and only
these, into one line on stderr and exit code 2; any other exception is a bug and keeps its
traceback.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from unicodedata import category

_ERRNO = re.compile(r"\[Errno -?\d+\] ")


class ObjbenchError(Exception):
    """Something the user can fix; ``str(error)`` is one line: what, where, and what to do."""


class ConfigError(ObjbenchError):
    """A study, preset or option that does not fit."""


class BudgetError(ConfigError):
    """A budget that cannot be read or spent."""


class DataError(ObjbenchError):
    """A corpus, tokenizer or task file that is missing, empty or malformed."""


class HubError(DataError):
    """The Hugging Face hub is out of reach or does not know the name."""


class CheckpointError(ObjbenchError):
    """A checkpoint that is incomplete, corrupted or belongs to another cell."""


class RecordError(ObjbenchError):
    """A record or plan file that cannot be read."""


class StorageError(ObjbenchError):
    """A disk that is full, read-only or gone: nothing more can be stored."""


class PluginError(ObjbenchError):
    """A plugin that breaks the contract; names the plugin and the project it comes from."""

    def __init__(self, name: str, origin: str, reason: str) -> None:
        super().__init__(f"plugin {name!r} ({origin}): {reason}")
        self.name = name
        self.origin = origin
        self.reason = reason


class UnknownNameError(ConfigError):
    """A name that nothing is registered under; offers the closest match and the choices.

    Args:
        kind: what should have that name, such as "option".
        name: the name.
        choices: the names that are known.
        hint: what else to do, with the sign that it begins with.
        where: what ``kind`` belongs to, such as "of taco"; "" where it belongs to nothing.
    """

    def __init__(
        self, kind: str, name: str, choices: Iterable[str], hint: str = "", where: str = ""
    ) -> None:
        known = sorted(choices)
        listed = ", ".join(known) or "none"
        said = f"unknown {kind} {name!r} {where}".rstrip()
        super().__init__(f"{said}{guess(name, known)} (known: {listed}){hint}")
        self.kind = kind
        self.name = name


class WrongKindError(ConfigError):
    """A plugin of one kind, "objective", "term" or "suite", named where another kind belongs."""

    def __init__(self, name: str, wanted: str, found: str) -> None:
        place = {
            "objective": "name it with --objectives",
            "term": f"add it to one, as in OBJECTIVE+{name}",
            "suite": "name it with --suites",
        }[found]
        if wanted == "term" and found == "objective":
            place = f"name it first, as in {name}+TERM"
        a, an = (f"an {kind}" if kind == "objective" else f"a {kind}" for kind in (found, wanted))
        super().__init__(f"{name!r} is {a}, not {an}: {place}")
        self.name = name
        self.found = found


def guess(given: str, known: Iterable[str]) -> str:
    """What to add to an error about ``given``: the closest of ``known``, or nothing."""
    close = get_close_matches(given, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def one_line(text: object) -> str:
    """``text`` as ``printable``, with every run of white space folded to one space.

    The number that Python puts before an operating system's error, "[Errno 2] ", is left out: the words
    after it say the same to a reader.
    """
    said = _ERRNO.sub("", str(text)) if isinstance(text, BaseException) else str(text)
    return printable(" ".join(said.split()))


def first_line(error: BaseException) -> str:
    """The first line of an error of a library that goes on with advice and logs; its kind if empty."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return one_line(lines[0] if lines else type(error).__name__)


def printable(text: str) -> str:
    """``text`` without control, format, private-use and unassigned characters; tab and line feed stay.

    It may be foreign, and a terminal may act on them.
    """
    if text.isprintable():
        return text
    return "".join(
        sign for sign in text if sign.isprintable() or sign in "\t\n" or category(sign) == "Zs"
    )
