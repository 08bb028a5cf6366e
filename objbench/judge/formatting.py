"""How numbers and names are written: fixed rounding, units, and text that fits a table's cell.

Rounding is fixed so that the same records give the same bytes, and coarse enough that what is
printed is what was measured: scores to 0.01 point, everything else to three digits.
"""

from __future__ import annotations

from collections.abc import Sequence

DASH = "-"


MOST_NAMES = 4
"""More names than these are counted and not listed."""


def capitalised(text: str) -> str:
    """``text`` with a capital first letter, the others as they are."""
    return f"{text[:1].upper()}{text[1:]}"


def points(value: float) -> str:
    """A score to 0.01, such as "61.24"."""
    return _no_negative_zero(f"{value:.2f}")


def signed(value: float) -> str:
    """A difference of scores to 0.01 with its sign, such as "+0.40"."""
    text = f"{value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text


def loss(value: float) -> str:
    """A loss to 0.001, such as "3.317"."""
    return f"{value:.3f}"


def loss_gain(value: float) -> str:
    """A difference of losses to 0.001 with its sign, such as "+0.044"."""
    text = f"{value:+.3f}"
    return "0.000" if text in ("+0.000", "-0.000") else text


def amount(value: float) -> str:
    """A count to three digits: "950", "12.0k", "24.6M", "3.10B", and "1.23e15" beyond."""
    if abs(value) >= 1e12:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        # 999,999 is "1.00M", not "1000k": the unit is chosen after rounding.
        if float(f"{abs(value):.2e}") >= size:
            return three_digits(value / size) + letter
    return f"{value:.0f}" if value == round(value) else three_digits(value)


def three_digits(value: float) -> str:
    """A positive number to three digits without an exponent, such as "1.84" or "0.0310"."""
    if value == 0:
        return "0"
    exponent = int(f"{value:.2e}".split("e")[1])
    return f"{float(f'{value:.2e}'):.{max(0, 2 - exponent)}f}"


def duration(seconds: float) -> str:
    """Device seconds to three digits, in seconds, minutes or hours."""
    if seconds < 120:
        return f"{three_digits(seconds)} s"
    if seconds < 2 * 3600:
        return f"{three_digits(seconds / 60)} min"
    return f"{three_digits(seconds / 3600)} h"


def memory(count: float) -> str:
    """Bytes to three digits, in MiB or GiB."""
    if count < 2**30:
        return f"{three_digits(count / 2**20)} MiB"
    return f"{three_digits(count / 2**30)} GiB"


def ratio(value: float) -> str:
    """A factor to 0.01, such as "1.84x"."""
    return f"{value:.2f}x"


def count(number: int, noun: str) -> str:
    """A number and its noun: "1 seed", "2 seeds"; the plural is made with an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def named(names: Sequence[str], what: str = "objective", most: int = MOST_NAMES) -> str:
    """Up to ``most`` names as "a, b and c"; more are counted, as "12 objectives"."""
    return listed(names) if len(names) <= most else count(len(names), what)


def listed(names: Sequence[str]) -> str:
    """Names as prose: "a", "a and b", "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _no_negative_zero(text: str) -> str:
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text
