"""objbench: compare pretraining objectives for text encoders under equal compute.

The public names for plugin authors, and ``read_results``. They are imported on first use, so that ``import objbench``
and the command line's ``--help`` load no torch; only ``hookimpl`` is there at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from objbench.contract.hooks import hookimpl

if TYPE_CHECKING:
    from objbench.contract.batch import IGNORE_INDEX as IGNORE_INDEX
    from objbench.contract.batch import Batch as Batch
    from objbench.contract.batch import Corrupted as Corrupted
    from objbench.contract.batch import Rows as Rows
    from objbench.contract.encoder_spec import EncoderSpec as EncoderSpec
    from objbench.contract.encoder_spec import Vocabulary as Vocabulary
    from objbench.contract.meters import AXES as AXES
    from objbench.contract.meters import Axis as Axis
    from objbench.contract.objective import AddedTerm as AddedTerm
    from objbench.contract.objective import Objective as Objective
    from objbench.contract.objective import TokenReading as TokenReading
    from objbench.contract.random_streams import Streams as Streams
    from objbench.contract.suite import Average as Average
    from objbench.contract.suite import Column as Column
    from objbench.contract.suite import CurvePoint as CurvePoint
    from objbench.contract.suite import CurveSuite as CurveSuite
    from objbench.contract.suite import CurveValue as CurveValue
    from objbench.contract.suite import Direction as Direction
    from objbench.contract.suite import EvaluationContext as EvaluationContext
    from objbench.contract.suite import ExampleScores as ExampleScores
    from objbench.contract.suite import Suite as Suite
    from objbench.contract.suite import TaskResult as TaskResult
    from objbench.contract.suite import Work as Work
    from objbench.contract.term import EncodedView as EncodedView
    from objbench.contract.term import EncoderPass as EncoderPass
    from objbench.contract.term import Need as Need
    from objbench.contract.term import Term as Term
    from objbench.contract.term import TermLoss as TermLoss
    from objbench.errors import ConfigError as ConfigError
    from objbench.errors import DataError as DataError
    from objbench.errors import HubError as HubError
    from objbench.errors import ObjbenchError as ObjbenchError
    from objbench.leaderboard.data_frames import read_results as read_results

__version__ = "0.1.0"

PUBLIC_NAMES = {
    "objbench.contract.encoder_spec": ("EncoderSpec", "Vocabulary"),
    "objbench.contract.batch": ("IGNORE_INDEX", "Batch", "Corrupted", "Rows"),
    "objbench.errors": ("ConfigError", "DataError", "HubError", "ObjbenchError"),
    "objbench.contract.objective": ("AddedTerm", "Objective", "TokenReading"),
    "objbench.contract.meters": ("AXES", "Axis"),
    "objbench.contract.random_streams": ("Streams",),
    "objbench.contract.suite": (
        "Average",
        "Column",
        "CurvePoint",
        "CurveSuite",
        "CurveValue",
        "Direction",
        "EvaluationContext",
        "ExampleScores",
        "Suite",
        "TaskResult",
        "Work",
    ),
    "objbench.leaderboard.data_frames": ("read_results",),
    "objbench.contract.term": ("EncodedView", "EncoderPass", "Need", "Term", "TermLoss"),
}
_HOME = {name: module for module, names in PUBLIC_NAMES.items() for name in names}

__all__ = ["__version__", "hookimpl", *sorted(_HOME)]  # noqa: PLE0604 - strings, all of them


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'objbench' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
