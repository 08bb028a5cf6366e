"""Loads the tokenizer of a study: from the hub, from a folder, or trained on the corpus.

Whatever its origin, it is a tokenizer of the library `transformers`, backed by `tokenizers`, that
`save_pretrained` writes with an exported encoder and `AutoTokenizer` reads back.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from objbench.contract.encoder_spec import Vocabulary
from objbench.data.atomic_folder import built_once
from objbench.data.corpus import Corpus
from objbench.data.layout import Layout, layout_of, role_id, special_tokens
from objbench.data.literal_text import literal_copy, require_literal
from objbench.data.word_marks import word_mark
from objbench.errors import ConfigError, DataError, HubError, one_line

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

TRAIN_PREFIX = "train:"
TRAINED_LENGTH = 512
"""The longest input, in tokens, that a trained tokenizer claims for its model, as BERT's."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerHandle:
    """A tokenizer that fits a masked encoder.

    Attributes:
        name: as the user wrote it, for messages.
        fingerprint: sha256 in hex of everything that determines the token ids.
        hf: the tokenizer itself.
    """

    name: str
    fingerprint: str
    hf: PreTrainedTokenizerFast

    def vocabulary(self) -> Vocabulary:
        """The vocabulary as objectives see it; ids without a token have the token ""."""
        ids = self.hf.get_vocab()
        tokens = [""] * (max(ids.values()) + 1)
        for token, index in ids.items():
            tokens[index] = token
        layout = self.layout
        return Vocabulary(
            size=len(tokens),
            pad=layout.pad,
            cls=layout.cls,
            sep=layout.sep,
            mask=layout.mask,
            special=tuple(sorted(special_tokens(self.hf, layout).values())),
            tokens=tuple(tokens),
            word_mark=word_mark(self.hf.backend_tokenizer),
        )

    @property
    def layout(self) -> Layout:
        """Which special tokens an input has, and where; see ``layout_of``."""
        return layout_of(self.hf, self.name)

    def encoder(self) -> Tokenizer:
        """What turns text into ids, in pretraining and in every evaluation.

        It cuts and pads nothing, the text "[MASK]" gives the pieces of its characters, not the
        mask, and its template is the layout, with token type 1 for the second text of a pair.
        """
        layout = self.layout
        copy = literal_copy(self.hf.backend_tokenizer, special_tokens(self.hf, layout))
        copy.post_processor = layout.processor(self.hf, types=True)
        return copy


def load_tokenizer(spec: str, corpus: Corpus | None, cache_dir: Path | str) -> TokenizerHandle:
    """Loads or trains the tokenizer that ``--tokenizer`` names.

    Args:
        spec: "train:SIZE" (WordPiece trained on the training documents and kept in
            ``cache_dir``), a local folder, or a hub name.
        corpus: the text to train on; None where ``spec`` names a tokenizer that is there.
        cache_dir: where trained tokenizers are; made if it is missing.

    Raises:
        ConfigError: a malformed size.
        DataError: the tokenizer cannot be read, written or trained, or does not fit.
        HubError: the hub is out of reach or does not know the name.
    """
    trained = trained_folder(spec, corpus.fingerprint, cache_dir) if corpus else None
    if corpus is not None and trained is not None:
        built_once(trained, lambda made: _train_into(made, _size(spec), corpus))
        return load_from_folder(spec, trained)
    folder = Path(spec).expanduser()
    if spec and folder.is_dir():
        return load_from_folder(spec, folder)
    _require_hub_name(spec)
    return _checked(spec, _from_hub(spec))


def load_from_folder(spec: str, folder: Path) -> TokenizerHandle:
    """The tokenizer that is in ``folder``; raises as ``load_tokenizer``, which calls it ``spec``."""
    return _checked(spec, _from_folder(spec, folder))


def trained_folder(spec: str, corpus_fingerprint: str, cache_dir: Path | str) -> Path | None:
    """The folder of a tokenizer that is trained on a corpus; None for one that is not trained.

    Raises:
        ConfigError: a malformed size.
    """
    if not spec.startswith(TRAIN_PREFIX):
        return None
    from objbench.data.wordpiece_training import WORDPIECE_VERSION

    key = f"wordpiece-{_size(spec)}-v{WORDPIECE_VERSION}-sealed-{corpus_fingerprint[:24]}"
    return Path(cache_dir) / "tokenizers" / key


def require_tokenizer(spec: str) -> None:
    """Refuses a ``--tokenizer`` that is malformed, or a folder that holds none; asks no hub.

    Raises:
        ConfigError: a malformed size.
        DataError: there is no such folder, or what is in it does not fit.
    """
    if spec.startswith(TRAIN_PREFIX):
        _size(spec)
    elif spec and Path(spec).expanduser().is_dir():
        load_from_folder(spec, Path(spec).expanduser())
    else:
        _require_hub_name(spec)


def _require_hub_name(spec: str) -> None:
    if spec and Path(spec).expanduser().exists():
        raise DataError(f"tokenizer {spec} is a file: name the folder that holds tokenizer.json")
    if not spec or spec.startswith((".", "~", os.sep)) or spec.count("/") > 1:
        raise DataError(f"tokenizer {spec}: no such folder: check the path")


def _size(spec: str) -> int:
    from objbench.data.wordpiece_training import SMALLEST_VOCABULARY

    digits = spec.removeprefix(TRAIN_PREFIX)
    if not re.fullmatch(r"\d{1,7}", digits) or int(digits) < SMALLEST_VOCABULARY:
        raise ConfigError(
            f"tokenizer {spec!r} is malformed: write train:SIZE with a SIZE from "
            f"{SMALLEST_VOCABULARY} to 9,999,999, such as train:8192"
        )
    return int(digits)


def _train_into(folder: Path, size: int, corpus: Corpus) -> None:
    from transformers import BertTokenizer

    from objbench.data.wordpiece_training import wordpiece_vocabulary

    _log.info("training a WordPiece tokenizer of %d tokens on %s", size, corpus.name)
    tokens = wordpiece_vocabulary(corpus.training, size)
    tokenizer = BertTokenizer(
        vocab={token: index for index, token in enumerate(tokens)},
        do_lower_case=True,
        model_max_length=TRAINED_LENGTH,
    )
    tokenizer.save_pretrained(folder)


def _from_folder(spec: str, folder: Path) -> PreTrainedTokenizerFast:
    from transformers import AutoTokenizer

    try:
        loaded = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # a broken folder can raise anything in the loader
        raise DataError(
            f"tokenizer {spec}: {folder} holds no tokenizer that can be loaded "
            f"({one_line(error)[:200]}): name a folder that holds tokenizer.json, or write train:SIZE"
        ) from error
    return _fast(spec, loaded)


def _from_hub(name: str) -> PreTrainedTokenizerFast:
    """The tokenizer of hub model ``name``, from the local copy if the hub is out of reach."""
    from huggingface_hub import HfApi
    from transformers import AutoTokenizer

    refusal: Exception | None = None
    # Asked first, because the loader would retry for a minute without a network.
    try:
        HfApi().model_info(name, timeout=10.0)
    except Exception as error:  # noqa: BLE001 (the client's have no common ancestor)
        refusal = error
    try:
        loaded = AutoTokenizer.from_pretrained(
            name, trust_remote_code=False, local_files_only=refusal is not None
        )
    except Exception as error:  # the loader's exceptions span four libraries
        reason = one_line(refusal or error)[:300]
        raise HubError(
            f"tokenizer {name}: neither a local folder nor available from the hub ({reason}): "
            "check the name and the connection, or use a folder or train:8192"
        ) from error
    return _fast(name, loaded)


def _fast(spec: str, tokenizer: object) -> PreTrainedTokenizerFast:
    """Refuses a tokenizer that is not backed by `tokenizers`."""
    from transformers import PreTrainedTokenizerFast as Fast

    if not isinstance(tokenizer, Fast):
        raise DataError(
            f"tokenizer {spec} has no fast version: choose one with a tokenizer.json, or train:8192"
        )
    return tokenizer


def _checked(spec: str, tokenizer: PreTrainedTokenizerFast) -> TokenizerHandle:
    """Refuses a tokenizer that a masked encoder cannot use; fingerprints one that it can."""
    handle = TokenizerHandle(name=spec, fingerprint=fingerprint(tokenizer), hf=tokenizer)
    special = special_tokens(tokenizer, handle.layout)
    require_literal(handle.encoder(), special, role_id(tokenizer, "unk"), spec)
    return handle


def fingerprint(tokenizer: PreTrainedTokenizerFast) -> str:
    """Sha256 in hex of everything that determines the token ids."""
    roles = {role: role_id(tokenizer, role) for role in ("pad", "cls", "sep", "mask")}
    # Where there are none, these take their places; see ``layout``.
    for role, other in (("cls", "bos"), ("sep", "eos")):
        if roles[role] is None:
            roles[other] = role_id(tokenizer, other)
    text = _plain_copy(tokenizer.backend_tokenizer).to_str() + repr(sorted(roles.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain_copy(backend: Tokenizer) -> Tokenizer:
    from tokenizers import Tokenizer as Backend

    copy = Backend.from_str(backend.to_str())
    # Both are left over from the last call or from training; they do not define the tokenizer.
    copy.no_truncation()
    copy.no_padding()
    return copy
