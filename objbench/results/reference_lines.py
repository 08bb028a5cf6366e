"""Reference lines: the losses that counts alone reach on a study's held-out text.

An encoder whose held-out loss is above the line of the left neighbour has learnt less than a table
of pairs of words. The lines are measured once per study, by ``runs.cells.reference_lines``, and
stored in one file; the judge and the leaderboard read them from here, without torch.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from objbench.results.foreign_values import Count, Key, Number
from objbench.results.json_files import SCHEMA_VERSION, SchemaVersion, Stored
from objbench.results.records import Provenance
from objbench.results.training_points import is_empty

Predicted = Literal["masked", "next"]
"""What is predicted, as in ``training_points.CommonLoss``."""

LineName = Literal["uniform", "unigram", "bag", "bigram", "neighbours"]


class Lines(Stored):
    """The lines of one way to hide tokens, in nats per predicted token.

    A neighbour that is hidden too says nothing; the next coarser line is used in its place.

    Attributes:
        uniform: every token as likely as any other, ln V.
        unigram: by the frequencies of tokens.
        bag: by the other tokens of the sequence, whatever their order.
        bigram: by the token to the left.
        neighbours: by the tokens to the left and to the right; None where nothing to the right is
            visible.
    """

    uniform: Number
    unigram: Number
    bag: Number
    bigram: Number
    neighbours: Number | None = None


class ReferenceLines(Stored):
    """The reference lines of a study.

    Attributes:
        lines: what is predicted -> the losses that counts alone reach.
        train_tokens: tokens that were counted, special ones not: 20 million at most.
        heldout_tokens: tokens of held-out text that were predicted, under "masked".
        characters_per_token: characters of held-out text per token that is not special; turns nats
            per token into bits per character. No tokenizer has words of ten thousand.
        key: hash of all that the lines depend on; see ``lines_agreement.lines_key``.
        special: ids of the special tokens, of which the key is made too; () in files from before
            they were kept.
        provenance: where and with what they were measured.
    """

    schema_version: SchemaVersion = SCHEMA_VERSION
    lines: dict[Predicted, Lines] = Field(min_length=1)
    train_tokens: Count
    heldout_tokens: Count
    characters_per_token: (
        Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=10**4)] | None
    ) = None
    key: Key
    special: tuple[Count, ...] = Field(default=(), exclude_if=is_empty)
    provenance: Provenance
