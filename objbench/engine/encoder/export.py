"""Exporting an encoder as an ordinary Hugging Face folder, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from objbench.contract.objective import Objective
from objbench.engine.encoder.token_head import save_token_head


def export_encoder(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    objective: Objective | None = None,
) -> None:
    """Write what ``AutoModel`` and ``AutoTokenizer.from_pretrained(folder)`` load.

    The folder appears under its name only when it is complete; one that is there already, left
    by a run that was killed, is replaced.

    Args:
        encoder: its weights are written as safetensors.
        folder: for the encoder alone; its parents are made.
        objective: its token head, if it has one, is written beside the encoder.
    """
    with whole_folder(folder) as unfinished, _no_progress_bars():
        encoder.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        if objective is not None:
            save_token_head(objective, unfinished)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside ``folder`` that is synced and renamed to it if the block succeeds."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield unfinished
        # mkdtemp makes folders private; an export is as readable as any other.
        unfinished.chmod(0o755)
        for path in [*unfinished.rglob("*"), unfinished]:
            _sync(path)
        remove_folder(folder)
        unfinished.replace(folder)
        _sync(folder.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Hide the bar that transformers draws for every file it writes."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def remove_folder(folder: Path) -> None:
    """Remove ``folder`` if it is there; it is gone in one instant, never in parts."""
    if folder.exists():
        grave = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        folder.replace(grave / "gone")
        shutil.rmtree(grave, ignore_errors=True)


def remove_unfinished(parent: Path) -> None:
    """Remove the ``step-<n>`` that killed runs left half written or half removed in ``parent``."""
    for path in parent.glob(".step-*"):
        shutil.rmtree(path, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
