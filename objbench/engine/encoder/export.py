"""Exporting an encoder as an ordinary Hugging Face folder, completely or not at all.

Where transformers has a language model of the architecture that computes what the encoder computes
under its trained token head, the export is that model; otherwise it is the encoder alone, with the
head beside it. `sentence-transformers` loads either with mean pooling. Its README.md says which, why,
and how it is loaded.
"""

from __future__ import annotations

import logging as standard_logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

from objbench.contract.objective import Objective
from objbench.engine.encoder.export_check import difference
from objbench.engine.encoder.export_readme import export_readme
from objbench.engine.encoder.exported_tokenizer import save_tokenizer
from objbench.engine.encoder.language_model import NoLanguageModelError, language_model
from objbench.engine.encoder.plain_weights import with_plain_weights
from objbench.engine.encoder.sentence_layout import save_sentence_layout
from objbench.engine.encoder.token_head import save_token_head
from objbench.results.atomic_files import whole_folder
from objbench.results.sealed_folder import seal

_log = standard_logging.getLogger(__name__)


def export_encoder(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    objective: Objective | None = None,
    *,
    with_readme: bool = True,
) -> str:
    """Write what ``AutoModel`` and ``AutoTokenizer.from_pretrained(folder)`` load.

    The folder appears under its name only when it is complete; an existing one, left by a killed
    run, is replaced.

    Args:
        encoder: its weights are written as safetensors, parametrised ones as their values.
        tokenizer: what of it depends on the encoder is set; see ``exported_tokenizer``.
        folder: for the encoder alone; its parents are made.
        objective: its token head, if it has one, is written into the same folder.
        with_readme: whether with a README that names the objective; without it the folder depends
            on weights and tokenizer alone.

    Returns:
        The digest of the folder, as ``results.sealed_folder.seal`` makes it.
    """
    encoder = with_plain_weights(encoder)
    with whole_folder(folder) as unfinished, _no_progress_bars():
        if objective is None:
            encoder.save_pretrained(unfinished)
        else:
            reason = _save(encoder, objective, unfinished)
            if with_readme:
                text = export_readme(encoder, objective, reason)
                (unfinished / "README.md").write_text(text, encoding="utf-8")
        save_tokenizer(tokenizer, encoder, unfinished)
        return seal(unfinished)


def _save(encoder: PreTrainedModel, objective: Objective, folder: Path) -> str:
    """Write the weights and the token head into the empty ``folder``.

    Returns:
        Why it is not a language model of transformers; "" where it is one.
    """
    reason = _save_language_model(encoder, objective, folder)
    if reason:
        _log.info("the encoder of %s is exported without its head: %s", objective.name, reason)
        encoder.save_pretrained(folder)
        save_token_head(objective, folder)
    save_sentence_layout(encoder, folder)
    return reason


def _save_language_model(encoder: PreTrainedModel, objective: Objective, folder: Path) -> str:
    """Write the encoder with its head; or nothing, and return why transformers cannot have it so."""
    try:
        made = language_model(encoder, objective)
    except NoLanguageModelError as error:
        return str(error)
    made.model.save_pretrained(folder)
    save_token_head(objective, folder, made.places)
    reason = difference(folder, objective.encoder_spec.vocabulary)
    if not reason:
        return ""
    for path in folder.iterdir():
        path.unlink()
    return f"{type(made.model).__name__} does not fit: {reason}"


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
