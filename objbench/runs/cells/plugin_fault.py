"""Why code of a plugin failed, in one line."""

from __future__ import annotations

from objbench.errors import ObjbenchError, one_line
from objbench.plugins.fault_place import fault_place
from objbench.runs.watch import TimeUp

# In characters; a record holds no more than 100,000.
_LONGEST = 2000


def reason_of(error: BaseException) -> str:
    """Why code of a plugin failed, in one line of at most some 2,000 characters."""
    what = one_line(error)
    if len(what) > _LONGEST:
        what = f"{what[:_LONGEST]}..."
    if isinstance(error, ObjbenchError | FloatingPointError | TimeUp):
        return what
    if isinstance(error, SystemExit):
        return f"a plugin called sys.exit({'' if error.code is None else repr(error.code)[:100]})"
    place = fault_place(error)
    return f"{type(error).__name__}: {what}{f' ({place})' if place else ''}"
