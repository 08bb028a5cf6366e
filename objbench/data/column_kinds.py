"""What a column of a table may hold, and how a class is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Schema = Mapping[str, Literal["text", "number", "class"]]
"""Column -> what it holds. Classes are text, whole numbers or truth values, and are read as text."""

Value = str | int | float | None

ONE = {"text": "text", "number": "number", "class": "text or whole number"}
MANY = {"text": "text", "number": "numbers", "class": "text or whole numbers"}


def class_name(value: Value) -> str | None:
    """A class as text, or None for a null: 1 and "1" are one class, whatever the format."""
    return value if value is None or isinstance(value, str) else str(value).lower()
