"""The sentence on top may be quoted without being wrong."""

import dataclasses

import pytest

from objbench.judge.score_source import COMMON
from objbench.leaderboard.document import Picture
from objbench.leaderboard.headline import headline
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sections import page_document
from objbench.leaderboard.speedups import speedup_quantity

SCALE = "preset tiny, corpus toy, 1.23M parameters and 2.46M tokens"
UNKNOWN = "it is not known whether the runs learnt or what glue would give without pretraining"
FAR = {"majority": 30, "untrained": 20}
ELSEWHERE = "nothing here says what happens at another scale"


@pytest.fixture
def measured(make_study):
    """As ``make_study``, of runs that are known to have learnt and scores far above their floors.

    That they learnt is known from a loss of their own, which is no curve.
    """

    def make(*names, **values):
        study = make_study(*names, floors=FAR, **values)
        study.measure_learning(of="own")
        return study

    return make


def unlike_mlm(study, objective, points):
    """Give an objective mlm's scores plus so many points, at every seed but for a small spread."""
    for cell_id, record in list(study.records.items()):
        if record.kind == "evaluation" and record.objective == objective:
            twin = study.records[cell_id.replace(objective, "mlm")].scores
            plus = (points + 0.01 * record.seed) / 100
            moved = {
                name: {metric: value + plus for metric, value in metrics.items()}
                for name, metrics in twin.items()
            }
            study.change(cell_id, scores=moved)


def test_few_seeds_conclude_nothing(make_study, report_of):
    assert headline(report_of(make_study())) == (
        f"taco against mlm at equal FLOPs, {SCALE}, 2 seeds: nothing may be concluded about which "
        "is better, because 2 seeds give no confidence interval (objbench asks for at least 3)."
    )


def test_better_and_worse_and_neither_are_named(measured, report_of):
    names = ("mlm", "taco", "worse", "same")
    study = measured(objectives=names, seeds=(1, 2, 3, 4))
    unlike_mlm(study, "taco", 3.0)
    unlike_mlm(study, "worse", -3.0)
    unlike_mlm(study, "same", -0.025)
    assert headline(report_of(study)) == (
        f"taco, worse and same against mlm at equal FLOPs, {SCALE}, 4 seeds: on the suite "
        "glue, taco is significantly better than mlm, worse is significantly worse than mlm, same is not "
        f"significantly different from mlm; {ELSEWHERE}."
    )


def test_unknown_learning_concludes_nothing_whatever_the_numbers(make_study, report_of):
    study = masked_alike(make_study(seeds=(1, 2, 3, 4), points=4))
    unlike_mlm(study, "taco", -3.0)
    lose(study, {"taco": (-0.2, -0.21, -0.19, -0.2)})
    (loss,) = (c for c in report_of(study).curves if c.source.suite is None)
    assert loss.speedups["taco"].comparison == "better"
    nothing = f"4 seeds: nothing may be concluded, because {UNKNOWN}."
    assert headline(report_of(study)).endswith(nothing)
    # Of one run it is enough.
    study.measure_learning()
    old = study.records["taco.seed-3"].points
    study.change("taco.seed-3", points=[p.model_copy(update={"common": None}) for p in old])
    assert headline(report_of(study)).endswith(nothing.replace("the runs", "all runs"))


def test_many_are_counted(make_study, report_of):
    study = make_study(objectives=("mlm", *"abcde"), seeds=(1, 2, 3), points=1)
    assert headline(report_of(study)).startswith("5 objectives against mlm at equal FLOPs")


def test_one_objective_alone(make_study, report_of):
    study = make_study(objectives=("mlm",), seeds=(1, 2, 3))
    assert headline(report_of(study)) == f"mlm only, {SCALE}, 3 seeds: nothing is compared."


def test_an_incomplete_side_concludes_nothing(measured, report_of):
    study = measured(seeds=(1, 2, 3))
    del study.records["glue.cola.taco.seed-2.3of3.ft-1"]
    assert headline(report_of(study)).endswith(
        ": nothing may be concluded, because no suite score of both sides is complete, and "
        "their held-out losses are not comparable or not significantly different."
    )


def test_before_the_first_run_there_is_no_scale(make_study, report_of):
    study = make_study()
    study.records.clear()
    assert headline(report_of(study)).startswith(
        "taco against mlm at equal FLOPs, preset tiny, corpus toy, 2 seeds: "
    )


@pytest.mark.parametrize(
    ("study", "said"),
    [
        (
            {"preset": "demo", "data": {"corpus": "hf:org/name:part"}},
            "preset demo, corpus hf:org/name:part",
        ),
        ({"preset": None, "data": {"corpus": "/home/a/texts/wiki"}}, "corpus texts/wiki"),
        ({"data": {"corpus": "/wiki"}}, "corpus wiki"),
        ({}, ""),
    ],
)
def test_preset_and_text_are_named_where_the_plan_holds_them(make_study, report_of, study, said):
    made = make_study()
    made.plan = made.plan.model_copy(update={"study": study})
    setting = f", {said}" if said else ""
    assert headline(report_of(made)).startswith(
        f"taco against mlm at equal FLOPs{setting}, 1.23M parameters"
    )


def masked_alike(study):
    """All objectives have MLM's masking, so that their held-out losses can be compared."""
    objectives = tuple(
        o.model_copy(update={"options": {"rate": 0.15}}) for o in study.plan.objectives
    )
    study.plan = study.plan.model_copy(update={"objectives": objectives})
    return study


def lose(study, gaps):
    """Held-out losses that fall early in the budget; of each objective mlm's and one gap per seed.

    After the first point the curves are nearly flat: a speedup between the last two points would
    be a matter of their spacing.
    """
    names = [o.name for o in study.plan.objectives]
    seeds = [c.seed for c in study.plan.cells if c.kind == "pretrain" and c.objective == "mlm"]
    for name in names:
        for seed, gap in zip(seeds, gaps.get(name, [0.0] * len(seeds)), strict=True):
            points = study.records[f"{name}.seed-{seed}"].points
            losses = [4.0 + seed / 10 + gap, *(3.0 + seed / 10 + gap for _ in points[1:])]
            points = [
                point.model_copy(update={"heldout": {"mlm": loss - place / 1000}})
                for place, (point, loss) in enumerate(zip(points, losses, strict=True))
            ]
            study.change(f"{name}.seed-{seed}", points=points)


def _of_loss(report):
    """The speedups of taco by the held-out loss."""
    curve = next(curve for curve in report.curves if curve.source.suite is None)
    return curve.speedups["taco"]


@pytest.mark.parametrize(
    ("gaps", "said"),
    [
        (
            (-0.2, -0.21, -0.19, -0.2),
            "taco reaches mlm's final held-out mlm loss with significantly fewer FLOPs",
        ),
        (
            (0.2, 0.21, 0.19, 0.2),
            "taco never reaches mlm's final held-out mlm loss within the budget",
        ),
        ((-0.2, 0.2, -0.1, 0.1), ""),
    ],
)
def test_the_held_out_loss_is_said_where_it_settles_something(measured, report_of, gaps, said):
    study = masked_alike(measured(seeds=(1, 2, 3, 4), points=4))
    unlike_mlm(study, "taco", -0.025)
    lose(study, {"taco": gaps})
    on_glue = "on the suite glue, taco is not significantly different from mlm"
    report = report_of(study)
    finding = _of_loss(report).headline["flops"]
    if said.endswith("fewer FLOPs"):
        assert finding.low is not None and finding.low.value > 1
        said += f" ({speedup_quantity(finding).text})"
    found = f"{on_glue}; {said}" if said else on_glue
    assert headline(report).endswith(f": {found}; {ELSEWHERE}.")
    # What the sentence rests on is not folded away.
    top = page_document(report)
    shown = [block.file for block in top if isinstance(block, Picture)]
    assert shown == ["convergence-glue.svg", *["convergence-heldout-mlm.svg"] * bool(said)]
    assert render_markdown(top).count("(convergence-heldout-mlm.svg)") == 1


def test_the_common_loss_says_who_is_neither_sooner_nor_later(make_study, report_of):
    study = make_study(seeds=(1, 2, 3, 4), points=4, floors=FAR)
    study.measure_learning()
    for seed, gap in zip((1, 2, 3, 4), (-0.2, 0.2, -0.1, 0.1), strict=True):
        points = []
        for mlm, taco in zip(
            *(study.records[f"{name}.seed-{seed}"].points for name in ("mlm", "taco")), strict=True
        ):
            common = taco.common.model_copy(update={"loss": mlm.common.loss + gap})
            points.append(taco.model_copy(update={"common": common}))
        study.change(f"taco.seed-{seed}", points=points)
    report = report_of(study)
    (common,) = (curve for curve in report.curves if curve.source.name == COMMON)
    finding = common.speedups["taco"].headline["flops"]
    assert common.speedups["taco"].comparison == "unclear" and finding.low is not None
    said = headline(report)
    words = (
        "taco is neither significantly faster nor slower to reach mlm's final common held-out loss"
    )
    assert said.count(words) == 1
    assert f"{words} ({speedup_quantity(finding).text} in FLOPs)" in said


def test_losses_under_other_masking_are_not_in_the_sentence(measured, report_of):
    study = measured(seeds=(1, 2, 3, 4), points=4)
    lose(study, {"taco": (-0.2, -0.21, -0.19, -0.2)})
    assert "held-out" not in headline(report_of(study))


def test_significantly_is_said_of_all_objectives_at_once(measured, report_of):
    # p = 0.032 by itself, which is no finding among two.
    gaps = (-0.06, -0.2, -0.08, -0.14)
    for others in (("taco",), ("taco", "other")):
        study = masked_alike(measured(("mlm", *others), seeds=(1, 2, 3, 4), points=4))
        lose(study, {"taco": gaps, "other": (-0.2, 0.2, -0.1, 0.1)})
        report = report_of(study)
        assert _of_loss(report).headline["flops"].comparison == "better"
        assert ("taco reaches" in headline(report)) == (len(others) == 1)


def test_curves_without_a_finding_are_not_called_missing(measured, report_of):
    study = masked_alike(measured(seeds=(1, 2, 3, 4), points=4))
    lose(study, {"taco": (-0.2, 0.2, -0.1, 0.1)})
    study.plan = study.plan.model_copy(
        update={
            "suites": (),
            "cells": tuple(cell for cell in study.plan.cells if cell.kind == "pretrain"),
        }
    )
    said = headline(report_of(study))
    assert said.count("held-out losses are not comparable or not significantly different") == 1


def test_a_suites_curve_says_nothing_of_held_out_losses(measured, report_of):
    study = measured(seeds=(1, 2, 3), points=4)
    del study.records["glue.cola.taco.seed-2.4of4.ft-1"]
    report = report_of(study)
    curves = tuple(curve for curve in report.curves if curve.source.suite is not None)
    assert any(item.headline for curve in curves for item in curve.speedups.values())
    said = headline(dataclasses.replace(report, curves=curves))
    assert "because no score of both sides is complete" in said
