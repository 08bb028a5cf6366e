"""What is known of a study that somebody else sent: two files beside its records on a board.

``submission.json`` says when it was received and how far it could be checked; ``reruns.json`` has
one entry for each time that some of its cells were run again. Both are of what was sent and nothing
else: they hold its digest and one of plan and records, and are refused beside any other file. A study
without them was run by whoever keeps the board.

A seal notices what was changed by mistake. Whoever may write to the board can write both files
anew: what stands for them is the board's own history.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter

from objbench.errors import RecordError
from objbench.results.atomic_files import write_text
from objbench.results.foreign_values import Count, Key, Label, Name, Number, Text, Time
from objbench.results.json_files import (
    SCHEMA_VERSION,
    SchemaVersion,
    Stored,
    dump_sealed,
    read_stored,
)
from objbench.results.own_files import own_file
from objbench.results.plan import CellKind
from objbench.results.records import Provenance
from objbench.results.sealed_folder import digest_of_files
from objbench.results.submissions.foreign_folder import STATEMENT, sent_files
from objbench.results.training_points import is_empty

RECEIVED, RERUNS = "submission.json", "reruns.json"

Standing = Literal["unverified", "verified", "differs"]


class Received(Stored):
    """A submission that was accepted.

    Attributes:
        submission: its digest.
        records: of its plan and records here, as ``records_digest`` makes it.
        by: who sent it, in their own words; "" where they do not say.
        received: when it was accepted.
        objbench: the version that checked it.
        cells: number of its cells.
        keys: of how many the keys were made again from the plan.
        unchecked: what could not be checked, one line each.
        left_out: number of records that the sender says it has left out.
    """

    schema_version: SchemaVersion = SCHEMA_VERSION
    submission: Key
    records: Key
    by: Label = ""
    received: Time
    objbench: Label
    cells: Count
    keys: Count
    unchecked: tuple[Text, ...] = ()
    left_out: Count = 0


class Difference(Stored):
    """A number that came out differently than it may.

    Attributes:
        what: such as "heldout loss at step 40".
        sent, found: the two; None where there is no such number, and both where it is text that
            differs, such as a status or a digest.
        tolerance: the largest difference that was allowed; 0 where the bits must be equal.
    """

    what: Text
    sent: Number | None
    found: Number | None
    tolerance: Number


class CellAgain(Stored):
    """A cell that was run again.

    Attributes:
        drawn: it was drawn; otherwise a drawn one needs it.
        numbers: how many were compared.
        equal: how many are equal to the last bit.
        differences: those that differ by more than they may.
    """

    id: Name
    kind: CellKind
    key: Key
    drawn: bool
    numbers: Count
    equal: Count
    differences: tuple[Difference, ...] = ()


class LinesAgain(Stored):
    """The reference lines, measured again; attributes as of ``CellAgain``."""

    numbers: Count
    equal: Count
    differences: tuple[Difference, ...] = ()


class Rerun(Stored):
    """One time that some cells were run again.

    Attributes:
        nonce: what the cells were drawn by, together with the digest of the submission.
        like_there: the records were made with the same device, versions, threads and processes,
            so that every number must be equal to the last bit.
        allowed: how much a number may differ, and why, in a sentence.
        cells: what was run.
        lines: the reference lines beside those that were sent; None where there are none, they could
            not be measured, or they were not yet compared.
        provenance: where, with what and when.
    """

    nonce: Label
    like_there: bool
    allowed: Text
    cells: tuple[CellAgain, ...]
    lines: LinesAgain | None = Field(default=None, exclude_if=is_empty)
    provenance: Provenance

    @property
    def agrees(self) -> bool:
        """Whether no number differs by more than it may."""
        again: list[CellAgain | LinesAgain | None] = [*self.cells, self.lines]
        return not any(one.differences for one in again if one is not None)


class Reruns(Stored):
    """All times that cells of a study were run again, in order.

    Attributes:
        submission, records: as in ``Received``.
    """

    schema_version: SchemaVersion = SCHEMA_VERSION
    submission: Key
    records: Key
    reruns: tuple[Rerun, ...]


_RECEIVED, _RERUNS = TypeAdapter(Received), TypeAdapter(Reruns)


@dataclass(frozen=True, slots=True)
class SentIn:
    """What is known of a study that somebody else sent."""

    received: Received
    reruns: tuple[Rerun, ...] = ()

    @property
    def standing(self) -> Standing:
        """What stands for it: "differs" if any cell ever did, "verified" if all agreed."""
        if not self.reruns:
            return "unverified"
        return "verified" if all(rerun.agrees for rerun in self.reruns) else "differs"


def records_digest(folder: Path) -> str:
    """A digest of the plan and of all records of a published study, in hex."""
    digest = hashlib.sha256()
    # The second holds the digests of all files of records.
    for name in ("plan.json", "sources.json"):
        digest.update(hashlib.sha256(own_file(folder, name).read_bytes()).digest())
    return digest.hexdigest()


def read_marks(folder: Path) -> SentIn | None:
    """What is known of the study in ``folder``; None where nobody else sent it.

    Raises:
        RecordError: a file cannot be read, or is of other records than those that are there.
    """
    if not (folder / RECEIVED).exists():
        return None
    received = read_stored(folder / RECEIVED, _RECEIVED)
    here = records_digest(folder)
    if received.records != here:
        raise RecordError(
            f"{folder / RECEIVED} is of other records than those beside it: accept the submission "
            "again into another folder"
        )
    # Copies of a study from a board have lacked the statement.
    is_whole = (folder / STATEMENT).exists()
    if is_whole and digest_of_files(folder, sent_files(folder)) != received.submission:
        raise RecordError(
            f"{folder / RECEIVED} is of other files than those beside it (the lines, the comparison of "
            "steps, the statement or a plugin's source): accept the submission again into another folder"
        )
    if not (folder / RERUNS).exists():
        return SentIn(received)
    stored = read_stored(folder / RERUNS, _RERUNS)
    if (stored.submission, stored.records) != (received.submission, here):
        raise RecordError(
            f"{folder / RERUNS} is of other records than those beside it: delete it, and run "
            "`objbench rerun` again"
        )
    return SentIn(received, stored.reruns)


def write_marks(folder: Path, marks: SentIn) -> None:
    """Store what is known of the study in ``folder``, in place of what was known before."""
    write_text(folder / RECEIVED, dump_sealed(marks.received))
    if marks.reruns:
        reruns = Reruns(
            submission=marks.received.submission,
            records=marks.received.records,
            reruns=marks.reruns,
        )
        write_text(folder / RERUNS, dump_sealed(reruns))
