"""A tokenizer to which text is text: no spelling of a special token ever becomes that token.

Whoever writes "[MASK]" or "</s>" in a document or in a task's sentence means these characters. A
tokenizer may turn them into the special token in two places: its list of added tokens, which it
looks for before anything else, and its model, if that holds the token as an ordinary piece
(Unigram, WordLevel, some BPE). So in a copy of it the special tokens have names, in both places,
that no text spells; their ids remain what they are.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from tokenizers import Tokenizer

from objbench.errors import DataError, one_line

_UNSPELLED = "\ufdd0" * 120
"""How their new names begin: a code point that is no character, repeated so often that the longest
word of WordPiece, 100 characters, is shorter."""


def literal_copy(backend: Tokenizer, special: Collection[str]) -> Tokenizer:
    """A copy of ``backend`` that reads the names ``special`` as any other text.

    It cuts and pads nothing, and drops no merge at random (BPE's "dropout").

    Args:
        backend: a tokenizer of any model.
        special: the special tokens, as they are spelled.
    """
    parts = json.loads(backend.to_str())
    names = {name: f"{_UNSPELLED}{number}" for number, name in enumerate(sorted(special))}
    # Left over from the last call or from training; they do not define the tokenizer.
    parts["truncation"] = parts["padding"] = None
    for token in parts["added_tokens"]:
        if token["content"] in names:
            token |= {"content": names[token["content"]], "normalized": False, "special": True}
    _rename(parts["model"], names)
    return Tokenizer.from_str(json.dumps(parts))


def require_literal(
    copy: Tokenizer, special: Mapping[str, int], unknown: int | None, name: str
) -> None:
    """Refuse a tokenizer that still turns text into a special token, or that fails on text.

    Args:
        copy: as ``literal_copy`` made it.
        special: the special tokens, as they are spelled, and their ids.
        unknown: the one of them that stands for unknown text.
        name: of the tokenizer, for messages.

    Raises:
        DataError: it does.
    """
    refused = f"tokenizer {name} does not fit: "
    for spelled in special:
        for text in (spelled, f"a {spelled} b", f"a{spelled}b"):
            try:
                ids = copy.encode(text, add_special_tokens=False).ids
            except Exception as error:  # tokenizers raises nothing narrower
                raise DataError(
                    f"{refused}it cannot read {text!r} ({one_line(error)[:120]}); use one that "
                    "has a token for unknown text"
                ) from error
            if made := {*ids} & {*special.values()} - {unknown}:
                token = next(name for name, index in special.items() if index in made)
                raise DataError(
                    f"{refused}the text {text!r} becomes its special token {token}; choose one "
                    "that reads text as text"
                )


def _rename(model: dict[str, Any], names: Mapping[str, str]) -> None:
    """Give the pieces of a tokenizer's model other names, in place."""
    vocabulary = model["vocab"]
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(piece, piece): index for piece, index in vocabulary.items()}
    else:
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocabulary]
    if model.get("unk_token") is not None:
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    if "merges" in model:
        model["merges"] = [merge for merge in model["merges"] if not _makes(merge, names)]
    if "dropout" in model:
        model["dropout"] = None


def _makes(merge: str | list[str], names: Mapping[str, str]) -> bool:
    """Whether a merge of BPE is of, or into, one of ``names``."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left in names or right in names or left + right in names
