"""Measure the reference lines of a study: once per text and machine, by one process.

Counting takes up to half a minute, so the cache keeps what was measured, by its key: another study of
the same text, a second run of this one, and a run folder that was deleted count nothing again.

The held-out text and its masks are those of the common loss (``engine.training.common_loss``), where
that is computed on a CPU with the study's own batch: a GPU draws other masks of the same text.

A study continues where they cannot be measured.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter

from objbench.blocks.masking import mask_tokens
from objbench.contract.batch import Batch, Rows
from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.random_streams import Streams, stream_key
from objbench.data.counts.characters import characters_per_token
from objbench.data.counts.hidden_tokens import HiddenTokens, masked_tokens, next_tokens
from objbench.data.counts.lines import COUNTED_TOKENS, MOST_PREDICTED, count_text, measure_lines
from objbench.data.loader import Loader
from objbench.engine.training.heldout_loss import HELDOUT_SEED
from objbench.errors import RecordError, one_line
from objbench.results.json_files import dump_sealed, read_from
from objbench.results.lines_agreement import LINES_VERSION, lines_key
from objbench.results.local_store import LocalStore
from objbench.results.provenance import now, provenance
from objbench.results.reference_lines import ReferenceLines
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.runs.cells.study_text import StudyText
from objbench.runs.processes import is_main, processes

_LINES = TypeAdapter(ReferenceLines)

_KEPT_BACK_SEED = stream_key(0, "reference lines")
"""Keys the masks of the training text that weights are fitted on."""


def keep_reference_lines(prepared: PreparedStudy) -> None:
    """Measure the losses that counts alone reach, unless what is stored is of the same text.

    What is stored of another text, and cannot be measured again, is removed.

    Raises:
        RecordError: what is stored cannot be read.
    """
    if not is_main():
        return
    key = _key(prepared)
    stored = prepared.folder.read_reference_lines()
    if stored is not None:
        if stored.key == key:
            return
        prepared.folder.write_reference_lines(None)
    try:
        lines = _known_lines(prepared, key) or _new_lines(prepared, key)
    # No cell needs them.
    except Exception as error:  # noqa: BLE001
        prepared.display.say(
            f"the reference lines are not measured: {type(error).__name__}: {one_line(error)}"
        )
        return
    prepared.folder.write_reference_lines(lines)


def _known_lines(prepared: PreparedStudy, key: str) -> ReferenceLines | None:
    """The lines as they were measured before on this machine; None where they were not, or are damaged."""
    known, name = _cached(prepared, key)
    try:
        lines = read_from(known, name, _LINES)
    except RecordError:
        return None
    if lines.key != key:
        return None
    # The cache of an earlier version does not know them.
    return lines.model_copy(update={"special": prepared.text.vocabulary.special})


def _new_lines(prepared: PreparedStudy, key: str) -> ReferenceLines:
    """The lines, measured now and kept for other studies of the same text."""
    counted = min(len(prepared.text.train.tokens), COUNTED_TOKENS)
    prepared.display.say(
        f"counting words for the reference lines: {counted:,} tokens of the training text"
    )
    lines = measured_lines(prepared, key)
    known, name = _cached(prepared, key)
    # A cache that takes nothing costs other studies the counting, and this one nothing.
    with suppress(OSError):
        known.write(name, dump_sealed(lines).encode())
    return lines


def _cached(prepared: PreparedStudy, key: str) -> tuple[LocalStore, str]:
    return LocalStore(prepared.cache), f"lines/{key}.json"


def _key(prepared: PreparedStudy) -> str:
    study, text = prepared.study, prepared.text
    return lines_key(
        text.key,
        text.digests,
        text.vocabulary.special,
        study.training.batch,
        study.evaluation.heldout_batches,
        LINES_VERSION,
    )


def measured_lines(prepared: PreparedStudy, key: str) -> ReferenceLines:
    """The reference lines of the study, measured now."""
    study, text, started = prepared.study, prepared.text, now()
    vocabulary = text.vocabulary
    special = np.zeros(vocabulary.size, dtype=bool)
    special[list(vocabulary.special)] = True
    loader = Loader(text.train, vocabulary, seed=0, batch=study.training.batch)
    batches = list(loader.heldout(text.heldout, study.evaluation.heldout_batches))
    counted = count_text(text.train, special)
    masked = _masked(batches, HELDOUT_SEED, vocabulary)
    heldout, kept_back = np.concatenate([b.input_ids.numpy() for b in batches]), counted.kept_back
    return ReferenceLines(
        lines={
            "masked": measure_lines(
                counted, masked, _masked([_batch(kept_back, special)], _KEPT_BACK_SEED, vocabulary)
            ),
            "next": measure_lines(
                counted, next_tokens(heldout, special), next_tokens(kept_back, special)
            ),
        },
        train_tokens=counted.tokens,
        heldout_tokens=min(len(masked), MOST_PREDICTED),
        characters_per_token=characters_per_token(text.heldout.tokens, special, _decoder(text)),
        key=key,
        special=vocabulary.special,
        provenance=provenance(prepared.command, "cpu", processes(), started),
    )


def _decoder(text: StudyText) -> Callable[[NDArray[np.int64]], str]:
    """(n,) ids -> their text, as near as the tokenizer can come to what it was."""
    mark = text.vocabulary.word_mark
    # Tokens that mark what continues a word do not say where there was no space before a mark.
    loses_spaces = mark is not None and mark.marks == "continues"

    def decode(ids: NDArray[np.int64]) -> str:
        return str(
            text.tokenizer.decode(
                ids.tolist(), skip_special_tokens=True, clean_up_tokenization_spaces=loses_spaces
            )
        )

    return decode


def _masked(batches: list[Batch], seed: int, vocabulary: Vocabulary) -> HiddenTokens:
    """The tokens that masked language modelling predicts of all batches, each with its own masks."""
    made = [
        mask_tokens(batch, vocabulary, Streams(seed, number, rows=batch.rows.total))
        for number, batch in enumerate(batches)
    ]
    original, read, predicted = (
        torch.cat(parts).numpy()
        for parts in (
            [batch.input_ids for batch in batches],
            [corrupted.input_ids for corrupted in made],
            [corrupted.predicted for corrupted in made],
        )
    )
    return masked_tokens(original, read, predicted, vocabulary.mask)


def _batch(rows: NDArray[np.int64], special: NDArray[np.bool_]) -> Batch:
    """A batch of (N, T) sequences."""
    return Batch(
        input_ids=torch.from_numpy(rows),
        special=torch.from_numpy(special[rows]),
        attention=None,
        rows=Rows.alone(len(rows)),
    )
