"""How a tokenizer marks its words, asked from its own definition.

The tokens themselves are no evidence: a byte-level vocabulary holds "####", a rule under a Markdown
heading, and one of "</w>" suffixes may hold a stray "##". What splits words into pieces, and with
what mark, is written in the tokenizer's model, pre-tokenizer, normalizer and decoder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from objbench.contract.encoder_spec import WordMark

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BYTE_SPACE = "\u0120"
"""How byte-level models write the space before a word: "G" with a dot."""

LOW_LINE = "\u2581"
"""How SentencePiece writes it, unless the tokenizer says otherwise."""


def word_mark(backend: Tokenizer) -> WordMark | None:
    """The mark by which the tokens of ``backend`` show words; None if it defines none.

    - WordPiece, and BPE with a ``continuing_subword_prefix``: the prefix, at pieces that go on;
    - BPE with an ``end_of_word_suffix`` (GPT, CLIP): the suffix, at pieces that end a word;
    - byte-level models: the space, at pieces that begin a word;
    - Metaspace, or a normalizer that replaces spaces, as in SentencePiece: its replacement, there;
    - WordLevel: every token is a word.
    """
    parts = json.loads(backend.to_str())
    model = parts["model"]
    kind = model.get("type", "")
    if kind == "WordLevel":
        return WordMark("whole")
    if prefix := model.get("continuing_subword_prefix"):
        return WordMark("continues", prefix)
    if suffix := model.get("end_of_word_suffix"):
        return WordMark("ends", suffix)
    steps = [
        step
        for place in ("pre_tokenizer", "normalizer", "decoder")
        for step in _steps(parts.get(place))
    ]
    if any(step["type"] == "ByteLevel" for step in steps):
        return WordMark("begins", BYTE_SPACE)
    for step in steps:
        if step["type"] == "Metaspace":
            return WordMark("begins", step.get("replacement", LOW_LINE))
        if step["type"] == "Replace" and step.get("pattern") == {"String": " "}:
            return WordMark("begins", step["content"])
    return WordMark("begins", LOW_LINE) if kind == "Unigram" else None


def _steps(part: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """The steps of a part of a tokenizer, with those of sequences in their place."""
    if part is None:
        return
    if part["type"] != "Sequence":
        yield part
    for name in ("pretokenizers", "normalizers", "decoders"):
        for step in part.get(name, ()):
            yield from _steps(step)
