"""What the page says of learners: what their teachers' pretraining took beyond their own budget."""

from __future__ import annotations

from objbench.judge.formatting import DASH, listed, three_digits
from objbench.judge.spending import spent
from objbench.judge.teacher_costs import mean_spend, taken_text, teachers, uncounted
from objbench.results.study_results import StudyResults


def uncounted_cells(results: StudyResults, objective: str) -> dict[str, str]:
    """A row's cell for its teachers' pretraining; the study's tables all have it or none."""
    if not any(item.teachers for item in results.plan.objectives):
        return {}
    found = uncounted(results, objective)
    text = ", ".join(f"{name}: {taken}" for name, taken in found.items())
    return {"teachers, not counted": text or DASH}


def uncounted_sentences(results: StudyResults) -> list[str]:
    """One sentence for each objective that learns from others: what it had beyond its budget."""
    plan, found = results.plan, []
    for item in plan.objectives:
        names = teachers(plan, item.name)
        if not names:
            continue
        taken = listed([f"{name} ({taken_text(results, name)})" for name in names])
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


def _flops(results: StudyResults, name: str) -> float | None:
    runs = spent(results, name).runs
    return mean_spend(runs, "flops") if runs else None
