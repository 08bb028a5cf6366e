"""The judge's error rates: what a self-test found, how it is stored, and what it must keep to.

Stored with the judge's version: rates that were measured on another judge say nothing of this
one, so they are not read.
"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError

from objbench.errors import RecordError
from objbench.judge import JUDGE_VERSION
from objbench.judge.papers.published_files import SELFTEST, published
from objbench.judge.selftest.scenarios import Kind
from objbench.results.json_files import Stored

MOST_ERRORS = 0.05
LEAST_COVERAGE = 0.92
MOST_COVERAGE = 0.98

NO_EFFECT = {"gain": 0.0, "speedup": 1.0}

Place = Literal["well below", "the truth", "just above", "well above"]


class ClaimRates(Stored):
    """The verdicts on one claim, as shares of the repetitions.

    Attributes:
        place: where the claim lies, seen from the truth; "at least this" is true for the first
            two.
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
        scenario: its name in ``scenarios``.
        kind: what was claimed.
        seeds: pretraining seeds a repetition.
        truth: the gain in points or the speedup, of the mean over all seeds.
        is_held: whether the bounds apply.
        coverage: share of the 95% intervals that hold the truth; one that is open at an end holds
            everything beyond.
        open_ended: share of the intervals with an end that was not measured.
        percentile_coverage: the same share for the percentile bootstrap; None where not measured.
        claims: by rising value.
    """

    scenario: str
    kind: Kind
    seeds: int = Field(ge=3)
    truth: float
    is_held: bool
    coverage: float = Field(ge=0, le=1)
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
    def false_confirm(self) -> float:
        """The largest share in which a false claim is confirmed, or equals are told apart."""
        false = [c.confirmed for c in self.claims if c.claimed > self.truth or self.is_null]
        return max(false)

    @property
    def false_refute(self) -> float:
        """The largest share in which a true claim is refuted."""
        return max(c.refuted for c in self.claims if c.claimed <= self.truth)

    @property
    def faults(self) -> tuple[str, ...]:
        """What of the bounds this row breaks, in words; nothing where they do not apply."""
        if not self.is_held:
            return ()
        where = f"{self.scenario}, {self.seeds} seeds"
        found = []
        if self.false_confirm > MOST_ERRORS:
            found.append(f"{where}: {self.false_confirm:.1%} false confirmations")
        if self.false_refute > MOST_ERRORS:
            found.append(f"{where}: {self.false_refute:.1%} false refutations")
        if not LEAST_COVERAGE <= self.coverage <= MOST_COVERAGE:
            found.append(f"{where}: coverage {self.coverage:.1%}")
        return tuple(found)


class Rates(Stored):
    """A whole self-test.

    Attributes:
        judge_version: the judge that was tested.
        repetitions: studies drawn for each row.
        seed: of the random numbers.
        rows: by scenario, then number of seeds.
    """

    judge_version: int
    repetitions: int = Field(ge=1)
    seed: int
    rows: tuple[RateRow, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """Every bound that is broken, in words."""
        return tuple(fault for row in self.rows for fault in row.faults)

    @property
    def held(self) -> tuple[RateRow, ...]:
        """The rows that the bounds apply to."""
        return tuple(row for row in self.rows if row.is_held)


def read_rates() -> Rates | None:
    """The published rates; None where there are none for this version of the judge.

    Raises:
        RecordError: the file is there, for this version, and cannot be read.
    """
    file = published(SELFTEST).get("rates")
    if file is None:
        return None
    text = file.read_text(encoding="utf-8")
    try:
        found = json.loads(text)
        if isinstance(found, dict) and found.get("judge_version") != JUDGE_VERSION:
            return None
        return TypeAdapter(Rates).validate_json(text)
    except (json.JSONDecodeError, ValidationError) as error:
        raise RecordError(
            f"{file} is corrupted: make it anew with `objbench selftest --out leaderboard/selftest`"
        ) from error
