"""What an evaluation gave example by example, as records hold it: a few bits an example.

Evaluation examples are a sample as seeds are, so a judge that also resamples examples needs one
value per example and metric, whose mean is the metric (``contract.suite.ExampleScores``). Accuracy
takes one bit an example, F1 and Matthews correlation two, a correlation one byte. Of a split of
more than ``MOST`` examples every k-th is stored, which tells their spread as well.

Shape legend: N examples of a column, n = ceil(N / every) of them stored.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from typing import Annotated, Self

from pydantic import Field, model_validator

from objbench.results.foreign_values import Base64, Count, Key, Label, Number
from objbench.results.json_files import Stored

MOST = 5000
"""Examples of a column that are stored."""

WIDTHS = (1, 2, 8)
"""Bits of a code. Eight are steps between two ends, fewer are numbers of levels."""

# Values are float64 of what may have been computed in float32.
_ROUNDING = 1e-6


class PackedValues(Stored):
    """One value per stored example, as codes of a few bits.

    Attributes:
        bits: of a code; one of ``WIDTHS``.
        levels: with 1 or 2 bits, the value of each code from 0, rising. With 8 bits the lowest and
            the highest value: the code c is ``lowest + c / 255 * (highest - lowest)``.
        codes: the n codes in base64, the first in the lowest bits of the first byte; the bits left
            over in the last byte are 0.
    """

    bits: Count
    levels: tuple[Number, ...]
    codes: Base64

    @model_validator(mode="after")
    def _is_canonical(self) -> Self:
        if self.bits not in WIDTHS:
            raise ValueError(f"codes of {self.bits} bits, not of {', '.join(map(str, WIDTHS))}")
        if self.bits == 8:
            if len(self.levels) != 2 or not self.levels[0] < self.levels[1]:
                raise ValueError("its levels are not a lowest and a highest value")
        elif not 1 <= len(self.levels) <= 2**self.bits or [*self.levels] != sorted({*self.levels}):
            raise ValueError(f"its levels are not 1 to {2**self.bits} rising values")
        try:
            data = base64.b64decode(self.codes, validate=True)
        except binascii.Error as error:
            raise ValueError(f"its codes are no base64: {error}") from error
        if base64.b64encode(data).decode() != self.codes:
            raise ValueError("its codes are not the base64 of their own bytes")
        if self.bits < 8 and max(self._tally(data), default=0) >= len(self.levels):
            raise ValueError(f"a code without one of its {len(self.levels)} levels")
        return self

    @property
    def data(self) -> bytes:
        """The packed codes."""
        return base64.b64decode(self.codes)

    def require(self, count: int) -> None:
        """Refuse codes that are not exactly ``count``.

        Raises:
            ValueError: they are more or fewer, or a bit left over is not 0.
        """
        data, used = self.data, count * self.bits
        if len(data) != -(-used // 8) or (used % 8 and data[-1] >> used % 8):
            raise ValueError(f"its codes are not those of {count} examples")

    def mean(self, count: int) -> float:
        """The mean of the ``count`` values."""
        tally = self._tally(self.data)
        # The bits left over read as codes of 0.
        tally[0] -= sum(tally.values()) - count
        return sum(self.value(code) * times for code, times in tally.items()) / count

    @property
    def error(self) -> float:
        """How far the mean of the values may be from that of the values before packing."""
        if self.bits == 8:
            return (self.levels[1] - self.levels[0]) / 255 / 2 * (1 + _ROUNDING)
        return _ROUNDING * max(map(abs, self.levels))

    def value(self, code: int) -> float:
        """The value of a code."""
        if self.bits < 8:
            return self.levels[code]
        low, high = self.levels
        return low + code / 255 * (high - low)

    def _tally(self, data: bytes) -> Counter[int]:
        """Code -> how often it is there, the bits left over included."""
        found: Counter[int] = Counter()
        for byte, times in Counter(data).items():
            for shift in range(0, 8, self.bits):
                found[byte >> shift & 2**self.bits - 1] += times
        return found


class StoredExamples(Stored):
    """The examples of a column.

    Attributes:
        of: digest of which examples they are and of their order; encoders are compared example by
            example only where it is the same.
        every: every which example is stored, from the first on; 1 for all of them.
        metrics: metric -> the values, whose mean over all N examples is the metric.
    """

    of: Key
    every: Annotated[int, Field(strict=True, ge=1, le=10**18)]
    metrics: dict[Label, PackedValues]

    def stored(self, count: int) -> int:
        """How many of ``count`` examples are stored."""
        return -(-count // self.every)

    def require(self, count: int, scores: dict[str, float]) -> None:
        """Refuse values that are not those of a column's scores.

        Args:
            count: N.
            scores: metric -> value, of the column.

        Raises:
            ValueError: the number of examples is another, or a metric is not scored, or all
                examples are stored and their mean is not the metric.
        """
        stored = self.stored(count)
        if not stored:
            raise ValueError("values of no examples")
        for metric, packed in self.metrics.items():
            if metric not in scores:
                raise ValueError(f"values of {metric}, which is no score")
            packed.require(stored)
            mean = packed.mean(stored)
            if self.every == 1 and not abs(mean - scores[metric]) <= packed.error + _ROUNDING:
                raise ValueError(
                    f"the mean of the examples' {metric} is {mean:g}, its score {scores[metric]:g}"
                )
