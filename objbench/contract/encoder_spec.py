"""The properties of encoder and tokenizer from which an objective builds its heads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

CONTINUES = "##"
"""What a WordPiece that continues a word begins with."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The vocabulary of the tokenizer.

    Attributes:
        size: number of tokens.
        pad, cls, sep, mask: ids of the special tokens.
        special: ids of all special tokens, including these four.
        tokens: the token strings by id, for objectives that use word pieces.
    """

    size: int
    pad: int
    cls: int
    sep: int
    mask: int
    special: tuple[int, ...]
    tokens: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """The properties of the encoder from which an objective builds its heads.

    Attributes:
        width: D, the width of the last hidden state.
        embedding_width: E, the width of the word embeddings.
        activation: name of the encoder's activation function, as in transformers' ``ACT2FN``.
        norm_epsilon: epsilon of the encoder's layer normalisation.
        initializer_range: standard deviation of the encoder's initial weights.
        vocabulary: the vocabulary of the tokenizer.
        encoder_config: the Hugging Face encoder configuration as a dictionary.
    """

    width: int
    embedding_width: int
    activation: str
    norm_epsilon: float
    initializer_range: float
    vocabulary: Vocabulary
    encoder_config: dict[str, Any]
