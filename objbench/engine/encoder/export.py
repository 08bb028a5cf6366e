"""Exporting an encoder as an ordinary Hugging Face folder, completely or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

from objbench.contract.objective import Objective
from objbench.engine.encoder.exported_tokenizer import save_tokenizer
from objbench.engine.encoder.token_head import save_token_head
from objbench.results.atomic_files import whole_folder
from objbench.results.sealed_folder import seal


def export_encoder(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    objective: Objective | None = None,
) -> str:
    """Write what ``AutoModel`` and ``AutoTokenizer.from_pretrained(folder)`` load.

    The folder appears under its name only when it is complete; an existing one, left by a killed
    run, is replaced.

    Args:
        encoder: its weights are written as safetensors.
        tokenizer: what of it depends on the encoder is set; see ``exported_tokenizer``.
        folder: for the encoder alone; its parents are made.
        objective: its token head, if it has one, is written into the same folder.

    Returns:
        The digest of the folder, as ``results.sealed_folder.seal`` makes it.
    """
    with whole_folder(folder) as unfinished, _no_progress_bars():
        encoder.save_pretrained(unfinished)
        save_tokenizer(tokenizer, encoder, unfinished)
        if objective is not None:
            save_token_head(objective, unfinished)
        return seal(unfinished)


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
