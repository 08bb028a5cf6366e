"""The cells that make a study's text: its tokenizer, shares of its token cache, and the cache.

Each reads the corpus, which must be the one that was planned.
"""

from __future__ import annotations

from typing import Any

from objbench import __version__
from objbench.contract.composition import Composition
from objbench.data import Corpus, load_tokenizer
from objbench.data.shared_tokenizer import share_tokenizer
from objbench.data.tokenising import make_parts
from objbench.errors import DataError
from objbench.results.plan import PlannedCell
from objbench.results.provenance import provenance
from objbench.results.records import AnyRecord, Plugin, TextRecord
from objbench.results.text_plan import TextPlan
from objbench.runs.cells.cell_work import CellWork
from objbench.runs.cells.study_text import known_tokenizer, open_text, text_parts
from objbench.runs.processes import processes


class TextWork(CellWork):
    """What all of them share: they are of no objective and no suite."""

    def plugin(self, cell: PlannedCell) -> type[Any] | Composition:
        """None but objbench itself."""
        return type(self)

    def fields(self, cell: PlannedCell) -> dict[str, Any]:
        """Nothing."""
        return {}

    def record(self, cell: PlannedCell, started: str, **outcome: Any) -> AnyRecord:
        """The record of a cell that ends now."""
        return TextRecord(
            kind=cell.kind,  # type: ignore[arg-type] # one of those that this is the work of
            id=cell.id,
            key=cell.key,
            objective=cell.objective,
            seed=cell.seed,
            plugin=Plugin(name="objbench", project="objbench", version=__version__, source=""),
            provenance=provenance(
                self.prepared.command, self.prepared.device, processes(), started
            ),
            **outcome,
        )

    @property
    def plan(self) -> TextPlan:
        """What was planned."""
        plan = self.context.plan
        if not isinstance(plan, TextPlan):
            raise TypeError("a cell of the text in another plan")
        return plan

    def corpus(self) -> Corpus:
        """The corpus.

        Raises:
            DataError, HubError: it cannot be read, or is not the one that was planned.
        """
        corpus = self.prepared.read_corpus()
        if corpus.fingerprint != self.plan.corpus_fingerprint:
            raise DataError(
                f"corpus {corpus.name} here is not the one that the study was planned on: start the "
                "worker where the same files are, under the same path"
            )
        return corpus


class TokenizerWork(TextWork):
    """Trains the tokenizer."""

    def do(self, cell: PlannedCell, started: str) -> AnyRecord:
        """Train it, unless it is there."""
        prepared, corpus = self.prepared, self.corpus()
        spec = prepared.study.data.tokenizer
        tokenizer = load_tokenizer(spec, corpus, prepared.cache)
        if self.plan.is_shared:
            share_tokenizer(spec, corpus.fingerprint, prepared.cache, prepared.folder.store)
        words = tokenizer.vocabulary().size
        return self.record(cell, started, status="ok", tokens=words)


class TokensWork(TextWork):
    """Makes the parts of one share."""

    def do(self, cell: PlannedCell, started: str) -> AnyRecord:
        """Make those that are not there."""
        prepared, corpus, made = self.prepared, self.corpus(), 0
        share, shares = cell.settings["share"], cell.settings["shares"]
        if self.plan.is_shared:
            tokenizer = known_tokenizer(prepared.study, self.plan, prepared.folder, prepared.cache)
        else:
            # Its cell may have been run with another cache, or with one that was deleted since.
            tokenizer = load_tokenizer(prepared.study.data.tokenizer, corpus, prepared.cache)
        parts = text_parts(self.plan, tokenizer, prepared.folder, prepared.cache)

        def tokenised(tokens: int) -> None:
            nonlocal made
            made = tokens
            self.context.report(cell.id, 0, 1, f"{tokens:,} tokens")

        make_parts(parts, corpus, tokenizer, share=share, shares=shares, progress=tokenised)
        return self.record(cell, started, status="ok", tokens=made)


class CacheWork(TextWork):
    """Puts the cache together, where all others find it."""

    def do(self, cell: PlannedCell, started: str) -> AnyRecord:
        """Put it together; what is missing of it is made first."""
        prepared = self.prepared
        shared = prepared.folder if self.plan.is_shared else None
        text = open_text(prepared.study, prepared.cache, prepared.display.say, self.corpus, shared)
        tokens = len(text.train.tokens) + len(text.heldout.tokens)
        return self.record(cell, started, status="ok", tokens=tokens)
