"""The first part of a study's plan: its text, and the cells that tokenise it.

A plan needs the text: what a step costs is measured on it. So a large text is tokenised in a round
of its own, by cells of these kinds, whose plan is beside ``plan.json`` and whose records are beside the
tokenised text, not among those that a page is made from:

- "tokenizer": trains the study's tokenizer, where it is to be trained;
- "tokens": makes a share of the parts of the token cache;
- "cache": puts the parts together, and stores the manifest.

What was planned stays when these are done: by it a worker knows the text, and opens it without the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import model_validator

from objbench.results.foreign_values import Key
from objbench.results.plan import TEXT_KINDS, Plan, PlannedCell


class TextPlan(Plan):
    """What a study's text is known by, and the cells that make it; none where one process does it.

    Objectives and suites are not planned yet.

    Attributes:
        corpus_fingerprint: of the corpus, as the process that planned the study has read it.
        is_shared: the tokenised text is kept in the run's store, for machines that have no corpus.
    """

    corpus_fingerprint: Key
    is_shared: bool

    @property
    def is_to_be_continued(self) -> bool:
        """Whether another plan of the study follows, which it does."""
        return True

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for fault in _misfits(self.cells):
            raise ValueError(fault)
        return self


def _misfits(cells: tuple[PlannedCell, ...]) -> Iterator[str]:
    names = [cell.id for cell in cells]
    if len({*names}) < len(names):
        yield "two cells have one name"
    for cell in cells:
        if cell.kind not in TEXT_KINDS:
            yield f"{cell.id} is no cell of a text"
        if not {*cell.needs} <= {*names}:
            yield f"{cell.id} needs what is no cell of it"
