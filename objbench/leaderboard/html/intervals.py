"""Intervals as small drawings: a line from end to end, a dot for the estimate, arrows for bounds.

An end that was not measured is an arrow, and an estimate of which a bound is all that is known is a
hollow triangle: nothing is drawn where nothing was found.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from objbench.judge.statistics.speedup import Bound
from objbench.leaderboard.html.markup import Html, element, number
from objbench.leaderboard.quantity import Notation, Quantity, quantity

BAR, CARD = 200.0, 300.0
"""The widths of the drawings, of a row of a table and of a card."""

_SIDE = 9.0
_ROOM = 0.06
_MIDDLE, _ARROW, _DOT = 10.0, 5.0, 4.0
_CARD_HEIGHT, _CARD_MIDDLE = 58.0, 28.0
# Half the width of a letter, of a card and of a head of a table, which is drawn smaller.
_HALF_LETTER, _TICK_LETTER = 3.2, 4.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from ``low`` to ``high``, drawn from left to right.

    Attributes:
        is_log: factors are drawn by their logarithm.
        notation: how values are written.
        none: the value of no effect, 1 of a factor and 0 of a difference.
        width: of the drawing.
    """

    low: float
    high: float
    is_log: bool
    notation: Notation
    none: float
    width: float = BAR

    def place(self, value: float) -> float:
        """Where a value is drawn."""
        low, high, at = (
            (math.log(end) if self.is_log else end)
            for end in (self.low, self.high, min(max(value, self.low), self.high))
        )
        return _SIDE + (self.width - 2 * _SIDE) * (at - low) / (high - low)


def scale_of(
    found: Iterable[Quantity],
    notation: Notation,
    also: Sequence[float] = (),
    width: float = BAR,
) -> Scale:
    """A scale on which everything in ``found`` and ``also``, and no effect, has its place."""
    is_log = notation == "speedup"
    none = 1.0 if is_log else 0.0
    values = [none, *also]
    for item in found:
        bounds = (item.estimate, item.low, item.high)
        values += [bound.value for bound in bounds if bound is not None]
    values = [value for value in values if math.isfinite(value) and (value > 0 or not is_log)]
    ends = [math.log(value) if is_log else value for value in (min(values), max(values))]
    room = _ROOM * (ends[1] - ends[0]) or 0.1
    low, high = ends[0] - room, ends[1] + room
    if is_log:
        low, high = math.exp(low), math.exp(high)
    return Scale(low, high, is_log, notation, none, width)


def bar(found: Quantity, scale: Scale) -> Html:
    """A number with its interval, and a line at no effect."""
    marks = [
        _upright(scale.place(scale.none), 0.0, 2 * _MIDDLE, "zero"),
        *_interval(found, scale, _MIDDLE),
    ]
    return _drawing(found.text, scale.width, 2 * _MIDDLE, marks)


def scale_bar(scale: Scale) -> Html:
    """The ends of a scale and no effect in figures, for the head of a column of bars."""
    none, low, high = (
        quantity(value, scale.notation).text for value in (scale.none, scale.low, scale.high)
    )
    middle = _inside(scale.place(scale.none), none, scale)
    labels = [_label(middle, 14.0, none, "tick", scale)]
    for value, text in ((scale.low, low), (scale.high, high)):
        away = abs(_inside(scale.place(value), text, scale) - middle)
        # One that would run into the label of no effect is left out.
        if away > _TICK_LETTER * (len(text) + len(none) + 1):
            labels.append(_label(scale.place(value), 14.0, text, "tick", scale))
    return _drawing(f"scale from {low} to {high}", scale.width, 2 * _MIDDLE, labels)


def card_drawing(found: Quantity, claimed: float | None, scale: Scale, no_effect: str) -> Html:
    """An interval with what was claimed above it and no effect below it."""
    middle = scale.place(scale.none)
    marks = [
        _level(_SIDE, scale.width - _SIDE, _CARD_MIDDLE, "axis"),
        _upright(middle, _CARD_MIDDLE - 10, _CARD_MIDDLE + 10, "zero"),
        _label(middle, _CARD_HEIGHT - 8, no_effect, "tick", scale),
    ]
    words = f"{found.text}; {no_effect}"
    if claimed is not None:
        text = f"claimed {quantity(claimed, scale.notation).text}"
        at = scale.place(claimed)
        marks += [
            _upright(at, _CARD_MIDDLE - 12, _CARD_MIDDLE + 10, "claimed"),
            _label(at, 11.0, text, "claimed", scale),
        ]
        words += f"; {text}"
    return _drawing(
        words, scale.width, _CARD_HEIGHT, [*marks, *_interval(found, scale, _CARD_MIDDLE)]
    )


def _drawing(words: str, width: float, height: float, marks: Sequence[Html]) -> Html:
    return element(
        "svg",
        element("title", words),
        *marks,
        role="img",
        class_="interval",
        viewBox=f"0 0 {number(width)} {number(height)}",
    )


def _interval(found: Quantity, scale: Scale, middle: float) -> list[Html]:
    marks = []
    if found.low is not None and found.high is not None:
        low, high = scale.place(found.low.value), scale.place(found.high.value)
        if found.low.side == "below":
            low = _SIDE - _ARROW
            marks.append(_triangle(low, middle, -1, "end"))
        if found.high.side == "above":
            high = scale.width - _SIDE + _ARROW
            marks.append(_triangle(high, middle, 1, "end"))
        marks.append(_level(low, high, middle, "range"))
    return [*marks, _dot(found.estimate, scale, middle)]


def _dot(estimate: Bound, scale: Scale, middle: float) -> Html:
    at = scale.place(estimate.value)
    if estimate.side:
        return _triangle(at, middle, -1 if estimate.side == "below" else 1, "bound")
    return element("circle", cx=_p(at), cy=_p(middle), r=_p(_DOT), class_="estimate")


def _triangle(at: float, middle: float, side: int, kind: str) -> Html:
    tip, back = at + side * _ARROW, at - side * _ARROW * 0.4
    corners = ((tip, middle), (back, middle - _ARROW), (back, middle + _ARROW))
    return element("polygon", points=" ".join(f"{_p(x)},{_p(y)}" for x, y in corners), class_=kind)


def _level(low: float, high: float, middle: float, kind: str) -> Html:
    return element("line", x1=_p(low), x2=_p(high), y1=_p(middle), y2=_p(middle), class_=kind)


def _upright(at: float, top: float, bottom: float, kind: str) -> Html:
    return element("line", x1=_p(at), x2=_p(at), y1=_p(top), y2=_p(bottom), class_=kind)


def _label(at: float, height: float, text: str, kind: str, scale: Scale) -> Html:
    inside = _inside(at, text, scale)
    return element("text", text, x=_p(inside), y=_p(height), class_=kind)


def _inside(at: float, text: str, scale: Scale) -> float:
    """The middle of a text that is wholly within the drawing."""
    half = (_TICK_LETTER if scale.width == BAR else _HALF_LETTER) * len(text)
    return min(max(at, half), scale.width - half)


def _p(place: float) -> str:
    return f"{place:.1f}".removesuffix(".0")
