"""The mark of words, of tokenizers of every kind, each really trained on the same text."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from objbench.blocks.whole_words import Words, piece_tables
from objbench.contract.encoder_spec import Vocabulary, WordMark
from objbench.data.word_marks import word_mark

TEXT = "the cat sat on the mat and the dogs ran to the catty matters of running doggedly"
EXTRA = ["[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]"]
BYTES = pre_tokenizers.ByteLevel.alphabet()


def _wordpiece(prefix="##"):
    made = Tokenizer(models.WordPiece(unk_token="[UNK]", continuing_subword_prefix=prefix))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made, trainers.WordPieceTrainer(
        vocab_size=60, special_tokens=EXTRA, continuing_subword_prefix=prefix
    )


def _suffixes():
    made = Tokenizer(models.BPE(unk_token="[UNK]", end_of_word_suffix="</w>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    # One stray "##" token, which is no evidence of WordPiece.
    return made, trainers.BpeTrainer(
        vocab_size=60, special_tokens=[*EXTRA, "##s"], end_of_word_suffix="</w>"
    )


def _byte_level(before=()):
    made = Tokenizer(models.BPE())
    steps = [*before, pre_tokenizers.ByteLevel(add_prefix_space=True)]
    made.pre_tokenizer = pre_tokenizers.Sequence(steps) if before else steps[0]
    return made, trainers.BpeTrainer(
        vocab_size=300, special_tokens=[*EXTRA, "####"], initial_alphabet=BYTES
    )


def _unigram():
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    return made, trainers.UnigramTrainer(vocab_size=40, special_tokens=EXTRA, unk_token="[UNK]")


def _llama():
    made = Tokenizer(models.BPE(unk_token="[UNK]"))
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    made.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    made.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.Fuse()])
    return made, trainers.BpeTrainer(vocab_size=60, special_tokens=EXTRA)


KINDS = {
    "WordPiece": (_wordpiece, WordMark("continues", "##")),
    "WordPiece with a mark of its own": (lambda: _wordpiece("@@"), WordMark("continues", "@@")),
    "BPE with suffixes": (_suffixes, WordMark("ends", "</w>")),
    "byte-level BPE": (_byte_level, WordMark("begins", "\u0120")),
    "byte-level after digits": (
        lambda: _byte_level([pre_tokenizers.Digits()]),
        WordMark("begins", "\u0120"),
    ),
    "Unigram": (_unigram, WordMark("begins", "\u2581")),
    "BPE with a replacing normalizer": (_llama, WordMark("begins", "\u2581")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokenizer_says_its_mark_and_its_words_are_those_of_the_text(kind):
    make, expected = KINDS[kind]
    backend, trainer = make()
    backend.train_from_iterator([TEXT] * 3, trainer)
    assert word_mark(backend) == expected
    ids = backend.get_vocab()
    tokens = tuple(sorted(ids, key=ids.__getitem__))
    vocabulary = Vocabulary(len(tokens), 0, 1, 2, 3, (0, 1, 2, 3, 4), tokens, expected)
    tables = piece_tables(vocabulary, "wwm")
    row = torch.tensor([[1, *backend.encode(TEXT, add_special_tokens=False).ids, 2]])
    words = Words.of(row, row < len(EXTRA), tables.continues, tables.ends)
    assert int(words.starts.sum()) == len(TEXT.split())
    assert int(words.sizes.max()) > 1
    # Each word begins with the first letter of a word of the text.
    first = [tokens[i].lstrip("\u0120\u2581")[:1] for i in row[words.starts].tolist()]
    assert first == [word[0] for word in TEXT.split()] or kind == "Unigram"


def test_word_level_tokens_are_words():
    backend = Tokenizer(models.WordLevel({"[UNK]": 0, "##a": 1}, unk_token="[UNK]"))
    assert word_mark(backend) == WordMark("whole")


def test_a_tokenizer_that_marks_nothing_says_so():
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    assert word_mark(backend) is None
