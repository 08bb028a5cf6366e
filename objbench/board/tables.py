"""The leaderboard's tables, as markdown: ranking, costs, columns of a suite, held-out losses.

Rows and columns come in the order of the plan, or by rank; never in the order of files.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from objbench.board.notation import (
    DASH,
    amount,
    count,
    difference_text,
    duration,
    markdown,
    memory,
    points,
    ratio,
    score_text,
)
from objbench.board.ranking import ranking
from objbench.board.speedups import axis_words, speedups
from objbench.records import Cost, PretrainRecord
from objbench.score_arrays import SuiteScores
from objbench.standing import Standing
from objbench.statistics import MIN_RUNS, FloatArray, estimate


def ranking_table(standing: Standing, found: SuiteScores) -> str:
    """Rank, score, gain over the baseline, and speedup on each axis."""
    rows = ranking(standing, found)
    followers = [s for s in standing.curve_suites if s.follows == found.suite.name]
    curves = [(suite, speedups(standing, suite)) for suite in followers]
    lines = []
    for row in rows:
        gain = "baseline" if row.objective == standing.plan.baseline else DASH
        line = {
            "#": DASH if row.rank is None else str(row.rank),
            "objective": row.objective,
            "score": DASH if row.score is None else score_text(row.score),
            "seeds": DASH if row.score is None else str(row.score.runs),
            f"gain over {standing.plan.baseline}": (
                gain if row.gain is None else difference_text(row.gain)
            ),
        }
        if len(standing.seeds) >= MIN_RUNS:
            deviation = None if row.score is None else row.score.deviation
            line["sd"] = DASH if deviation is None else points(deviation)
        for suite, table in curves:
            for column in suite.columns:
                # An objective that is not ranked is not compared on any axis either.
                text = table[row.objective, column.name].text if row.rank is not None else DASH
                line[f"speedup in {axis_words(column.name)}"] = text
        lines.append(line)
    return markdown(pd.DataFrame(lines), left=2)


def cost_table(standing: Standing) -> str:
    """What each objective's pretraining took: means over its finished seeds."""
    reference = _mean_cost(standing.pretrained(standing.plan.baseline), "flops_per_step")
    lines = []
    for objective in standing.plan.objectives:
        records = standing.pretrained(objective.name)
        costs = [record.cost for record in records if record.cost is not None]
        last = [record.points[-1].meters for record in records if record.points]
        line = {"objective": objective.name, "seeds": str(len(records))}
        if not last or not costs:
            lines.append(line)
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
        lines.append(line)
    frame = pd.DataFrame(lines).fillna(DASH)
    return markdown(frame)


def column_table(standing: Standing, found: SuiteScores) -> str:
    """The suite's columns, one a row, and its average, for every objective."""
    objectives = [objective.name for objective in standing.plan.objectives]
    lines = []
    for number, column in enumerate(found.suite.columns):
        better = "" if column.direction == "max" else " (lower is better)"
        line = {
            "column": column.name,
            "metric": " and ".join(column.metrics) + better,
        }
        for index, objective in enumerate(objectives):
            line[objective] = _seeds_text(found.columns[index, :, number])
        lines.append(line)
    if found.suite.average_groups:
        line = {"column": "**average**", "metric": found.suite.average_label}
        for index, objective in enumerate(objectives):
            line[objective] = _seeds_text(found.scores[index])
        lines.append(line)
    return markdown(pd.DataFrame(lines), left=2)


def heldout_table(standing: Standing) -> str:
    """Each term's mean loss on held-out text at the end of the budget; "" if there is none."""
    lines: dict[str, dict[str, str]] = {}
    terms: list[str] = []
    for objective in standing.plan.objectives:
        ends = [r.points[-1].heldout for r in standing.pretrained(objective.name) if r.points]
        if not ends:
            continue
        # The sum stands last, after its terms.
        names = sorted({name for end in ends for name in end}, key=lambda n: (n == "loss", n))
        terms += [name for name in names if name not in terms]
        lines[objective.name] = {
            name: _loss_text([end[name] for end in ends if name in end], len(standing.seeds))
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


def _seeds_text(values: FloatArray) -> str:
    """A score over the seeds that are there; how many they are, unless it is all."""
    there = values[np.isfinite(values)]
    if there.size == 0:
        return DASH
    if there.size == values.size:
        return score_text(estimate(there))
    return f"[{there.size} of {count(values.size, 'seed')}] {points(float(np.mean(there)))}"


def _loss_text(values: list[float], seeds: int) -> str:
    found = estimate(np.array(values))
    spread = f" ({found.low:.3f} to {found.high:.3f})" if found.runs > 1 else ""
    partial = "" if found.runs == seeds else f"[{found.runs} of {count(seeds, 'seed')}] "
    return f"{partial}{found.mean:.3f}{spread}"


def _mean_cost(records: tuple[PretrainRecord, ...], field: str) -> float | None:
    values = [float(getattr(r.cost, field)) for r in records if r.cost is not None]
    return float(np.mean(values)) if values else None


def _peak_memory(costs: list[Cost]) -> str:
    # The largest, not the mean: it is what a machine must have.
    kinds = sorted({cost.memory_kind for cost in costs})
    return f"{memory(max(cost.peak_memory for cost in costs))} ({', '.join(kinds)})"
