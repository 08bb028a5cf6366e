"""Whether the runs of each objective learnt, and which of them a mean is over.

A run that never left its first plateau is no sample of what its objective teaches, so every mean and
interval of a page is over the runs that are not stuck (``judge.learning``), and how many these are
stands beside it. Of an objective whose runs are all stuck the mean is shown without an interval.

Shape legend: S pretraining seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from objbench.judge.formatting import MOST_NAMES, count, listed
from objbench.judge.learning import Learning, RunStatus, learning
from objbench.judge.statistics.estimate import Estimate, FloatArray, estimate
from objbench.results.study_results import StudyResults
from objbench.results.training_points import CommonLoss

BoolArray = npt.NDArray[np.bool_]

_MOST_SEEDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLearning:
    """Whether the finished runs of an objective learnt.

    Attributes:
        runs: pretraining seed -> what is known of its run, for each finished run.
        counted: (S,) bool, whether the run of a seed is not stuck.
    """

    objective: str
    runs: Mapping[int, Learning]
    counted: BoolArray

    def seeds(self, status: RunStatus) -> tuple[int, ...]:
        """The seeds of the runs of one status."""
        return tuple(seed for seed, run in self.runs.items() if run.status == status)

    @property
    def is_known(self) -> bool:
        """Whether it is known of any run."""
        return any(run.status != "unknown" for run in self.runs.values())

    @property
    def share(self) -> str | None:
        """How many runs learnt, such as "4 of 5"; None where nothing is known."""
        if not self.is_known:
            return None
        return f"{len(self.seeds('learnt'))} of {len(self.runs)}"

    @property
    def words(self) -> str | None:
        """The same with the seeds of the others: "1 of 5 (stuck: seeds 2 and 3)"."""
        parts = [
            f"{status}: {seeds_words(seeds)}"
            for status in ("stuck", "unknown")
            if (seeds := self.seeds(status))
        ]
        return f"{self.share} ({'; '.join(parts)})" if self.share and parts else self.share

    def finals(self, status: RunStatus) -> tuple[CommonLoss, ...]:
        """The common losses at the end of the budget of the runs of one status."""
        ends = [run.final for run in self.runs.values() if run.status == status]
        return tuple(end for end in ends if end is not None)

    @property
    def kinds(self) -> frozenset[str]:
        """What the common losses predict: one kind, unless the records are of several versions."""
        ends = [run.final for run in self.runs.values()]
        return frozenset(end.of for end in ends if end is not None)

    @property
    def left_at(self) -> tuple[int, ...]:
        """The steps by which the runs that learnt had, fewest first."""
        found = [run.left_at for run in self.runs.values() if run.status == "learnt"]
        return tuple(sorted(steps for steps in found if steps is not None))


def run_learning(results: StudyResults) -> Mapping[str, RunLearning]:
    """Objective -> whether its runs learnt, in the order of the plan."""
    found = {}
    for item in results.plan.objectives:
        runs = learning(results, item.name)
        stuck = [seed in runs and runs[seed].status == "stuck" for seed in results.seeds]
        found[item.name] = RunLearning(
            objective=item.name, runs=runs, counted=~np.array(stuck, dtype=np.bool_)
        )
    return found


def stuck_words(sides: Sequence[RunLearning]) -> str:
    """Of objectives of which one or more has stuck runs: "mlm learnt in 1 of 5 runs (taco in 5 of 5)"."""
    stuck = [own for own in sides if own.seeds("stuck")]
    if len(stuck) > MOST_NAMES:
        return f"{count(len(stuck), 'objective')} have stuck runs"
    said = listed([f"{own.objective} learnt in {own.share} runs" for own in stuck])
    # That one side learns more often is a difference, though not one that a score can show.
    others = [own for own in sides if not own.seeds("stuck") and own.is_known]
    if not 0 < len(others) <= MOST_NAMES:
        return said
    return f"{said} ({listed([f'{own.objective} in {own.share}' for own in others])})"


def seeds_words(seeds: tuple[int, ...]) -> str:
    """Seeds by name, such as "seeds 2 and 3"; of many their number."""
    if len(seeds) > _MOST_SEEDS:
        return count(len(seeds), "seed")
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {listed([str(seed) for seed in seeds])}"


def mean_of_counted(values: FloatArray, counted: BoolArray) -> Estimate | None:
    """The mean over the runs that count; of those that are stuck, without an interval, where all are.

    Args:
        values: (S,) float64, NaN where missing.
        counted: (S,) bool.

    Returns:
        None where there is no value.
    """
    there = np.isfinite(values)
    if (there & counted).any():
        return estimate(values[there & counted])
    return replace(estimate(values[there]), half_width=None) if there.any() else None
