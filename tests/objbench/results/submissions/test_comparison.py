"""How much a number may differ when its cell is run again: by hand, quantity by quantity."""

import math
from statistics import stdev

import pytest
from scipy.special import stdtrit

from objbench.results.submissions.comparison import by_seed, compared, same_place

RUN, SCORED = "mlm.seed-0", "toy.polarity.mlm.seed-0.100pct.ft-0"


def with_loss(record, change):
    *before, last = record.points
    heldout = {**last.heldout, "loss": last.heldout["loss"] + change}
    return record.model_copy(
        update={"points": [*before, last.model_copy(update={"heldout": heldout})]}
    )


def with_score(record, accuracy):
    return record.model_copy(update={"scores": {"polarity": {"accuracy": accuracy}}})


def differing(sent, found, seeds, bits=False):
    return [d.what for d in compared(sent, found, seeds, drawn=True, bits=bits).differences]


def test_the_same_record_agrees_in_every_number(study):
    for record in study.records.values():
        for bits in (True, False):
            again = compared(record, record, [record], drawn=True, bits=bits)
            assert again.differences == ()
            assert again.equal == again.numbers >= 1


def test_on_the_same_machine_the_last_bit_counts(study):
    record = study.records[RUN]
    loss = record.points[-1].heldout["loss"]
    other = with_loss(record, math.nextafter(loss, 9) - loss)
    assert differing(record, other, [record], bits=True) == ["held-out loss at step 6"]
    assert differing(record, other, [record]) == []
    point = record.points[-1].model_copy(update={"digest": "f" * 64})
    other = record.model_copy(update={"points": [*record.points[:-1], point]})
    assert differing(record, other, [record], bits=True) == ["encoder at step 6"]
    assert differing(record, other, [record]) == []
    # Another commit may write other files beside the same weights.
    made = other.provenance.model_copy(update={"git_commit": "another"})
    other = other.model_copy(update={"provenance": made})
    assert differing(record, other, [record], bits=True) == []


def test_what_a_diverged_run_had_spent_is_compared_where_it_has_to_diverge_alike(study):
    record = study.records[RUN]
    before, at = (point.meters for point in record.points)
    changes = {"status": "diverged", "points": record.points[:1]}
    sent = record.model_copy(update={**changes, "reached": at})
    found = record.model_copy(update={**changes, "reached": before})
    spent = [f"spent before it diverged: {axis}" for axis in ("steps", "tokens", "flops")]
    for one, other in ((sent, found), (sent, record.model_copy(update=changes))):
        assert differing(one, other, [one], bits=True) == spent
        assert differing(one, other, [one]) == []
        # A commit of before did not say it.
        made = other.provenance.model_copy(update={"git_commit": "another"})
        other = other.model_copy(update={"provenance": made})
        assert differing(one, other, [one], bits=True) == []


def test_elsewhere_a_loss_may_differ_as_two_seeds_do(study):
    record = study.records[RUN]
    seeds = by_seed(record, study.records)
    assert [r.id for r in seeds] == [f"mlm.seed-{n}" for n in range(3)]
    spread = stdev(r.points[-1].heldout["loss"] for r in seeds)
    allowed = float(stdtrit(2, 0.995)) * spread * math.sqrt(2)
    assert differing(record, with_loss(record, 0.99 * allowed), seeds) == []
    (found,) = compared(
        record, with_loss(record, 1.01 * allowed), seeds, drawn=True, bits=False
    ).differences
    assert found.what == "held-out loss at step 6"
    assert found.tolerance == pytest.approx(allowed, rel=1e-3)


def test_with_two_seeds_a_loss_may_differ_by_a_twentieth(study):
    record = study.records[RUN]
    two, loss = by_seed(record, study.records)[:2], record.points[-1].heldout["loss"]
    assert differing(record, with_loss(record, 0.049 * loss), two) == []
    assert differing(record, with_loss(record, 0.051 * loss), two) == ["held-out loss at step 6"]


def test_with_two_seeds_a_score_may_differ_by_three_standard_errors(study):
    record = with_score(study.records[SCORED], 0.8)
    count = record.eval_examples["polarity"]
    allowed = 3 * math.sqrt(2 * 0.8 * 0.2 / count)
    assert differing(record, with_score(record, 0.8 - 0.99 * allowed), [record]) == []
    assert differing(record, with_score(record, 0.8 - 1.01 * allowed), [record]) == [
        "polarity accuracy"
    ]


def test_seeds_that_are_all_alike_say_nothing_of_the_spread(study):
    record = with_score(study.records[SCORED], 1.0)
    count = record.eval_examples["polarity"]
    allowed = 3 * math.sqrt(2 * 0.25 / count)
    assert differing(record, with_score(record, 1 - 0.99 * allowed), [record] * 3) == []
    assert differing(record, with_score(record, 1 - 1.01 * allowed), [record] * 3)


def test_text_that_differs_is_shown_as_no_number(study):
    record = study.records[RUN]
    other = record.model_copy(update={"status": "diverged"})
    found = compared(record, other, [record], drawn=True, bits=True)
    (status,) = [d for d in found.differences if d.what == "status"]
    assert (status.sent, status.found) == (None, None)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"steps": 5}, "steps"),
        ({"status": "diverged"}, "status"),
        ({"points": []}, "tokens at step 3"),
    ],
)
def test_what_is_counted_is_equal_everywhere(study, changes, what):
    record = study.records[RUN]
    seeds = by_seed(record, study.records)
    assert what in differing(record, record.model_copy(update=changes), seeds)


def test_flops_may_be_counted_a_little_differently(study):
    record = study.records[RUN]
    for factor, is_allowed in ((1.009, True), (1.011, False)):
        cost = record.cost.model_copy(
            update={"flops_per_step": factor * record.cost.flops_per_step}
        )
        found = differing(record, record.model_copy(update={"cost": cost}), [record])
        assert found == ([] if is_allowed else ["FLOPs per step"])


@pytest.mark.parametrize(
    "changes",
    [{"device": "another"}, {"threads": 9}, {"processes": 2}, {"versions": {"torch": "2.0"}}],
)
def test_the_same_place_is_device_versions_threads_and_processes(study, changes):
    record = study.records[RUN]
    other = record.model_copy(update={"provenance": record.provenance.model_copy(update=changes)})
    assert not same_place(record, other)
    later = record.provenance.model_copy(update={"command": "x", "finished": "2027-01-01T00:00:00"})
    assert same_place(record, record.model_copy(update={"provenance": later}))


def test_seeds_of_other_objectives_and_points_do_not_count(study):
    for record in study.records.values():
        own = by_seed(record, study.records)
        assert record in own
        assert {(r.kind, r.objective) for r in own} == {(record.kind, record.objective)}
        assert len({r.seed for r in own}) == len(own)
