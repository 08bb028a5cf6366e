"""Who holds the record: rows in the order of time, by FLOPs and by the seconds of one device."""

from dataclasses import replace

import pytest
from made_track import FALLING, TOY, track_study

from objbench.judge.track.holders import against, challenges, holder_of, ranked
from objbench.judge.track.rows import judged
from objbench.judge.track.track import read_track
from objbench.results.submissions.marks import Received, SentIn

TARGET = TOY.targets[0]
NEVER = tuple(loss + 0.5 for loss in FALLING)
# Each run a little slower than the one before.
RUNS = [tuple(loss + 0.01 * seed for loss in FALLING) for seed in range(5)]


def row(name, day, runs=RUNS, sent=None, **how):
    results = track_study({"mlm": runs}, day=day, **how).results()
    (found,) = judged(TOY, name, replace(results, sent_in=sent)).rows
    return found


def sent(day):
    return SentIn(
        Received(
            submission="0",
            records="0",
            received=f"2026-01-{day:02}T00:00:00+00:00",
            objbench="0",
            cells=5,
            keys=5,
        )
    )


def became(rows, axis="flops"):
    return [(found.row.study, found.holds) for found in challenges(rows, TARGET, axis)]


def test_the_first_that_arrives_holds_and_a_faster_one_takes_over():
    rows = [row("first", 2), row("never", 1, [NEVER] * 5), row("faster", 3, flops=0.5e9)]
    assert became(rows) == [("never", False), ("first", True), ("faster", True)]
    assert holder_of(rows, TARGET, "flops").study == "faster"


def test_the_order_is_that_of_time_and_not_of_names_or_the_list():
    rows = [row("a", 3, flops=0.5e9), row("b", 1), row("c", 2, flops=0.4e9)]
    assert became(rows) == became(rows[::-1]) == [("b", True), ("c", True), ("a", False)]


def test_a_little_faster_is_no_record():
    rows = [row("first", 1), row("little", 2, flops=0.99e9)]
    assert became(rows) == [("first", True), ("little", False)]
    assert [found.study for found in ranked(rows, TARGET, "flops")] == ["little", "first"]


def test_of_those_that_did_not_arrive_the_one_that_diverged_first_is_not_the_first():
    early = row("early", 1, [FALLING[:1]] * 5)
    nearly, nearer = (row(f"{n} of 5", 1, [*RUNS[:n], *[NEVER] * (5 - n)]) for n in (1, 2))
    order = [found.study for found in ranked([early, nearly, nearer], TARGET, "flops")]
    assert order == ["2 of 5", "1 of 5", "early"]


def test_one_lucky_run_does_not_make_a_record_and_a_lost_one_counts():
    lucky = [(1.0,) * 6, *RUNS[1:]]
    assert not against(row("lucky", 2, lucky), row("first", 1), TARGET, "flops").is_record
    fast = [tuple(loss - 0.15 for loss in run) for run in RUNS]
    whole, lost = row("whole", 2, fast), row("lost", 2, [*fast[:3], NEVER, NEVER])
    first = row("first", 1)
    assert against(whole, first, TARGET, "flops").is_record
    assert not against(lost, first, TARGET, "flops").is_record


def test_what_was_sent_waits_until_it_is_verified():
    rows = [row("first", 1), row("sent", 2, flops=0.5e9, sent=sent(2))]
    (_, challenge) = challenges(rows, TARGET, "flops")
    assert challenge.is_faster and not challenge.holds
    assert holder_of(rows, TARGET, "flops").study == "first"


def test_a_sent_row_is_as_old_as_its_receipt_whatever_its_records_say():
    rows = [row("first", 5), row("older", 1, flops=1.01e9, sent=sent(9))]
    assert became(rows) == [("first", True), ("older", False)]


@pytest.mark.parametrize("axis", ["flops", "seconds"])
def test_each_axis_has_its_own_spend(axis):
    (first, second) = row("first", 1), row("second", 2)
    assert not against(second, first, TARGET, axis).is_record


def test_other_masks_have_to_be_beaten_too():
    english = read_track("english")
    bits = english.targets[0]
    losses = (2.0, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3)
    runs = [tuple(loss + 0.001 * seed for loss in losses) for seed in range(5)]

    def english_row(batch, batches, flops):
        sizes = {"batch": batch, "length": 64, "heldout_batches": batches, "flops": flops}
        study = track_study({"mlm": runs}, track=english, steps=6000, **sizes)
        (found,) = judged(english, "mine", study.results()).rows
        return found

    holder = english_row(32, 32, 1e9)
    assert against(english_row(32, 32, 0.9e9), holder, bits, "flops").is_record
    assert not against(english_row(64, 16, 0.9e9), holder, bits, "flops").is_record
    assert against(english_row(64, 16, 0.7e9), holder, bits, "flops").is_record


@pytest.mark.parametrize("points", [0, 1, 3])
@pytest.mark.parametrize("axis", ["flops", "seconds"])
def test_a_run_that_diverged_is_never_the_fastest_of_the_holder(points, axis):
    """Four times faster is p = 1/252 wherever one of the holder's runs diverged."""
    holder = row("first", 1, [*RUNS[:4], FALLING[:points]], steps=960)
    candidate = row("fast", 2)
    slow = holder.runs["bits", axis]
    ends = [record.points[-1].meters for record in holder.results.pretrained("mlm")]
    assert slow[4].point == 0 and slow[4].least == max(getattr(end, axis) for end in ends)
    assert against(candidate, holder, TARGET, axis).p == pytest.approx(1 / 252)


def test_on_a_trunk_a_run_may_diverge_before_the_step_of_its_last_point():
    """Nothing that did not arrive is known to be faster than what is known to have been spent."""
    study = track_study({"mlm": [NEVER[:4]] * 5})
    for name, record in study.records.items():
        study.change(name, reached=record.points[0].meters)
    (found,) = judged(TOY, "mine", study.results()).rows
    spent = study.records["mlm.seed-0"].points[-1].meters.flops
    assert {run.least for run in found.runs["bits", "flops"]} == {spent}


def test_a_run_that_diverged_after_the_target_had_reached_it():
    whole, cut = row("a", 1), row("b", 1, [*RUNS[:4], RUNS[4][:5]])
    assert whole.runs["bits", "flops"][4] == cut.runs["bits", "flops"][4]
