"""What a piece of work costs as a number of operations, which is the same on every machine.

An operation is a line of objbench that runs, a loop's once per turn; comprehensions count as loops.
What a library does at one call is one operation here, so a search by ``in`` through a list is not
seen; the seconds of ``make simulate`` show those.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import objbench

_OURS = str(Path(objbench.__file__).parent)


def operations(work: Callable[[], object]) -> Counter[str]:
    """Function of objbench -> the operations in it while ``work`` runs."""
    found: Counter[CodeType] = Counter()

    def begun(frame: FrameType, event: str, argument: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(_OURS) else None

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        found[frame.f_code] += 1
        return line

    before = sys.gettrace()
    sys.settrace(begun)
    try:
        work()
    finally:
        sys.settrace(before)
    named: Counter[str] = Counter()
    for code, count in found.items():
        where = code.co_filename.removeprefix(_OURS).lstrip("/")
        named[f"{where}:{code.co_firstlineno} {code.co_qualname}"] += count
    return named


def grown(
    small: Counter[str], large: Counter[str], times: float, share: float = 0.01
) -> dict[str, float]:
    """Functions whose operations grow by more than ``times``, with the factor.

    What begins at some size alone, as an interval does at three seeds, has no factor.

    Args:
        small, large: of the same work at two sizes.
        share: those that are a smaller share of all operations at the larger size are left out.
    """
    least = share * large.total()
    return {
        name: count / small[name]
        for name, count in large.items()
        if small[name] and count >= least and count > times * small[name]
    }
