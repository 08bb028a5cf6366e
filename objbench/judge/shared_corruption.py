"""Whether two objectives' held-out losses of one name are measured on text masked alike.

A term's name says what is predicted (see ``results.heldout_loss_names``); how much of the text is
hidden, and how, are options. Where these agree, at one seed the two losses are of the same tokens
and can be compared; where they do not, a lower loss may be an easier task.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from objbench.results.plan import Plan

# The options that decide which tokens are hidden and what stands in their place.
_MASKING = ("rate", "final_rate", "mask_share", "random_share")


def shared_masking(plan: Plan, term: str, objectives: tuple[str, ...]) -> str:
    """The masking options that all ``objectives`` have for ``term``, in words.

    Such as "rate 0.15, mask_share 0.8, random_share 0.1"; "" where they differ or where there is
    no masking to be compared.

    Args:
        term: the name of the held-out loss, which all of them have.
    """
    options = {item.name: item.options for item in plan.objectives}
    found = [masking(options[name], term) for name in objectives]
    if not found or not found[0] or any(other != found[0] for other in found):
        return ""
    return ", ".join(f"{name} {value}" for name, value in found[0].items())


def masking(options: Mapping[str, Any], term: str) -> dict[str, Any]:
    """The masking options of what masks the text of ``term``; None is no option.

    Of a combination that is the part of the term's name, or the only part that has such options.
    """
    parts = {place.rpartition(".")[0] for place in options if place.split(".")[-1] in _MASKING}
    if term in parts:
        parts = {term}
    if len(parts) != 1:
        return {}
    (part,) = parts
    values = {name: options.get(f"{part}.{name}" if part else name) for name in _MASKING}
    return {name: value for name, value in values.items() if value is not None}
