"""The tables of what pretraining itself gave: its cost, and the loss on held-out text.

Rows and columns come in the order of the plan, never in the order of files.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from objbench.judge.formatting import (
    DASH,
    amount,
    count,
    duration,
    loss,
    markdown,
    memory,
    ratio,
)
from objbench.judge.statistics.estimate import estimate
from objbench.leaderboard.spending import apart_cells
from objbench.leaderboard.teacher_sentences import uncounted_cells
from objbench.results.records import Cost, PretrainRecord
from objbench.results.study_results import StudyResults


def cost_table(results: StudyResults) -> str:
    """What each objective's pretraining took: means over its finished seeds."""
    reference = _mean_cost(results.pretrained(results.plan.baseline), "flops_per_step")
    lines = []
    for objective in results.plan.objectives:
        records = results.pretrained(objective.name)
        costs = [record.cost for record in records if record.cost is not None]
        last = [record.points[-1].meters for record in records if record.points]
        line = {"objective": objective.name, "seeds": str(len(records))}
        apart = apart_cells(results, objective.name) | uncounted_cells(results, objective.name)
        if not last or not costs:
            lines.append(line | apart)
            continue
        line["steps"] = f"{np.mean([meters.steps for meters in last]):,.0f}"
        line["tokens"] = amount(float(np.mean([meters.tokens for meters in last])))
        line["FLOPs"] = amount(float(np.mean([meters.flops for meters in last])))
        line["device time"] = duration(float(np.mean([meters.seconds for meters in last])))
        step = float(np.mean([cost.flops_per_step for cost in costs]))
        line["FLOPs a step"] = amount(step)
        line["of baseline"] = ratio(step / reference) if reference else DASH
        rate = float(np.mean([cost.tokens_per_second for cost in costs]))
        line["tokens/s"] = amount(float(f"{rate:.2e}"))
        line["peak memory"] = _peak_memory(costs)
        line["encoder"] = amount(costs[0].encoder_parameters)
        line["heads"] = amount(costs[0].head_parameters)
        lines.append(line | apart)
    frame = pd.DataFrame(lines).fillna(DASH)
    return markdown(frame)


def heldout_table(results: StudyResults) -> str:
    """Each term's mean loss on held-out text at the end of the budget; "" if there is none."""
    lines: dict[str, dict[str, str]] = {}
    terms: list[str] = []
    for objective in results.plan.objectives:
        ends = [r.points[-1].heldout for r in results.pretrained(objective.name) if r.points]
        if not ends:
            continue
        # The sum stands last, after its terms.
        names = sorted({name for end in ends for name in end}, key=lambda n: (n == "loss", n))
        terms += [name for name in names if name not in terms]
        lines[objective.name] = {
            name: _loss_text([end[name] for end in ends if name in end], len(results.seeds))
            for name in names
        }
    if not terms:
        return ""
    terms.sort(key=lambda name: (name == "loss", name))
    rows = [
        {"objective": objective}
        | {("weighted sum" if t == "loss" else t): texts.get(t, DASH) for t in terms}
        for objective, texts in lines.items()
    ]
    return markdown(pd.DataFrame(rows))


def _loss_text(values: list[float], seeds: int) -> str:
    found = estimate(np.array(values))
    half = "" if found.half_width is None else f" ± {loss(found.half_width)}"
    spread = f" ({loss(found.low)} to {loss(found.high)})" if found.runs > 1 else ""
    if found.runs < seeds:
        # An interval over a part of the seeds would be one over those that got there.
        return f"[{found.runs} of {count(seeds, 'seed')}] {loss(found.mean)}{spread}"
    return f"{loss(found.mean)}{half}{spread}"


def _mean_cost(records: tuple[PretrainRecord, ...], field: str) -> float | None:
    values = [float(getattr(r.cost, field)) for r in records if r.cost is not None]
    return float(np.mean(values)) if values else None


def _peak_memory(costs: list[Cost]) -> str:
    # The largest, not the mean: it is what a machine must have.
    kinds = sorted({cost.memory_kind for cost in costs})
    return f"{memory(max(cost.peak_memory for cost in costs))} ({', '.join(kinds)})"
