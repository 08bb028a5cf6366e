"""The reference lines of a study beside those that are measured again from its text.

They are counts, made on a CPU by one process whatever device trains, from masks that their key fixes.
So they are the same everywhere, but for the order in which a library adds numbers up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from objbench.results.reference_lines import ReferenceLines
from objbench.results.submissions.marks import Difference, LinesAgain

RELATIVE = 1e-6


def lines_again(sent: ReferenceLines | None, found: ReferenceLines | None) -> LinesAgain | None:
    """What came of measuring the lines again; None where there are none, or they cannot be measured."""
    if sent is None or found is None:
        return None
    theirs, ours = dict(_numbers(sent)), dict(_numbers(found))
    differences, equal = [], 0
    for name in dict.fromkeys([*theirs, *ours]):
        one, other = theirs.get(name), ours.get(name)
        equal += one == other
        if one is None or other is None:
            differences.append(Difference(what=name, sent=one, found=other, tolerance=0.0))
        elif not math.isclose(one, other, rel_tol=RELATIVE):
            allowed = RELATIVE * max(abs(one), abs(other))
            differences.append(Difference(what=name, sent=one, found=other, tolerance=allowed))
    numbers = len({*theirs, *ours})
    return LinesAgain(numbers=numbers, equal=equal, differences=tuple(differences))


def _numbers(lines: ReferenceLines) -> Iterator[tuple[str, float]]:
    yield "counted tokens", lines.train_tokens
    yield "predicted tokens", lines.heldout_tokens
    if lines.characters_per_token is not None:
        yield "characters per token", lines.characters_per_token
    for kind, own in sorted(lines.lines.items()):
        for line, loss in own.model_dump(exclude_none=True).items():
            yield f"{line} loss of {kind} tokens", loss
