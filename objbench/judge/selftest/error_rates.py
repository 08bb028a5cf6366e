"""The judge's error rates: what a self-test found, how it is stored, and the bounds it must meet.

The judge's version is stored with them: rates of another version say nothing about this one, so
they are not shown.
"""

from __future__ import annotations

import json
from contextlib import suppress
from importlib.resources.abc import Traversable
from typing import Literal

from pydantic import Field, TypeAdapter

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
        scenario: its name in ``scenarios``.
        kind: what was claimed.
        seeds: pretraining seeds per repetition.
        truth: the gain in points or the speedup, of the mean over all seeds.
        is_held: whether the bounds apply.
        coverage: share of the 95% intervals that cover the truth; one that is open at an end covers
            everything beyond it.
        open_ended: share of the intervals with an unmeasured end.
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
        """The largest share in which a false claim is confirmed, or equals are called different."""
        false = [c.confirmed for c in self.claims if c.claimed > self.truth or self.is_null]
        return max(false)

    @property
    def false_refute(self) -> float:
        """The largest share in which a true claim is refuted."""
        return max(c.refuted for c in self.claims if c.claimed <= self.truth)

    @property
    def faults(self) -> tuple[str, ...]:
        """The bounds that this row breaks, in words; none where they do not apply."""
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
        repetitions: number of studies drawn for each row.
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
        return tuple(fault for row in self.rows for fault in row.faults)

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
