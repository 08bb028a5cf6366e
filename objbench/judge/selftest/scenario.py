"""A simulated study and the claims that the judge must judge on it.

The scenarios are in ``held_scenarios``, which must meet the bounds, and ``stress_scenarios``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from objbench.judge.looks import Look
from objbench.judge.selftest.differences import Differences
from objbench.judge.selftest.learnt_shares import LearntShares
from objbench.judge.selftest.simulate import Simulated
from objbench.judge.statistics.estimate import LEVEL

Kind = Literal["gain", "speedup", "leaves-plateau"]
LookRule = Literal["declared", "added", "uncorrected"]
Topic = Literal["", "learning", "reliability", "looks", "tuning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One simulated study and two claims that are far from its truth, to measure power.

    Attributes:
        name: as in the tables.
        kind: what is claimed.
        study: how it is drawn; final differences alone where only gains are claimed.
        below: a true claim, well below the truth; None where the range measured holds none.
        above: a false claim, well above the truth. Of how often runs learn only "more" is claimed,
            so that both are unused.
        topic: the rule that it tests, for the page; "" for the judge's intervals as such.
        stress: what makes it a stress test, which the bounds do not apply to; "" where they do.
        is_contrast: whether it shows what a judge without the rule would do: this judge does not.
        is_bootstrapped: whether the percentile bootstrap is measured on it as well.
        looks: the numbers of seeds at which the user looks, until a claim is settled; empty for one
            look at as many seeds as the self-test is asked for.
        look_rule: "declared": all of ``looks`` were declared before the first run; "added": only
            the first was, and seeds were added after it; "uncorrected": each is judged as if it
            were the only one.
    """

    name: str
    kind: Kind
    study: Simulated | Differences | LearntShares
    below: float | None = None
    above: float = 0.0
    topic: Topic = ""
    stress: str = ""
    is_contrast: bool = False
    is_bootstrapped: bool = False
    looks: tuple[int, ...] = ()
    look_rule: LookRule = "declared"

    @property
    def is_held(self) -> bool:
        """Whether the bounds apply."""
        return not self.stress

    def level(self, look: int, pairs: int) -> float:
        """The level of the interval at one of the looks, as the judge chooses it.

        Args:
            look: its place in ``looks``, from 0; 0 where there is only one.
            pairs: how many pairs of runs are judged.
        """
        if self.look_rule == "uncorrected" or not self.looks:
            return LEVEL
        declared = self.looks if self.look_rule == "declared" else self.looks[:1]
        # Beyond the declared looks the number is 0.
        number = look + 1 if look < len(declared) else 0
        return Look(tuple(range(self.looks[look])), declared, number).level(pairs)
