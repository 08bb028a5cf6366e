"""A forger who makes every seal anew is found by what the records say of each other."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from objbench.results.phase_costs import PhaseCost, spent_flops
from objbench.results.records import EvaluationRecord, PretrainRecord
from objbench.results.submissions.score_faults import score_faults, uncounted
from objbench.results.submissions.statement import statement_of

RUN, OTHER = "mlm.seed-0", "mlm.seed-1"
SCORED = "toy.polarity.mlm.seed-0.100pct.ft-0"
ON_THE_WAY = "toy.polarity.mlm.seed-0.50pct.ft-0"
forged = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_what_is_written_anew_unchanged_has_no_fault(forger):
    assert forger.faults() == []


@forged
@given(st.data())
def test_a_record_that_is_dropped_is_missed(forger, study, data):
    name = data.draw(st.sampled_from(sorted(study.records)))
    records = {n: r for n, r in study.records.items() if n != name}
    assert any("there is no record of it" in f and name in f for f in forger.faults(records))


@forged
@given(st.data())
def test_a_record_that_is_added_is_of_no_cell(forger, study, data):
    name = data.draw(st.sampled_from(sorted(study.records)))
    more = study.records[name].model_copy(update={"id": f"{name}.more", "seed": 7})
    faults = forger.faults(study.records | {more.id: more})
    assert any("a record of no cell" in fault for fault in faults)


@forged
@given(st.data())
def test_a_key_that_is_changed_is_of_no_cell(forger, study, data):
    name = data.draw(st.sampled_from(sorted(study.records)))
    assert forger.faults(forger.with_record(name, key="0" * 64))


def runs(study):
    return [r for r in study.records.values() if isinstance(r, PretrainRecord)]


@forged
@given(st.data())
def test_seeds_that_are_swapped_are_found(forger, study, data):
    one = data.draw(st.sampled_from(runs(study)))
    other = data.draw(st.sampled_from([r for r in runs(study) if r.seed != one.seed]))
    # Swapped whole, each under the name, key and seed of the other.
    kept = ("id", "key", "seed", "objective", "plugin", "steps")
    swapped = study.records | {
        a.id: b.model_copy(update={name: getattr(a, name) for name in kept})
        for a, b in ((one, other), (other, one))
    }
    assert forger.faults(swapped)
    # And their seeds alone.
    assert forger.faults(
        study.records
        | {
            one.id: one.model_copy(update={"seed": other.seed}),
            other.id: other.model_copy(update={"seed": one.seed}),
        }
    )


def test_a_run_that_is_the_copy_of_another_seed_is_found(forger, study):
    copied, own = study.records[RUN], study.records[OTHER]
    points = [
        point.model_copy(
            update={"encoder": mine.encoder, "digest": mine.digest, "meters": mine.meters}
        )
        for point, mine in zip(copied.points, own.points, strict=True)
    ]
    log = [
        point.model_copy(update={"meters": mine.meters})
        for point, mine in zip(copied.logged, own.logged, strict=True)
    ]
    faults = forger.faults(forger.with_record(OTHER, points=points, log=log))
    assert faults == [f"pretrain {OTHER}: its losses are those of {RUN}, which has another seed"]


def in_points(record, **meters):
    """The points of a record with other meters at the last."""
    *before, last = record.points
    return [*before, last.model_copy(update={"meters": last.meters.model_copy(update=meters)})]


@forged
@given(st.sampled_from(["flops", "tokens", "steps"]), st.floats(1.01, 3.0))
def test_a_spend_that_is_no_multiple_of_the_step_is_found(forger, study, axis, factor):
    record = study.records[RUN]
    value = getattr(record.points[-1].meters, axis)
    more = value * factor if axis == "flops" else math.ceil(value * factor) + 10
    assert forger.faults(forger.with_record(RUN, points=in_points(record, **{axis: more})))


@pytest.mark.parametrize("factor", [0.6, 0.98, 1.02, 1.9])
def test_a_cheaper_step_than_was_planned_is_found(forger, study, factor):
    record = study.records[RUN]
    cost = record.cost.model_copy(update={"flops_per_step": factor * record.cost.flops_per_step})
    spent = {
        n: [
            p.model_copy(
                update={"meters": p.meters.model_copy(update={"flops": factor * p.meters.flops})}
            )
            for p in getattr(record, n)
        ]
        for n in ("log", "points")
    }
    faults = forger.faults(forger.with_record(RUN, cost=cost, **spent))
    assert any("its budget was planned with" in fault for fault in faults)


def phases_of(per_step, dear=1.5, share=0.5):
    """A dear phase and then a cheap one, of ``per_step`` FLOPs on average."""
    cheap = (1 - share * dear) / (1 - share)
    return (
        PhaseCost(mode="dear", share=share, flops_per_step=dear * per_step),
        PhaseCost(mode="cheap", share=1 - share, flops_per_step=cheap * per_step),
    )


def in_phases(study, planned, of_run, spent=None):
    """Plan and records with an mlm in phases.

    Args:
        planned, of_run: its phases in the plan and in the costs of its runs.
        spent: those by which its points were summed; None for ``of_run``.
    """
    (mlm,) = (o for o in study.plan.objectives if o.name == "mlm")

    def summed(point):
        meters, by = point.meters, of_run if spent is None else spent
        flops = spent_flops(meters.steps, mlm.steps, mlm.flops_per_step, by)
        return point.model_copy(update={"meters": meters.model_copy(update={"flops": flops})})

    records = {}
    for name, record in study.records.items():
        if record.objective == "mlm" and isinstance(record, PretrainRecord):
            changed = {
                "cost": record.cost.model_copy(update={"phases": of_run}),
                "log": [summed(point) for point in record.logged],
                "points": [summed(point) for point in record.points],
            }
            record = record.model_copy(update=changed)
        elif record.objective == "mlm" and isinstance(record, EvaluationRecord):
            record = summed(record) if record.meters.steps else record
        records[name] = record
    objectives = tuple(
        o.model_copy(update={"phases": planned}) if o is mlm else o for o in study.plan.objectives
    )
    return records, objectives


def test_what_was_spent_in_phases_is_checked_phase_by_phase(forger, study):
    (step,) = (o.flops_per_step for o in study.plan.objectives if o.name == "mlm")
    right = phases_of(step)

    def faults(*phases, **options):
        records, objectives = in_phases(study, *phases, **options)
        return [fault for fault in forger.faults(records, objectives=objectives) if RUN in fault]

    assert faults(right, right) == []
    assert any("phase by phase" in fault for fault in faults(right, right, spent=()))
    assert any("its phases are" in fault and "planned none" in fault for fault in faults((), right))
    assert any("its phases are none" in fault for fault in faults(right, ()))
    dear, cheap = right
    # The dear phase said to be cheaper, with the mean as it was planned, and with its own.
    other = phases_of(step, dear=1.4)
    assert any("a step of the phase dear cost" in fault for fault in faults(right, other))
    cheaper = (dear, cheap.model_copy(update={"flops_per_step": 0.5 * cheap.flops_per_step}))
    assert any("on average" in fault for fault in faults(cheaper, cheaper))


@forged
@given(st.floats(0, 1))
def test_a_score_that_its_examples_do_not_have_is_found(forger, study, value):
    record = study.records[SCORED]
    ((column, scores),) = record.scores.items()
    if abs(value - scores["accuracy"]) < 1e-4:
        return
    assert forger.faults(forger.with_record(SCORED, scores={column: {**scores, "accuracy": value}}))


@forged
@given(st.integers(0, 499), st.floats(0.01, 0.99))
def test_on_the_way_an_accuracy_is_still_a_whole_number_of_examples(forger, study, right, part):
    column, count = "polarity", study.records[ON_THE_WAY].eval_examples["polarity"]

    def faults(accuracy):
        scores = {column: {"accuracy": accuracy}}
        return forger.faults(forger.with_record(ON_THE_WAY, scores=scores))

    assert faults(right / count) == []
    (fault,) = faults((right + part) / count)
    assert "no whole number of its" in fault


@pytest.mark.parametrize(
    "changes",
    [
        {"upstream": "0" * 64},
        {"suite_version": 99},
        {"protocol": "another"},
        {"made_from": {"encoder": "0" * 64}},
        {"eval_examples": {"polarity": 501}},
        {"eval_examples": {}},
        {"examples": {}},
        {"scores": {}},
        {"finetune_seed": 1},
        {"share": 0.5},
        {"status": "failed", "reason": "out of memory"},
    ],
    ids=lambda changes: " ".join(changes),
)
def test_an_evaluation_of_something_else_is_found(forger, changes):
    faults = forger.faults(forger.with_record(SCORED, **changes))
    assert faults
    # A fault of a file that cannot be read names the file.
    assert all(SCORED in fault or ".jsonl" in fault for fault in faults)


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 7},
        {"teachers": {"taco": "0" * 64}},
        {"made_from": {"train": "0" * 64, "heldout": "0" * 64}},
        {"cost": None},
        {"points": []},
    ],
    ids=lambda changes: " ".join(changes),
)
def test_a_pretraining_of_something_else_is_found(forger, changes):
    assert forger.faults(forger.with_record(RUN, **changes))


def test_losses_that_cannot_be_are_found(forger, study):
    record = study.records[RUN]
    *before, last = record.points
    for change in ({"loss": -0.1}, {"order_gain": -9.0}, {"tokens": 1}):
        common = last.common.model_copy(update=change)
        points = [*before, last.model_copy(update={"common": common})]
        (fault, *_) = forger.faults(forger.with_record(RUN, points=points))
        assert RUN in fault
    lines = study.lines.model_copy(
        update={
            "lines": {
                kind: own.model_copy(update={"uniform": own.uniform - 0.01})
                for kind, own in study.lines.lines.items()
            }
        }
    )
    assert all("lines.json" in fault for fault in forger.faults(lines=lines))
    assert forger.faults(lines=lines)


def test_declared_seeds_are_all_there_and_no_other(forger, study):
    (fault, *_) = forger.faults(declared=((0, 1, 2), (3,)))
    assert fault == "plan.json: the seed 3 was declared and is not run"
    # A plan that ran what it had not declared is not read.
    assert any("not among those declared" in fault for fault in forger.faults(declared=((0, 1),)))
    settings_of = {**study.plan.study, "seeds": [0, 1]}
    assert any("seeds of its study" in fault for fault in forger.faults(study=settings_of))


@pytest.mark.parametrize(
    "said",
    [
        {"study": "another"},
        {"command": "objbench run --seeds 5"},
        {"engine_version": 1},
        {"declared": ((0,),)},
        {"cells": {"ok": 30}},
        {"ran": ()},
        {"plugins": ()},
    ],
    ids=lambda said: " ".join(said),
)
def test_a_statement_that_the_records_do_not_bear_out_is_found(forger, said):
    (fault,) = forger.faults(statement=said)
    (name,) = said
    assert fault.startswith(
        f"statement.json: its {name.replace('_', ' ')} is not that of the records"
    )


def test_a_run_elsewhere_that_is_said_to_be_here_is_found(forger, study):
    (row,) = statement_of(study, {}).ran
    elsewhere = row.model_copy(update={"origin": row.origin.model_copy(update={"device": "H200"})})
    (fault,) = forger.faults(statement={"ran": (elsewhere,)})
    assert "its ran is not that of the records" in fault


def test_a_column_of_which_nothing_is_stored_needs_no_count(study):
    """BLiMP has columns that are means over unequal parts, with ties that count half."""
    bare = {
        name: record.model_copy(update={"examples": {}, "eval_examples": {}})
        if isinstance(record, EvaluationRecord)
        else record
        for name, record in study.records.items()
    }
    assert list(score_faults(study.plan, bare)) == []
    assert list(uncounted(study.plan, bare)) == [
        "no examples are stored of toy polarity, so nothing says which accuracies are possible"
    ]
    known = bare | {SCORED: study.records[SCORED]}
    assert f"evaluation {ON_THE_WAY}: nothing says how many examples polarity has" in list(
        score_faults(study.plan, known)
    )


def test_runs_that_diverged_are_results_and_what_rests_on_them_is_not_missed(forger, study):
    gone = {c.id for c in study.plan.cells if RUN in c.needs or c.id == f"convergence.{RUN}"}
    gone |= {c.id for c in study.plan.cells if gone.intersection(c.needs)}
    records = {n: r for n, r in study.records.items() if n not in gone}
    record = study.records[RUN].model_copy(
        update={"status": "diverged", "reason": "loss is nan", "points": [], "cost": None}
    )
    assert forger.faults(records | {RUN: record}) == []
    assert all(isinstance(study.records[n], EvaluationRecord) or "convergence" in n for n in gone)


@pytest.mark.parametrize(
    ("record", "reached", "fault"),
    [
        ({}, {}, ""),
        ({}, {"steps": 3, "flops": 3, "tokens": 3}, "its end: it had logged step 4 before"),
        ({}, {"steps": 7}, "it reached step 7 of 6"),
        ({}, {"flops": 6}, "FLOPs are not its steps times"),
        ({}, {"tokens": 4}, "tokens are not its steps times"),
        ({}, {"seconds": 0}, "its end: its steps took no time"),
        ({"cost": None}, {}, "its cost is missing"),
        ({"status": "ok"}, {}, "what it reached is said of runs that diverged alone"),
    ],
)
def test_a_run_that_diverged_reached_what_it_can_have_reached(
    forger, study, record, reached, fault
):
    *log, last = study.records[RUN].logged
    assert (log[-1].meters.steps, last.meters.steps) == (4, 6)
    of = {**dict.fromkeys(("steps", "flops", "tokens", "seconds"), 5), **reached}
    # What so many of its six steps took.
    spent = {n: type(v)(v * of[n] / 6) for n, v in last.meters.model_dump().items()}
    values = {"status": "diverged", "points": [], "log": log, "reached": type(last.meters)(**spent)}
    faults = forger.faults(forger.with_record(RUN, **values | record))
    own = [text for text in faults if "exported no encoder" not in text]
    assert (fault in own[0] and len(own) == 1) if fault else not own
