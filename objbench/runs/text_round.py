"""The first round of a study: its text.

Most texts are tokenised by the process that plans the study, which has all cores for it. A large one is
shared out to cells, where several processes are worth having. Either way ``text.json`` then says what
the text is, and every other process opens it by that, without the corpus.
"""

from __future__ import annotations

from objbench.data.cache import is_cached, token_key
from objbench.data.corpus import Corpus
from objbench.errors import DataError
from objbench.results.object_store import ObjectStore
from objbench.results.provenance import now
from objbench.results.text_plan import TextPlan
from objbench.runs.cells.outcome import Outcome
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.runs.cells.study_text import known_tokenizer, parts_of
from objbench.runs.executors.executor import Executor
from objbench.runs.planning.folder_owner import require_same_text
from objbench.runs.planning.text_cells import MOST_SHARES, made_again, shares_of, text_plan
from objbench.runs.processes import cores, is_main, processes, wait_for_all

CORES_OF_A_SHARE = 8
"""Cores that one process keeps busy with tokenising: what it does itself, it does on one of them."""


def make_text(
    prepared: PreparedStudy, executor: Executor, shares: int | None = None
) -> PreparedStudy:
    """Make and open the study's text; returns the study with it.

    Args:
        prepared: the study.
        executor: runs its cells.
        shares: cells to tokenise the text with; when None, as its size and the executor suggest.

    Raises:
        DataError, HubError: the corpus or tokenizer cannot be read or does not fit.
        ConfigError: the run folder holds a study of other text.
    """
    folder, plan = prepared.folder, None
    is_shared = not executor.is_here or isinstance(folder.store, ObjectStore)
    if is_shared:
        prepared = prepared.sharing_text()
    if is_main():
        corpus = prepared.read_corpus()
        plan = text_plan(
            prepared.study,
            corpus,
            name=folder.name,
            command=prepared.command,
            shares=_shares(corpus, executor) if shares is None else shares,
            is_shared=is_shared,
        )
        is_done = len(folder.finished_cells(plan.cells)) == len(plan.cells)
        if plan.cells and not _is_made(prepared, plan):
            if is_done:
                # What they made is gone, and records are written once.
                plan = made_again(plan, now())
            _run(prepared, executor, plan)
        prepared.open_text()
    # The main process fills the cache, the others read it afterwards.
    wait_for_all()
    require_same_text(prepared.study, prepared.text.description(), folder)
    if plan is not None:
        is_by_cells = len(folder.finished_cells(plan.cells)) == len(plan.cells)
        folder.write_text_plan(plan if is_by_cells else plan.model_copy(update={"cells": ()}))
    return prepared


def _shares(corpus: Corpus, executor: Executor) -> int:
    if processes() > 1:
        return 1
    if not executor.is_here:
        return shares_of(corpus, MOST_SHARES)
    return shares_of(corpus, min(executor.jobs, cores() // CORES_OF_A_SHARE))


def _is_made(prepared: PreparedStudy, plan: TextPlan) -> bool:
    """Whether the text is whole in this machine's cache or in the run's store."""
    folder, cache = prepared.folder, prepared.cache
    try:
        tokenizer = known_tokenizer(prepared.study, plan, folder, cache)
    except DataError:
        return False
    fingerprint = plan.corpus_fingerprint
    return is_cached(cache, token_key(fingerprint, tokenizer.fingerprint)) or (
        plan.is_shared and parts_of(folder, fingerprint, tokenizer).whole() is not None
    )


def _run(prepared: PreparedStudy, executor: Executor, plan: TextPlan) -> None:
    """Run the cells of the text.

    Raises:
        DataError: one failed.
    """
    shown, folder = prepared.display, prepared.folder
    folder.set_failures_aside(plan.cells)
    folder.write_text_plan(plan)
    shown.say(f"{folder}: {len(plan.cells)} cells tokenise {prepared.study.data.corpus}")
    shown.plan({cell.id: cell.kind for cell in plan.cells}, len(plan.cells), executor.jobs)
    failures: list[Outcome] = []

    def ended(outcome: Outcome) -> None:
        shown.end(outcome.id, outcome.text)
        if outcome.status != "ok":
            failures.append(outcome)

    executor.run(prepared, plan, folder.finished_cells(plan.cells), ended)
    if failures:
        raise DataError(f"the text was not made: {failures[0].id}: {failures[0].text}")
