"""The cells that make the text of a study: each has an id and a key of what it is made from.

The parts that the cells make do not depend on how many cells there are, so neither does the text, nor
the key of any cell of the study.
"""

from __future__ import annotations

from collections.abc import Iterator

from objbench.data.cache import CACHE_VERSION
from objbench.data.corpus import Corpus
from objbench.data.tokenizer import trained_folder
from objbench.engine import ENGINE_VERSION
from objbench.results.json_files import content_key
from objbench.results.plan import PlannedCell
from objbench.results.text_plan import TextPlan
from objbench.study.study import Study

SHARE_BYTES = 256_000_000
"""A share of the work is at least as many bytes of the corpus: on two cores some thirty seconds."""

MOST_SHARES = 64
"""Each share reads the whole corpus, some thirty times faster than it is tokenised on two cores."""

_OBJECTIVE = "text"
"""In place of an objective: these cells are of none."""


def shares_of(corpus: Corpus, workers: int) -> int:
    """How many cells share the work of tokenising a corpus; one where this process does all of it.

    Args:
        corpus: what is tokenised; one whose size is not known, as on the hub, is read once.
        workers: how many cells may be worth having.
    """
    return max(1, min(corpus.bytes // SHARE_BYTES, workers, MOST_SHARES))


def text_plan(
    study: Study, corpus: Corpus, *, name: str, command: str, shares: int, is_shared: bool
) -> TextPlan:
    """What the text of a study is, and the cells that make it.

    Args:
        study, corpus: the study and its corpus.
        name, command: as for ``make_plan``.
        shares: cells that share the work; no cells for 1.
        is_shared: as ``TextPlan.is_shared``.
    """
    cells = tuple(_cells(study, corpus.fingerprint, shares)) if shares > 1 else ()
    return TextPlan(
        name=name,
        command=command,
        engine_version=ENGINE_VERSION,
        study=study.model_dump(mode="json"),
        data={},
        baseline=study.objectives[0],
        budget=study.budget,
        equalize=study.equalize,
        objectives=(),
        suites=(),
        cells=cells,
        corpus_fingerprint=corpus.fingerprint,
        is_shared=is_shared,
    )


def made_again(plan: TextPlan, since: str) -> TextPlan:
    """The same with cells that have no records: those that there are tell of what is gone.

    Args:
        since: a time, which no other making has.
    """
    again = [c.model_copy(update={"key": content_key([c.key, since])}) for c in plan.cells]
    return plan.model_copy(update={"cells": tuple(again)})


def _cells(study: Study, corpus_fingerprint: str, shares: int) -> Iterator[PlannedCell]:
    trained = trained_folder(study.data.tokenizer, corpus_fingerprint, "")
    made_from = {
        "version": CACHE_VERSION,
        "corpus": corpus_fingerprint,
        "tokenizer": study.data.tokenizer if trained is None else trained.name,
    }
    tokenizer = ("tokenizer",) if trained is not None else ()
    for name in tokenizer:
        key = content_key(made_from)
        yield PlannedCell(id=name, kind="tokenizer", key=key, objective=_OBJECTIVE, seed=0)
    names = [f"tokens.{share}-of-{shares}" for share in range(shares)]
    for share, name in enumerate(names):
        which = {"share": share, "shares": shares}
        yield PlannedCell(
            id=name,
            kind="tokens",
            key=content_key(made_from | which),
            objective=_OBJECTIVE,
            seed=0,
            needs=tokenizer,
            settings=which,
        )
    yield PlannedCell(
        id="cache",
        kind="cache",
        key=content_key(made_from | {"shares": shares}),
        objective=_OBJECTIVE,
        seed=0,
        needs=tuple(names),
    )
