"""What the numbers of a study do not show, one sentence per kind of caveat.

The words are chosen by counts and intervals alone, so that a page cannot claim more than its
records hold.
"""

from __future__ import annotations

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.budgets import measured_spend
from objbench.judge.formatting import count, listed, named, three_digits
from objbench.judge.looks import look_at
from objbench.judge.spending import spent
from objbench.judge.teacher_costs import mean_spend, taken_text, teachers
from objbench.judge.verdict_sentence import level_text
from objbench.leaderboard.choice_caveats import choice_sentences, pairing_sentences
from objbench.leaderboard.curve_sources import curve_sources
from objbench.results.records import EvaluationRecord, FloorRecord
from objbench.results.study_results import StudyResults

_MOST_LISTED = 20


def caveats(results: StudyResults) -> list[str]:
    """Every caveat of the study but for what is missing in it."""
    found = [
        _checkpoint(results),
        _looks(results),
        _samples(results),
        _official(results),
        *rate_sentences(results),
        _spend(results),
        *teacher_sentences(results),
        _machines(results),
        _side_by_side(results),
        results.plan.parts_sentence,
        _schedule(results),
        *choice_sentences(results),
        *pairing_sentences(results),
    ]
    return [text for text in found if text]


def _checkpoint(results: StudyResults) -> str:
    """What the runs continue from, and what that leaves out of every number; "" for random weights."""
    checkpoint = results.plan.checkpoint
    if not checkpoint:
        return ""
    return (
        f"Every run continues from the checkpoint {checkpoint}: budgets, costs and curves count from "
        "there, and what its own pretraining cost is in none of them. Differences are between ways to "
        "continue from this one checkpoint, and seeds do not vary it: nothing here says which "
        "objective is better for pretraining from random weights."
    )


def _looks(results: StudyResults) -> str:
    """At which look the page is read, where there is more than one; "" where there is one."""
    look = look_at(results)
    if look.is_plain:
        return ""
    if not look.is_declared:
        level = level_text(1.0 - look.error_rate)
        return (
            f"Seeds were added to the {look.looks[-1]} declared: whatever is called different is so "
            f"at a level ({level}) that holds at every look; brackets of 95% do not."
        )
    looks = f"look {look.number} of {len(look.looks)}, at {look.looks[look.number - 1]} seeds"
    if not look.is_reached:
        return f"The study has not reached {looks}: nothing is called different before."
    return (
        f"The study is read at {looks}: whatever is called different is so by those seeds at a level "
        f"({level_text(1.0 - look.error_rate)}) that allows for the other looks."
    )


def _samples(results: StudyResults) -> str:
    """Whether fine-tuning or a probe saw a part of the training examples only; "" where it saw all."""
    sizes: dict[str, int] = {}
    for record in results.records.values():
        # A floor is limited as the encoders are, and is no score to be compared with published ones.
        if not isinstance(record, EvaluationRecord) or isinstance(record, FloorRecord):
            continue
        if record.max_train_samples is None:
            continue
        # A suite that trains nothing is not limited by it.
        if record.train_examples:
            sizes[record.suite] = max(record.max_train_samples, sizes.get(record.suite, 0))
    parts = []
    for size in sorted(set(sizes.values())):
        suites = sorted(name for name, own in sizes.items() if own == size)
        parts.append(f"at most {size:,} examples per task on {listed(suites)}")
    if not parts:
        return ""
    return f"Trained on {listed(parts)}: not comparable with published scores."


def _official(results: StudyResults) -> str:
    """Which splits had another number of examples than the official ones; "" for none."""
    found: dict[str, str] = {}
    for record in results.records.values():
        if not isinstance(record, EvaluationRecord) or record.kind != "evaluation":
            continue
        for part, rows in record.official_examples.items():
            is_train = part == "train"
            used = record.train_examples if is_train else record.eval_examples.get(part, 0)
            name = (
                f"{record.suite} {record.task} (training)" if is_train else f"{record.suite} {part}"
            )
            found[name] = f"{name} {used:,} of {rows:,}"
    if not found:
        return ""
    cut = listed(list(found.values()))
    return f"Not on all official examples: {cut}, so these are not the official scores."


def rate_sentences(results: StudyResults) -> list[str]:
    """One sentence for each objective that does not predict the share of tokens it declares."""
    return [
        f"{item.name} predicts {item.rate.words}: its scores are those of the share predicted."
        for item in results.plan.objectives
        if item.rate is not None and item.rate.is_said
    ]


def teacher_sentences(results: StudyResults) -> list[str]:
    """One sentence for each objective that learns from others: what it had beyond its budget."""
    plan, found = results.plan, []
    for item in plan.objectives:
        names = teachers(plan, item.name)
        if not names:
            continue
        taken = listed([f"{name} ({taken_text(results, name)})" for name in names])
        text = (
            f"{item.name} learns from the final {'encoder' if len(names) == 1 else 'encoders'} of "
            f"{taken} at the same seed; that pretraining is not counted in its budget"
        )
        whole = [_flops(results, name) for name in (item.name, *names)]
        baseline = _flops(results, plan.baseline)
        if baseline and all(whole):
            times = three_digits(sum(flops for flops in whole if flops) / baseline)
            text += f"; with it {item.name} took {times} times the FLOPs of {plan.baseline}"
        found.append(f"{text}.")
    return found


def _flops(results: StudyResults, name: str) -> float | None:
    runs = spent(results, name).runs
    return mean_spend(runs, "flops") if runs else None


def _spend(results: StudyResults) -> str:
    spends = measured_spend(results)
    baseline = spends.get(results.plan.baseline)
    if not baseline:
        return ""
    # Whole steps and the clock's noise keep spends from being equal to the last digit.
    off = {
        name: spend / baseline for name, spend in spends.items() if abs(spend / baseline - 1) > 0.02
    }
    if not off:
        return ""
    axis = AXIS_WORDS[results.plan.equalize]
    values = listed([f"{name} {three_digits(100 * share)}%" for name, share in off.items()])
    if len(off) > _MOST_LISTED:
        ends = " to ".join(
            f"{three_digits(100 * e)}%" for e in (min(off.values()), max(off.values()))
        )
        values = f"{ends} for {count(len(off), 'objective')}"
    return f"Measured {axis}, relative to the baseline's: {values}."


def _machines(results: StudyResults) -> str:
    seen = {
        (r.provenance.device, r.provenance.threads, r.provenance.processes)
        for r in results.records.values()
        if r.kind == "pretrain"
    }
    if len(seen) < 2:
        return ""
    return (
        f"Pretraining ran on {len(seen)} combinations of device, threads and processes (see "
        "Settings): device seconds and tokens/s are not comparable between them."
    )


def _side_by_side(results: StudyResults) -> str:
    baseline = {record.seed: record for record in results.pretrained(results.plan.baseline)}
    apart = [
        objective.name
        for objective in results.plan.objectives
        if any(
            record.seed in baseline
            and not record.provenance.overlaps(baseline[record.seed].provenance)
            for record in results.pretrained(objective.name)
        )
    ]
    if not apart:
        return ""
    return (
        f"Not trained at the same time as {results.plan.baseline}: {named(apart, most=_MOST_LISTED)}. On a shared "
        "machine their device seconds and tokens/s are not comparable."
    )


def _schedule(results: StudyResults) -> str:
    schedule = results.plan.training.unfinished
    if not schedule or not curve_sources(results):
        return ""
    return (
        f"Before the last point of a curve the learning rate has not yet decayed ({schedule} "
        "schedule), which as a rule understates a speedup."
    )
