"""What an objective's budget leaves out: the pretraining of the teachers that it learns from.

A teacher is an objective of the same study with a budget and a row of its own. Its forward pass in
the learner's steps is counted; what it took to pretrain is not, so "equal spend" is not all that
the learner had. That is said wherever the learner is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from objbench.judge.formatting import DASH, amount, duration, listed, three_digits
from objbench.leaderboard.spending import spent
from objbench.results.plan import Plan
from objbench.results.records import Meters
from objbench.results.study_results import StudyResults


def teachers(plan: Plan, objective: str) -> tuple[str, ...]:
    """Whom ``objective`` learns from, and whom these learned from; each once, nearest first."""
    direct = {item.name: item.teachers for item in plan.objectives}
    found: dict[str, None] = {}
    waiting = list(direct[objective])
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = None
            waiting += direct[name]
    return tuple(found)


def uncounted(results: StudyResults, objective: str) -> Mapping[str, str]:
    """Teacher -> what its pretraining took, in the mean over its finished seeds, in words."""
    return {name: _taken(results, name) for name in teachers(results.plan, objective)}


def uncounted_cells(results: StudyResults, objective: str) -> dict[str, str]:
    """A row's cell for its teachers' pretraining; the study's tables all have it or none."""
    if not any(item.teachers for item in results.plan.objectives):
        return {}
    found = uncounted(results, objective)
    text = ", ".join(f"{name}: {taken}" for name, taken in found.items())
    return {"teachers, not counted": text or DASH}


def uncounted_words(results: StudyResults, objectives: Iterable[str]) -> str:
    """What comparisons of ``objectives`` leave out; "" where nothing.

    Such as "not counted: the pretraining of tacl's teacher mlm (1.20e14 FLOPs, 31.0 min)".
    """
    parts = [
        f"the pretraining of {objective}'s {_noun(found)} "
        + listed([f"{name} ({taken})" for name, taken in found.items()])
        for objective in objectives
        if (found := uncounted(results, objective))
    ]
    return f"not counted: {listed(parts)}" if parts else ""


def qualified(results: StudyResults, objectives: Iterable[str], sentence: str) -> str:
    """``sentence``, which compares ``objectives``, with what the comparison leaves out."""
    words = uncounted_words(results, objectives)
    return f"{sentence.removesuffix('.')}; {words}." if words and sentence else sentence


def budget_words(plan: Plan) -> str:
    """What the plan's budgets leave out: ", not counting the pretraining of tacl's teacher mlm"."""
    parts = [
        f"{item.name}'s {_noun(found)} {listed(list(found))}"
        for item in plan.objectives
        if (found := teachers(plan, item.name))
    ]
    return f", not counting the pretraining of {listed(parts)}" if parts else ""


def uncounted_sentences(results: StudyResults) -> list[str]:
    """One sentence for each objective that learns from others: what it had beyond its budget."""
    plan, found = results.plan, []
    for item in plan.objectives:
        names = teachers(plan, item.name)
        if not names:
            continue
        taken = listed([f"{name} ({_taken(results, name)})" for name in names])
        text = (
            f"{item.name} learns from the final {'encoder' if len(names) == 1 else 'encoders'} of "
            f"{taken} at the same seed: that pretraining came before its own and is counted on "
            "none of its meters"
        )
        whole = [_flops(results, name) for name in (item.name, *names)]
        baseline = _flops(results, plan.baseline)
        if baseline and all(whole):
            times = three_digits(sum(flops for flops in whole if flops) / baseline)
            text += f"; with it {item.name} took {times} times the FLOPs of {plan.baseline}"
        found.append(f"{text}.")
    return found


def _noun(names: Iterable[str]) -> str:
    return "teacher" if len(list(names)) == 1 else "teachers"


def _taken(results: StudyResults, name: str) -> str:
    runs = spent(results, name).runs
    if not runs:
        return "no run recorded"
    return f"{amount(_mean(runs, 'flops'))} FLOPs, {duration(_mean(runs, 'seconds'))}"


def _flops(results: StudyResults, name: str) -> float | None:
    runs = spent(results, name).runs
    return _mean(runs, "flops") if runs else None


def _mean(runs: tuple[Meters, ...], axis: str) -> float:
    return float(np.mean([getattr(meters, axis) for meters in runs]))
