"""What pretraining took and gave: its cost, one step against the baseline's, the held-out losses."""

from __future__ import annotations

from objbench.judge.formatting import amount, count, duration, listed, memory, three_digits
from objbench.judge.score_source import HELDOUT
from objbench.judge.spending import Spent
from objbench.leaderboard.columns import over_counted
from objbench.leaderboard.costs import ObjectiveCost
from objbench.leaderboard.document import Cell, Table, table
from objbench.leaderboard.line_words import named_lines
from objbench.leaderboard.quantity import Quantity, quantity
from objbench.leaderboard.report import Report
from objbench.leaderboard.tables.columns import seeds_quantity
from objbench.leaderboard.tables.learning import common_cell
from objbench.leaderboard.text_bits import BITS, in_bits
from objbench.results.step_comparison import ComparedStep, StepComparison

_COMMON = "common loss"
_VERSIONS = ("objbench", "torch", "transformers", "python")


def cost_table(report: Report) -> Table:
    """What each objective's pretraining took: means over its finished seeds."""
    reference = next(c for c in report.costs if c.objective == report.baseline)
    step = reference.mean("flops_per_step")
    return table([_cost_line(report, cost, step) for cost in report.costs])


def step_table(steps: StepComparison) -> Table:
    """One optimizer step of each objective against the baseline's."""
    base = steps.of(steps.baseline)
    return table([_step_line(step, base) for step in steps.objectives])


def step_sentence(steps: StepComparison) -> str:
    """How the steps were measured."""
    made = steps.provenance
    versions = [f"{name} {made.versions[name]}" for name in _VERSIONS if name in made.versions]
    kinds = sorted({step.memory_kind for step in steps.objectives})
    return (
        f"In brackets: the ratio to {steps.baseline}. Times are medians of "
        f"{count(steps.repetitions, 'step')}, with the objectives taking turns. FLOPs count "
        "matrix products, forward and backward, and what an objective declares beyond them. Peak "
        "memory: weights, optimizer state and the most that a step holds beyond them "
        f"({listed(kinds)}). Measured on {made.device}, {count(made.threads, 'thread')}, "
        f"with {listed(versions)}."
    )


def heldout_table(report: Report) -> Table | None:
    """The mean losses on held-out text at the end of the budget; None if there is none.

    The common loss, then each term's. Below them the reference lines of those that are of the common
    tokens.
    """
    terms = sorted(
        {term for losses in report.heldout.values() for term in losses},
        key=lambda name: (name == "loss", name),
    )
    if not terms:
        return None
    lines = []
    characters = report.characters_per_token
    for objective, losses in report.heldout.items():
        line: dict[str, Cell] = {"objective": objective}
        learnt = report.learning[objective]
        if report.common_kind is not None:
            common = common_cell(learnt, report.common_kind)
            line[_COMMON] = common
            if characters is not None:
                line[BITS] = in_bits(common, characters)
        for term in terms:
            found = over_counted(losses.get(term), learnt)
            # The sum comes last, after its terms.
            line["weighted sum" if term == "loss" else term] = seeds_quantity(found, "loss")
        lines.append(line)
    same = [name.removeprefix(HELDOUT) for name in report.common_terms]
    columns = [_COMMON, *same]
    for words, value in (
        {} if report.common_lines is None else named_lines(report.common_lines)
    ).items():
        reached = quantity(value, "loss")
        cells: dict[str, Cell] = dict.fromkeys(columns, reached)
        if characters is not None:
            cells[BITS] = in_bits(reached, characters)
        lines.append({"objective": f"{words} line", **cells})
    return table(lines)


def _cost_line(report: Report, cost: ObjectiveCost, reference: float | None) -> dict[str, Cell]:
    line: dict[str, Cell] = {"objective": cost.objective, "seeds": str(cost.seeds)}
    if cost.meters and cost.costs:
        step, rate = cost.mean("flops_per_step"), cost.mean("tokens_per_second")
        line["steps"] = quantity(cost.meters["steps"], "count")
        line["tokens"] = quantity(cost.meters["tokens"], "amount")
        line["FLOPs"] = quantity(cost.meters["flops"], "amount")
        line["device time"] = quantity(cost.meters["seconds"], "seconds")
        if step is not None:
            line["FLOPs per step"] = quantity(step, "amount")
            line["of baseline"] = quantity(step / reference, "speedup") if reference else None
        if rate is not None:
            line["tokens/s"] = quantity(float(f"{rate:.2e}"), "amount")
        line["peak memory"] = _peak_memory(cost)
        line["encoder"] = quantity(cost.costs[0].encoder_parameters, "amount")
        line["heads"] = quantity(cost.costs[0].head_parameters, "amount")
    return line | _beside_cells(report, cost)


def _beside_cells(report: Report, cost: ObjectiveCost) -> dict[str, Cell]:
    """Branches, tuning and teachers; the rows of a study have a cell for each or none does."""
    cells: dict[str, Cell] = {}
    if any(other.spent.branch_steps for other in report.costs):
        cells["cooldown branches (not in budget)"] = _branches(cost.spent)
    if any(other.spent.trials for other in report.costs):
        cells["tuning"] = _trials(cost.spent)
    if any(other.teachers for other in report.costs):
        taken = ", ".join(f"{name}: {words}" for name, words in cost.teachers.items())
        cells["teachers (not in budget)"] = taken or None
    return cells


def _branches(taken: Spent) -> str | None:
    """The branches of a run: "1,200 steps, 2.10 min"."""
    if not taken.runs:
        return None
    return f"{taken.branch_steps:,.0f} steps, {duration(taken.branch_seconds)}"


def _trials(taken: Spent) -> str | None:
    """The trials and what they spent: "3 trials: 1.20e14 FLOPs, 31.0 min"."""
    if not taken.trials:
        return None
    flops = sum(meters.flops for meters in taken.trial_runs)
    seconds = sum(meters.seconds for meters in taken.trial_runs)
    text = f"{count(taken.trials, 'trial')}: {amount(flops)} FLOPs, {duration(seconds)}"
    unknown = taken.trials - len(taken.trial_runs)
    return text + (f" ({unknown} not recorded)" if unknown else "")


def _peak_memory(cost: ObjectiveCost) -> Quantity:
    # The largest, not the mean: it is what a machine must have.
    kinds = sorted({item.memory_kind for item in cost.costs})
    return quantity(max(item.peak_memory for item in cost.costs), "bytes", ", ".join(kinds))


def _step_line(step: ComparedStep, base: ComparedStep) -> dict[str, Cell]:
    return {
        "objective": step.objective,
        "time": _with_ratio(_time(step.seconds), step.seconds, base.seconds),
        "fastest to slowest": f"{_time(step.shortest)} to {_time(step.longest)}",
        "FLOPs": _with_ratio(amount(step.flops), step.flops, base.flops),
        "peak memory": _with_ratio(memory(step.peak_memory), step.peak_memory, base.peak_memory),
    }


def _time(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else f"{three_digits(seconds * 1000)} ms"


def _with_ratio(text: str, value: float, reference: float) -> str:
    return f"{text} ({value / reference:.2f}x)" if reference else text
