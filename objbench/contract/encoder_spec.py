"""The properties of encoder and tokenizer from which an objective builds its heads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

CONTINUES = "##"
"""What BERT's WordPieces that continue a word begin with."""


@dataclass(frozen=True, slots=True)
class WordMark:
    """How the tokens of a vocabulary show where words are.

    Attributes:
        marks: which pieces carry ``text``: those that continue a word begin with it
            (WordPiece), those that begin a word begin with it (byte-level BPE, SentencePiece), or
            those that end a word end with it (BPE with "</w>"). "whole": every token is a word.
        text: the mark; "" for "whole".
    """

    marks: Literal["continues", "begins", "ends", "whole"]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The vocabulary of the tokenizer.

    Attributes:
        size: number of tokens.
        pad, cls, sep, mask: ids of the special tokens.
        special: ids of all special tokens, including these four.
        tokens: the token strings by id, for objectives that use word pieces.
        word_mark: how these show words; None if the tokenizer does not define it.
    """

    size: int
    pad: int
    cls: int
    sep: int
    mask: int
    special: tuple[int, ...]
    tokens: tuple[str, ...] = field(repr=False)
    word_mark: WordMark | None = WordMark("continues", CONTINUES)


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
