"""The judge's error rates: what a self-test found, how it is stored, and which bounds it breaks.

The judge's version is stored with them: rates of another version say nothing about this one, so
they are not shown.
"""

from __future__ import annotations

import json
import operator
from contextlib import suppress
from importlib.resources.abc import Traversable
from typing import Literal

from pydantic import Field, TypeAdapter

from objbench.errors import RecordError
from objbench.judge import JUDGE_VERSION
from objbench.judge.papers.published_files import SELFTEST, published
from objbench.judge.selftest.bounds import (
    LEAST_COVERAGE,
    MOST_COVERAGE,
    MOST_ERRORS,
    is_above,
    is_below,
)
from objbench.judge.selftest.scenario import Kind, Topic
from objbench.results.json_files import Stored

NO_EFFECT = {"gain": 0.0, "speedup": 1.0, "leaves-plateau": 0.0}

Place = Literal["well below", "the truth", "just above", "well above"]


class ClaimRates(Stored):
    """The verdicts on one claim, as shares of the studies that were judged.

    Attributes:
        place: where the claim is relative to the truth; "at least this" is true for the first two.
        claimed: its value.
        confirmed, refuted: shares; the rest is inconclusive.
    """

    place: Place
    claimed: float
    confirmed: float = Field(ge=0, le=1)
    refuted: float = Field(ge=0, le=1)


class RateRow(Stored):
    """One simulated study at one number of seeds.

    Attributes:
        scenario: its name in ``held_scenarios`` or ``stress_scenarios``.
        kind: what was claimed.
        seeds: pretraining seeds per repetition; at the last look where there are several.
        truth: the gain in points or the speedup, of the mean over all runs that learn; or by how
            many points of a hundred more of the candidate's runs learn.
        is_held: whether the bounds apply.
        topic, is_contrast: as in ``Scenario``.
        is_measured: whether the truth is within what the curves can show. Where it is not, intervals
            that cover it are open there, and cover it always: coverage has no upper bound.
        judged: share of the studies drawn in which enough runs learnt for a verdict. As many were
            drawn as it takes to judge the self-test's repetitions; the other shares are of these.
        coverage: share of the 95% intervals that cover the truth; one that is open at an end covers
            everything beyond it. Of a study with several looks all intervals must cover it. None where
            a verdict has no interval.
        test_coverage: the same share for the ends that the test alone gives, without the points
            around the estimate, which an interval always holds: only these can be too far apart.
        open_ended: share of the intervals with an unmeasured end.
        percentile_coverage: the same share for the percentile bootstrap; None where not measured.
        claims: by rising value.
    """

    scenario: str
    kind: Kind
    seeds: int = Field(ge=3)
    truth: float
    is_held: bool
    topic: Topic = ""
    is_contrast: bool = False
    is_measured: bool = True
    judged: float = Field(default=1.0, gt=0, le=1)
    coverage: float | None = Field(ge=0, le=1)
    test_coverage: float | None = Field(ge=0, le=1)
    open_ended: float = Field(ge=0, le=1)
    percentile_coverage: float | None = None
    claims: tuple[ClaimRates, ...]

    def claim(self, place: Place) -> ClaimRates | None:
        """The claim at ``place``, if one was put there."""
        return next((claim for claim in self.claims if claim.place == place), None)

    @property
    def is_null(self) -> bool:
        """Whether the two objectives are the same: then "at least no effect" is no finding."""
        return self.truth == NO_EFFECT[self.kind]

    @property
    def called_better(self) -> float:
        """Of equal objectives: how often the candidate is called better."""
        return self._at_truth.confirmed

    @property
    def called_worse(self) -> float:
        """Of equal objectives: how often the candidate is called worse."""
        return self._at_truth.refuted

    @property
    def _at_truth(self) -> ClaimRates:
        return next(claim for claim in self.claims if claim.claimed == self.truth)

    @property
    def false_confirm(self) -> float:
        """The largest share in which a false claim is confirmed, or equals are called different."""
        # Whether more than the truth is claimed; of equals also what is exactly the truth.
        is_false = operator.ge if self.is_null else operator.gt
        false = (c.confirmed for c in self.claims if is_false(c.claimed, self.truth))
        return max(false, default=0.0)

    @property
    def false_refute(self) -> float:
        """The largest share in which a true claim is refuted."""
        return max((c.refuted for c in self.claims if c.claimed <= self.truth), default=0.0)

    def faults(self, repetitions: int) -> tuple[str, ...]:
        """The bounds that this row breaks, in words; none where they do not apply.

        Args:
            repetitions: number of studies judged.
        """
        if not self.is_held:
            return ()
        where = f"{self.scenario}, {self.seeds} seeds"
        found = []
        if is_above(self.false_confirm, repetitions, MOST_ERRORS):
            found.append(f"{where}: {self.false_confirm:.1%} false confirmations")
        if is_above(self.false_refute, repetitions, MOST_ERRORS):
            found.append(f"{where}: {self.false_refute:.1%} false refutations")
        if self.coverage is None or self.test_coverage is None:
            return tuple(found)
        if is_below(self.coverage, repetitions, LEAST_COVERAGE):
            found.append(f"{where}: coverage {self.coverage:.1%}")
        if self.is_measured and is_above(self.test_coverage, repetitions, MOST_COVERAGE):
            found.append(f"{where}: coverage by the test alone {self.test_coverage:.1%}")
        return tuple(found)


class Rates(Stored):
    """A whole self-test.

    Attributes:
        judge_version: the judge that was tested.
        repetitions: number of studies judged for each row.
        seed: of the random numbers.
        rows: by scenario, then number of seeds.
        drawn_from: the real runs that the studies were drawn from; "" for simulated studies.
        command: the command that measured it.
        made_with: the machine and the versions it was measured with.
    """

    judge_version: int
    repetitions: int = Field(ge=1)
    seed: int
    rows: tuple[RateRow, ...]
    drawn_from: str = ""
    command: str = ""
    made_with: dict[str, str] = Field(default_factory=dict)

    @property
    def faults(self) -> tuple[str, ...]:
        """Every bound that is broken, in words."""
        return tuple(fault for row in self.rows for fault in row.faults(self.repetitions))

    @property
    def held(self) -> tuple[RateRow, ...]:
        """The rows that the bounds apply to."""
        return tuple(row for row in self.rows if row.is_held)


def read_rates() -> Rates | None:
    """The published rates; None where there are none for this version of the judge.

    Raises:
        RecordError: the file exists, for this version, and cannot be read.
    """
    file = published(SELFTEST).get("rates")
    if file is None:
        return None
    with suppress(ValueError):
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, dict) and found.get("judge_version") != JUDGE_VERSION:
            return None
    return stored_rates(file)


def stored_rates(file: Traversable) -> Rates:
    """The rates stored in ``file``, whichever version of the judge they are of.

    Raises:
        RecordError: the file cannot be read.
    """
    try:
        return TypeAdapter(Rates).validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(
            f"{file} holds no rates of a self-test: make it again with "
            "`objbench selftest --out leaderboard/selftest`"
        ) from error
