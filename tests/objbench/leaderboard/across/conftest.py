"""Made-up studies at several scales, with effects that are known."""

import numpy as np
import pytest

from objbench.leaderboard.across.comparison import compare
from objbench.leaderboard.across.studies import studies
from objbench.results.records import EvaluationRecord, PretrainRecord
from objbench.results.training_points import ExportedPoint, Meters

SEEDS = (1, 2, 3, 4, 5)


@pytest.fixture
def at_scale(make_study):
    """(size, recipe, gain, ...) -> a made-up study of that size: its plan and records.

    The encoder has ``size`` million parameters and every run takes ``size`` times the tokens and
    FLOPs of ``make_study``. The common loss of mlm at a point is 6 - 3 share and that of taco
    lower by ``gain`` at the end and in proportion before it, with ``noise`` of the seeds' own.
    """

    def make(size, recipe="modernbert", gain=0.3, noise=0.01, seeds=SEEDS, stuck=None, **values):
        values.setdefault("floors", {"majority": 40, "untrained": 40})
        study = make_study(seeds=seeds, points=6, finetune=(0,), **values)
        study.measure_learning(stuck)
        generator = np.random.default_rng(round(1000 * size))
        for cell in study.plan.cells:
            record = study.records[cell.id]
            if isinstance(record, EvaluationRecord):
                study.change(cell.id, meters=_more(record.meters, size))
            if not isinstance(record, PretrainRecord) or record.kind != "pretrain":
                continue
            own = noise * generator.standard_normal()
            points = [
                _moved(p, size, (gain if cell.objective == "taco" else 0.0) + own, p.share)
                for p in record.points
            ]
            cost = record.cost.model_copy(update={"encoder_parameters": round(1e6 * size)})
            key = f"{round(1000 * size):x}{record.key}"[:64]
            study.change(cell.id, points=points, cost=cost, key=key)
        cells = tuple(
            cell.model_copy(update={"key": study.records[cell.id].key}) for cell in study.plan.cells
        )
        objectives = tuple(
            own.model_copy(
                update={
                    "flops_per_step": size * own.flops_per_step,
                    "tokens_per_step": round(size * own.tokens_per_step),
                }
            )
            for own in study.plan.objectives
        )
        study.plan = study.plan.model_copy(
            update={
                "cells": cells,
                "objectives": objectives,
                "study": {**study.plan.study, "encoder": {"model_type": recipe}},
            }
        )
        return study

    return make


def _more(meters, size) -> Meters:
    """As much more as each step of a larger encoder and batch takes."""
    more = {"tokens": round(size * meters.tokens), "flops": size * meters.flops}
    return meters.model_copy(update=more)


def _moved(point, size, gain, share) -> ExportedPoint:
    is_stuck = point.common.order_gain == 0
    loss = point.common.loss if is_stuck else 6.0 - (3.0 + gain) * share
    common = point.common.model_copy(update={"loss": loss})
    return point.model_copy(update={"meters": _more(point.meters, size), "common": common})


@pytest.fixture
def compared():
    """(name -> made study) -> what they show together."""

    def make(**found):
        return compare(studies([(name, "runs", own.results()) for name, own in found.items()]))

    return make
