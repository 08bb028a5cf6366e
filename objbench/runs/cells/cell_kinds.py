"""The kinds of cells: the one place that says what each does, and in which order they are run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from objbench.results.plan import CellKind
from objbench.results.records import (
    AnyRecord,
    CurveRecord,
    EvaluationRecord,
    FloorRecord,
    PretrainRecord,
    TextRecord,
    TrialEvaluationRecord,
    TrialRecord,
)
from objbench.runs.cells.cell_work import CellWork
from objbench.runs.cells.curve import CurveWork
from objbench.runs.cells.evaluation import EvaluationWork
from objbench.runs.cells.floor import FloorWork
from objbench.runs.cells.made_text import CacheWork, TokenizerWork, TokensWork
from objbench.runs.cells.pretrain import PretrainWork


class Kind(NamedTuple):
    """One kind of cells.

    Attributes:
        work: what a cell of this kind does.
        record: the record that it leaves.
        together: all processes of a study on several run one such cell together; any other cell
            is run by one process alone.
    """

    work: type[CellWork]
    record: type[AnyRecord]
    together: bool = False


KINDS: Mapping[CellKind, Kind] = {
    "tokenizer": Kind(TokenizerWork, TextRecord),
    "tokens": Kind(TokensWork, TextRecord),
    "cache": Kind(CacheWork, TextRecord),
    "trial": Kind(PretrainWork, TrialRecord, together=True),
    "trial_evaluation": Kind(EvaluationWork, TrialEvaluationRecord),
    "pretrain": Kind(PretrainWork, PretrainRecord, together=True),
    "evaluation": Kind(EvaluationWork, EvaluationRecord),
    "curve": Kind(CurveWork, CurveRecord),
    "floor": Kind(FloorWork, FloorRecord),
}
"""The kinds by name; a cell needs none of a kind that comes after its own."""
