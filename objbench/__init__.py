"""objbench: compare pretraining objectives for text encoders under equal compute.

The public names for plugin authors. They are imported on first use, so that ``import objbench``
and the command line's ``--help`` load no torch; only ``hookimpl`` is there at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from objbench.hookspecs import hookimpl

if TYPE_CHECKING:
    from objbench.anatomy import Anatomy as Anatomy
    from objbench.anatomy import Vocabulary as Vocabulary
    from objbench.batch import IGNORE_INDEX as IGNORE_INDEX
    from objbench.batch import Batch as Batch
    from objbench.batch import Corrupted as Corrupted
    from objbench.batch import Rows as Rows
    from objbench.errors import ConfigError as ConfigError
    from objbench.errors import DataError as DataError
    from objbench.errors import HubError as HubError
    from objbench.errors import ObjbenchError as ObjbenchError
    from objbench.objective import AddedTerm as AddedTerm
    from objbench.objective import Objective as Objective
    from objbench.objective import TokenReading as TokenReading
    from objbench.streams import Streams as Streams
    from objbench.suite import AXES as AXES
    from objbench.suite import Average as Average
    from objbench.suite import Axis as Axis
    from objbench.suite import Column as Column
    from objbench.suite import CurvePoint as CurvePoint
    from objbench.suite import CurveSuite as CurveSuite
    from objbench.suite import CurveValue as CurveValue
    from objbench.suite import Direction as Direction
    from objbench.suite import EvaluationContext as EvaluationContext
    from objbench.suite import Suite as Suite
    from objbench.suite import TaskResult as TaskResult
    from objbench.term import EncodedView as EncodedView
    from objbench.term import EncoderPass as EncoderPass
    from objbench.term import Need as Need
    from objbench.term import Term as Term
    from objbench.term import TermLoss as TermLoss

__version__ = "0.1.0"

PUBLIC_NAMES = {
    "objbench.anatomy": ("Anatomy", "Vocabulary"),
    "objbench.batch": ("IGNORE_INDEX", "Batch", "Corrupted", "Rows"),
    "objbench.errors": ("ConfigError", "DataError", "HubError", "ObjbenchError"),
    "objbench.objective": ("AddedTerm", "Objective", "TokenReading"),
    "objbench.streams": ("Streams",),
    "objbench.suite": (
        "AXES",
        "Average",
        "Axis",
        "Column",
        "CurvePoint",
        "CurveSuite",
        "CurveValue",
        "Direction",
        "EvaluationContext",
        "Suite",
        "TaskResult",
    ),
    "objbench.term": ("EncodedView", "EncoderPass", "Need", "Term", "TermLoss"),
}
_HOME = {name: module for module, names in PUBLIC_NAMES.items() for name in names}

__all__ = ["__version__", "hookimpl", *sorted(_HOME)]  # noqa: PLE0604 - strings, all of them


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'objbench' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
