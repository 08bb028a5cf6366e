"""The tuning trials as a table: what was tried, how it scored, and what was chosen."""

from __future__ import annotations

from collections import Counter
from statistics import fmean

from objbench.judge.formatting import count, listed
from objbench.leaderboard.document import Cell, Table, shortened, table
from objbench.leaderboard.quantity import Notation, quantity
from objbench.leaderboard.tuning import SUM, TriedSetting, Tuning

_ONE_SEED = "Each setting was tried on one seed, so the choice may be luck."
_STUCK = "One that was stuck on a tuning seed was chosen only where none learnt on all of them."


def tuning_sentence(tuning: Tuning) -> str:
    """How the settings were chosen, in words."""
    loss = "weighted sum of losses" if tuning.score == SUM else f"{tuning.score} loss"
    by = (
        f"held-out {loss}, on text that no reported number is measured on"
        if tuning.is_loss
        else f"{tuning.score} on a split of its training examples"
    )
    lead = (
        f"Before the seeds were run, every objective got {count(tuning.trials, 'trial')} of "
        f"{tuning.budget} (the baseline's, at equal spend)"
    )
    stuck = f" {_STUCK}" if tuning.knows_learning else ""
    if len(tuning.seeds) == 1:
        return (
            f"{lead} on pretraining seed {tuning.seeds[0]}, scored by {by}; the best gave each "
            f"objective its settings.{stuck} {_ONE_SEED}"
        )
    return (
        f"{lead}, {count(tuning.trials // len(tuning.seeds), 'setting')} on each of the "
        f"pretraining seeds {listed([str(seed) for seed in tuning.seeds])}, scored by {by}; the "
        "best mean over these seeds gave each objective its settings. A setting that diverged or "
        "failed on one of them has no mean and was not chosen; what was spent is summed over the "
        f"seeds.{stuck}"
    )


def tuning_table(tuning: Tuning) -> Table:
    """One row per setting: its score over the tuning seeds, how many learnt, its cost."""
    name = f"held-out {tuning.score}" if tuning.is_loss else tuning.score
    notation: Notation = "loss" if tuning.is_loss else "points"
    return table([_line(tried, name, notation, tuning.knows_learning) for tried in tuning.tried])


def _line(tried: TriedSetting, name: str, notation: Notation, is_known: bool) -> dict[str, Cell]:
    line: dict[str, Cell] = {"objective": tried.objective}
    line |= {place: shortened(value) for place, value in tried.settings.items()}
    line |= _score_cells(tried, name, notation)
    if is_known:
        line["learnt"] = f"{tried.statuses.count('learnt')} of {len(tried.statuses)}"
    line["chosen"] = "yes" if tried.is_chosen else ""
    ends = tried.ends
    line["steps"] = quantity(sum(end.steps for end in ends), "count") if ends else None
    line["FLOPs"] = quantity(sum(end.flops for end in ends), "amount") if ends else None
    line["device time"] = quantity(sum(end.seconds for end in ends), "seconds") if ends else None
    return line


def _score_cells(tried: TriedSetting, name: str, notation: Notation) -> dict[str, Cell]:
    """A setting's score; over several seeds its mean, its spread, and how many seeds have one."""
    scored = [item for item in tried.found if not isinstance(item, str)]
    lost = Counter(item for item in tried.found if isinstance(item, str))
    every = len(tried.found)
    if every == 1:
        return {name: quantity(scored[0], notation) if scored else next(iter(lost))}
    states = ", ".join(f"{state} on {number} of {every} seeds" for state, number in lost.items())
    return {
        f"{name}, mean": states or quantity(fmean(scored), notation),
        "smallest": quantity(min(scored), notation) if scored else None,
        "largest": quantity(max(scored), notation) if scored else None,
        "seeds": f"{len(scored)} of {every}" if lost else str(every),
    }
