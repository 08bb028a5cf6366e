"""Text that spells a special token stays text, whatever the tokenizer's model."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from objbench.data.literal_text import literal_copy, require_literal
from objbench.errors import DataError

SPECIAL = ["<unk>", "<s>", "</s>", "<mask>", "[MASK]"]
IDS = {token: index for index, token in enumerate(SPECIAL)}
PLAIN = ["a", "b", "ab", "<", "s", ">", "/", "▁", "▁a", "Ġa"]
VOCABULARY = {piece: index for index, piece in enumerate([*SPECIAL, *PLAIN])}


def wordpiece():
    made = Tokenizer(models.WordPiece(VOCABULARY, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


def wordpiece_of_lower_case():
    made = wordpiece()
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    return made


def word_level():
    made = Tokenizer(models.WordLevel(VOCABULARY, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


def unigram():
    # As SentencePiece does: special pieces have the score 0, the best.
    scores = [(piece, 0.0 if index < len(SPECIAL) else -2.0) for piece, index in VOCABULARY.items()]
    made = Tokenizer(models.Unigram(scores, unk_id=0))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    return made


def merging():
    """Whose merges make a special token."""
    pieces = {**VOCABULARY, "<s": len(VOCABULARY)}
    merges = [("<", "s"), ("<s", ">"), ("a", "b")]
    made = Tokenizer(models.BPE(pieces, merges, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


def whole_words():
    made = Tokenizer(models.BPE(VOCABULARY, [("a", "b")], unk_token="<unk>", ignore_merges=True))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


def byte_level():
    made = Tokenizer(models.BPE(VOCABULARY, [("a", "b")], ignore_merges=True, dropout=0.9))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return made


KINDS = [
    wordpiece,
    wordpiece_of_lower_case,
    word_level,
    unigram,
    merging,
    whole_words,
    byte_level,
]


@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("make", KINDS)
def test_what_spells_a_special_token_is_text(make, added):
    backend = make()
    if added:
        backend.add_special_tokens([AddedToken(token) for token in SPECIAL])
    copy = literal_copy(backend, SPECIAL)
    for token in SPECIAL:
        for text in (token, f"a {token} b", f"a{token}b", token.lower(), token * 3):
            made = copy.encode(text, add_special_tokens=False).ids
            assert not {*made} & {*range(1, len(SPECIAL))}, text
            assert made == copy.encode(text, add_special_tokens=False).ids
    require_literal(copy, IDS, 0, "t")


@pytest.mark.parametrize("make", KINDS)
def test_other_text_has_the_ids_that_it_had(make):
    backend = make()
    if make is byte_level:
        # It drops merges at random, which no copy does.
        backend.model.dropout = None
    copy = literal_copy(backend, SPECIAL)
    for text in ("a", "ab a b", "s a/b", "c ab"):
        expected = backend.encode(text, add_special_tokens=False)
        found = copy.encode(text, add_special_tokens=False)
        assert (found.ids, found.word_ids) == (expected.ids, expected.word_ids)


def test_tokens_that_are_added_behind_the_model_keep_their_ids():
    backend = word_level()
    backend.add_special_tokens(["<x>"])
    backend.add_tokens(["two words"])
    backend.add_special_tokens(["<y>"])
    backend.add_tokens(["and three words"])
    expected = backend.encode("a two words b and three words").ids
    copy = literal_copy(backend, [*SPECIAL, "<x>", "<y>"])
    assert copy.encode("a two words b and three words").ids == expected
    assert {len(VOCABULARY) + 1, len(VOCABULARY) + 3} <= {*expected}
    assert copy.encode("<x> <y>").ids == [0, 0]


def test_a_tokenizer_that_fails_on_text_is_refused():
    backend = Tokenizer(models.WordLevel({"a": 0, "<s>": 1}, unk_token="<unk>"))
    with pytest.raises(DataError, match=r"it cannot read '<s>'.*token for unknown text") as refused:
        require_literal(literal_copy(backend, ["<s>"]), {"<s>": 1}, None, "t")
    assert "\n" not in str(refused.value)


def test_a_tokenizer_that_makes_special_tokens_of_text_is_refused():
    with pytest.raises(DataError, match="the text '<s>' becomes its special token <s>"):
        require_literal(word_level(), {"<s>": 1}, 0, "t")
