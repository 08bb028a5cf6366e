"""Trains a BERT-style WordPiece vocabulary, deterministically.

The trainer of `tokenizers` numbers the continuing characters ("##a") in the order of a hash map
with a random key, breaks ties between equally frequent pairs by those numbers, and picks a limited
alphabet by hash order if counts tie. So both are determined here first and passed in sorted: the
alphabet as the initial alphabet, and the continuing characters as "special" tokens, which the
trainer numbers first. In the result they are ordinary word pieces again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from objbench.contract.encoder_spec import CONTINUES
from objbench.errors import DataError

WORDPIECE_VERSION = 1
"""Part of the name of every cached tokenizer: raised whenever training changes."""

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LARGEST_ALPHABET = 1000
SMALLEST_VOCABULARY = 64
LEAST_COUNT = 2
"""A word piece that occurs once in a corpus teaches nothing."""


def wordpiece_vocabulary(documents: Callable[[], Iterator[str]], size: int) -> list[str]:
    """The tokens of a lowercase WordPiece vocabulary, by id.

    In order: the special tokens, the alphabet, the alphabet's continuing forms, and the merged
    pieces as they were found. A small corpus gives fewer tokens than requested.

    Args:
        documents: yields the training documents at each call; called twice.
        size: the largest number of tokens, at least SMALLEST_VOCABULARY.

    Raises:
        DataError: the documents hold no words.
    """
    words = _raw_words(documents())
    alphabet = _alphabet(words, min(LARGEST_ALPHABET, size // 4))
    if not alphabet:
        raise DataError("no tokenizer can be trained: the training documents hold no words")
    # Without room for merges the result is the characters, as the library splits them.
    characters = _train(words, len(SPECIAL), SPECIAL, alphabet)
    continuing = sorted(c for c in characters if len(c) == 3 and c.startswith(CONTINUES))
    found = _train(documents(), size, (*SPECIAL, *continuing), alphabet)
    settled = {*SPECIAL, *alphabet, *continuing}
    merged = [token for token in found if token not in settled]
    return [*SPECIAL, *alphabet, *continuing, *merged]


def _raw_words(documents: Iterable[str]) -> Counter[str]:
    """How often each run of characters without a space or line break occurs."""
    words: Counter[str] = Counter()
    for document in documents:
        # Not split(): other white space of Python's may be deleted by the normaliser.
        words.update(document.replace("\n", " ").split(" "))
    return words


def _alphabet(words: Counter[str], limit: int) -> list[str]:
    """The ``limit`` most frequent normalised characters, sorted."""
    raw: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            raw[character] += count
    normalizer = normalizers.BertNormalizer(lowercase=True)
    counts: Counter[str] = Counter()
    for character, count in raw.items():
        for normal in normalizer.normalize_str(character):
            if not normal.isspace():
                counts[normal] += count
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    return sorted(ranked[:limit])


def _train(
    texts: Iterable[str], size: int, first: tuple[str, ...], alphabet: list[str]
) -> list[str]:
    """One run of the trainer: its vocabulary by id, starting with ``first``."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=LEAST_COUNT,
        special_tokens=list(first),
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        continuing_subword_prefix=CONTINUES,
        show_progress=False,
    )
    tokenizer.train_from_iterator(iter(texts), trainer)
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)
