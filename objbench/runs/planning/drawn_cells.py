"""Which cells of a stranger's study are run again: drawn so that its sender could not choose them.

The order is that of the SHA-256 of the submission's digest, a nonce and the cell's id. Whoever sends
a study fixes its digest, and whoever runs it again draws the nonce afterwards.

Pretrainings are drawn first, each with one of its evaluations, which shows both; a further one of
the same pretraining comes after all others.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha256

from objbench.results.plan import PlannedCell
from objbench.results.study_results import StudyResults


def new_nonce() -> str:
    """A nonce that nobody could know before."""
    return secrets.token_hex(8)


def drawn_cells(results: StudyResults, digest: str, nonce: str, count: int) -> list[PlannedCell]:
    """The cells to be run again, at most ``count``.

    Args:
        results: the study.
        digest: of the submission.
        nonce: see above.
        count: how many.
    """

    def place(cell: PlannedCell) -> str:
        return sha256(f"{digest}\x1f{nonce}\x1f{cell.id}".encode()).hexdigest()

    of: dict[str, list[PlannedCell]] = {}
    for cell in sorted(results.plan.cells, key=place):
        if cell.kind == "evaluation" and results.state(cell) == "ok":
            of.setdefault(cell.needs[0], []).append(cell)
    runs = [cell for cell in results.plan.cells if cell.kind == "pretrain"]
    groups = [of.get(run.id, [run]) for run in sorted(runs, key=place)]
    most = max((len(group) for group in groups), default=0)
    turns = [group[turn] for turn in range(most) for group in groups if turn < len(group)]
    return turns[:count]


def with_needs(results: StudyResults, cells: Sequence[PlannedCell]) -> list[PlannedCell]:
    """``cells`` and all that they rest on, in the order of the plan."""
    wanted = {cell.id for cell in cells}
    for cell in cells:
        wanted |= {need.id for need in results.upstream(cell)}
    return [cell for cell in results.plan.cells if cell.id in wanted]
