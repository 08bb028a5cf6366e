"""Why code of a plugin failed, in one line."""

from __future__ import annotations

from objbench.errors import ObjbenchError, one_line
from objbench.plugins.fault_place import fault_place
from objbench.runs.watch import TimeUp


def reason_of(error: BaseException) -> str:
    """Why code of a plugin failed, in one line."""
    if isinstance(error, ObjbenchError | FloatingPointError | TimeUp):
        return one_line(error)
    if isinstance(error, SystemExit):
        return f"a plugin called sys.exit({'' if error.code is None else repr(error.code)})"
    place = fault_place(error)
    return f"{type(error).__name__}: {one_line(error)}{f' ({place})' if place else ''}"
