"""The columns of the tables that ``read_results`` gives: dtype, meaning and unit of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class TableColumn(NamedTuple):
    """A column of a table.

    Attributes:
        dtype: its pandas dtype; "Int64" is an integer that may be missing.
        meaning: what a value says, with its unit.
    """

    dtype: str
    meaning: str


_WHICH = {
    "study": TableColumn("string", "name of the study"),
    "objective": TableColumn("string", "pretraining objective"),
    "seed": TableColumn("int64", "pretraining seed"),
}
_SPEND = {
    "steps": TableColumn("Int64", "optimizer steps spent"),
    "tokens": TableColumn("Int64", "non-padding tokens seen, all processes"),
    "flops": TableColumn("float64", "training FLOPs spent, forward and backward"),
    "seconds": TableColumn("float64", "device seconds of training spent"),
}
_STATUS = TableColumn("string", "of the record: ok, failed, diverged, or missing: not run")
_SIDE = '"": the value; below: it is less than that; above: greater (the end of what was measured)'

SCORES: Mapping[str, TableColumn] = {
    **_WHICH,
    "suite": TableColumn("string", "suite that evaluated the encoder"),
    "column": TableColumn("string", "score of the suite, such as mnli_mm"),
    "task": TableColumn("string", "task that the score was measured on"),
    "metrics": TableColumn("string", "metrics whose mean the score is, joined by +"),
    "finetune_seed": TableColumn("int64", "fine-tuning seed; 0 where nothing is trained"),
    "share": TableColumn("float64", "share of the budget at which the encoder was saved; 1 = end"),
    "value": TableColumn("float64", "the score, as the page prints it (metrics times scale)"),
    "scale": TableColumn("float64", "factor of the metrics; 100 turns shares into points"),
    "direction": TableColumn("string", "max: greater is better; min: smaller is better"),
    **_SPEND,
    "status": _STATUS,
    "why": TableColumn("string", 'why there is no value; "" where there is one or it was not run'),
}

FLOORS: Mapping[str, TableColumn] = {
    "study": _WHICH["study"],
    "objective": TableColumn("string", "objective whose initial weights were scored, if any were"),
    "seed": TableColumn("int64", "pretraining seed of the initial weights"),
    "floor": TableColumn("string", "what was scored, such as majority or untrained"),
    **{name: SCORES[name] for name in ("suite", "column", "task", "value", "scale", "direction")},
    "status": _STATUS,
    "why": SCORES["why"],
}

CURVES: Mapping[str, TableColumn] = {
    **_WHICH,
    "score": TableColumn(
        "string",
        "suite; heldout:TERM: a loss on held-out text; heldout:common and order_gain: common to all",
    ),
    "direction": TableColumn("string", "max: greater is better; min: smaller is better"),
    "point": TableColumn("int64", "number of the point along the budget, from 1"),
    "share": TableColumn("float64", "share of the budget at the point; 1 = end"),
    "value": TableColumn("float64", "the suite's average as the page prints it, or the loss"),
    "bits_per_character": TableColumn(
        "float64", "the common loss of masked or next tokens in this unit; missing for other scores"
    ),
    **_SPEND,
}

VERDICTS: Mapping[str, TableColumn] = {
    "study": _WHICH["study"],
    "claim": TableColumn("string", "claim file and claim, such as taco-2022 speedup"),
    "kind": TableColumn(
        "string", "speedup, gain at equal spend, or leaves-plateau (more runs learn)"
    ),
    "objective": TableColumn("string", "objective that the claim is about"),
    "baseline": TableColumn("string", "objective that it is claimed to beat"),
    "axis": TableColumn(
        "string", 'compute axis of the claim: steps, tokens, flops or seconds; "" without one'
    ),
    "claimed": TableColumn(
        "float64",
        "at least this much: a factor (speedup), points (gain) or percentage points of runs that learn",
    ),
    "score": TableColumn(
        "string", 'score judged by: suite, heldout:TERM, or "" where there is none'
    ),
    "verdict": TableColumn(
        "string",
        "confirmed or refuted (paper's setting), reproduced or not (elsewhere), found by or not (a score the claim does not name), inconclusive, or not tested (the study lacks the score)",
    ),
    "comparison": TableColumn("string", "against the baseline at all: better, worse or unclear"),
    "estimate": TableColumn("float64", "speedup or gain found; in the unit of claimed"),
    "estimate_side": TableColumn("string", _SIDE),
    "low": TableColumn("float64", "lower end of the interval; missing below 3 seeds"),
    "low_side": TableColumn("string", _SIDE),
    "high": TableColumn("float64", "upper end of the interval; missing below 3 seeds"),
    "high_side": TableColumn("string", _SIDE),
    "low_over_examples": TableColumn(
        "float64",
        "of a gain: lower end of the interval over seeds and examples; missing: none stored",
    ),
    "high_over_examples": TableColumn("float64", "its upper end"),
    "level": TableColumn("float64", "coverage of the interval: 0.95 where there is one look"),
    "look": TableColumn("Int64", "which declared look it is read at; 0: seeds were added later"),
    "seeds": TableColumn("int64", "pretraining seeds that count"),
    "seeds_left_out": TableColumn("int64", "pretraining seeds that lack something"),
    "more_seeds_low": TableColumn(
        "Int64", "more seeds that would settle it, at least about; missing: unknown"
    ),
    "more_seeds_high": TableColumn(
        "Int64", "more seeds that would settle it, at most about; missing: unknown or above 1000"
    ),
    "scale": TableColumn("string", "scale of the study, and of the paper"),
    "why": TableColumn("string", "reason for the verdict"),
}

COSTS: Mapping[str, TableColumn] = {
    **_WHICH,
    "status": _STATUS,
    **_SPEND,
    "flops_per_step": TableColumn(
        "float64", "training FLOPs of one optimizer step, as the mean over the budget"
    ),
    "tokens_per_second": TableColumn("float64", "non-padding tokens per device second"),
    "peak_memory": TableColumn("Int64", "bytes; memory_kind says of what"),
    "memory_kind": TableColumn("string", "what peak_memory is measured of"),
    "encoder_parameters": TableColumn("Int64", "parameters of the encoder"),
    "head_parameters": TableColumn("Int64", "parameters of the pretraining heads"),
    "branch_steps": TableColumn("Int64", "steps of cooldown branches, not part of the budget"),
    "branch_seconds": TableColumn("float64", "device seconds of cooldown branches"),
    "compiled": TableColumn("boolean", "whether torch.compile was used; missing: not run"),
    "device": TableColumn("string", "device it was trained on"),
    "learnt": TableColumn("string", "whether the run learnt: learnt, stuck or unknown"),
    "learnt_at": TableColumn("Int64", "steps at the first point from which on it had learnt"),
    "common_loss": TableColumn("float64", "common loss at the end, nats per predicted token"),
    "common_bits_per_character": TableColumn(
        "float64", "the same in this unit; missing where it predicts no tokens, or is not known"
    ),
    "common_of": TableColumn("string", 'what it predicts: masked, next or own; "" where unknown'),
    "order_gain": TableColumn("float64", "common loss with the visible tokens shuffled, less it"),
    "bigram_line": TableColumn("float64", "common loss at or below which a run has learnt"),
}
