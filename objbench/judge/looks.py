"""Which seeds a verdict is read from, and at what level, by what was declared before the first run.

A study is judged at its declared looks, numbers of seeds; without any there is one, at the seeds of
the first command. Look k is at the first n_k planned seeds, in the order in which they were
declared, and is read when all of these are complete: until then the look before holds, and before
the first one there is no verdict. A run that is stuck is complete; its pair is left out afterwards.
So nothing depends on the order in which runs end, nor on which command ran them.

Once a seed beyond the last look is complete, all complete seeds are judged together, by the
interval that holds at every look. It keeps false calls from then on at 5%; a call at the declared
look had its own 5% before. A user who adds seeds until he likes the verdict is therefore wrong in
his favour a little more often than in 2.5% of studies of equal objectives: in 3.1% with a first look
at 3 seeds and additions up to 20, in 2.8% at 5, in 2.6% at 10 (simulated; without any rule 11.6%).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from objbench.judge.statistics.estimate import LEVEL, MIN_RUNS
from objbench.judge.statistics.looks import any_look_level, planned_levels
from objbench.results.declared_looks import first_look
from objbench.results.plan import Plan
from objbench.results.study_results import StudyResults

# Below four seeds the interval that holds at every look is infinite; this one is as good as that.
_WIDEST = 1.0 - 1e-9


@dataclass(frozen=True, slots=True)
class Look:
    """What a verdict is read from.

    Attributes:
        seeds: the pretraining seeds, in the order in which they were declared.
        looks: the numbers of seeds that were declared.
        number: which of ``looks`` it is, from 1; 0 where seeds were added beyond the last.
        incomplete: those of ``seeds`` that lack something; a declared look is then not yet reached.
    """

    seeds: tuple[int, ...]
    looks: tuple[int, ...]
    number: int
    incomplete: tuple[int, ...] = ()

    @property
    def is_declared(self) -> bool:
        """Whether it is one of the declared looks."""
        return self.number > 0

    @property
    def is_plain(self) -> bool:
        """Whether it is the only look, which needs no words."""
        return self.is_declared and len(self.looks) == 1

    @property
    def is_reached(self) -> bool:
        """Whether a verdict may be read."""
        return not self.is_declared or (
            not self.incomplete and len(self.seeds) >= self.looks[self.number - 1]
        )

    @property
    def following(self) -> int | None:
        """The number of seeds of the next declared look; None after the last."""
        is_last = not self.is_declared or self.number == len(self.looks)
        return None if is_last else self.looks[self.number]

    @property
    def error_rate(self) -> float:
        """Of comparisons of all objectives at once; none is called different before the first look."""
        return 1.0 - self.level(len(self.seeds)) if self.is_reached else 0.0

    def level(self, pairs: int, claims: int = 1) -> float:
        """The coverage of the interval that decides.

        Args:
            pairs: how many of its seeds are judged.
            claims: how many questions share the error rate.
        """
        whole = 1.0 - (1.0 - LEVEL) / claims
        if not self.is_declared:
            return min(any_look_level(max(pairs, 2), whole), _WIDEST)
        if self.looks[0] < MIN_RUNS:
            # Nothing is judged from so few.
            return whole
        return planned_levels(self.looks, whole)[self.number - 1]


def look_at(results: StudyResults, incomplete: Collection[int] = ()) -> Look:
    """The look that the study has reached.

    Args:
        incomplete: the seeds that lack something of what is judged.
    """
    looks = declared_looks(results.plan)
    seeds = declared_order(results)
    if any(seed not in incomplete for seed in seeds[looks[-1] :]):
        return _look(seeds, looks, 0, incomplete)
    found = _look(seeds[: looks[0]], looks, 1, incomplete)
    for number, size in enumerate(looks[1:], start=2):
        later = _look(seeds[:size], looks, number, incomplete)
        if later.is_reached:
            found = later
    return found


def declared_looks(plan: Plan) -> tuple[int, ...]:
    """The looks of the plan, or the one at the seeds of the first command; never empty."""
    if plan.looks:
        return plan.looks
    if first := first_look(plan.declared):
        return (first,)
    return (len({cell.seed for cell in plan.cells if cell.kind == "pretrain"}) or 1,)


def declared_order(results: StudyResults) -> tuple[int, ...]:
    """The pretraining seeds in the order in which they were declared."""
    declared = [seed for row in results.plan.declared for seed in row]
    there = [seed for seed in declared if seed in results.seeds]
    return tuple(dict.fromkeys([*there, *results.seeds]))


def at_look(results: StudyResults, look: Look) -> StudyResults:
    """The results of the seeds of ``look`` alone; ``results`` itself where these are all."""
    if set(look.seeds) == set(results.seeds):
        return results
    return _of_seeds(results, look.seeds)


def _look(
    seeds: tuple[int, ...], looks: tuple[int, ...], number: int, incomplete: Collection[int]
) -> Look:
    return Look(seeds, looks, number, tuple(seed for seed in seeds if seed in incomplete))


# Asked for once per claim and score, and whatever is computed of the part is remembered by it.
@lru_cache(maxsize=32)
def _of_seeds(results: StudyResults, seeds: tuple[int, ...]) -> StudyResults:
    return results.of_seeds(seeds)
