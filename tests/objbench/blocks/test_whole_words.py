"""Whole words: where they begin by each tokenizer's mark, and that they are chosen whole."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.blocks.masking import prediction_count, select_positions, slot_count
from objbench.blocks.whole_words import (
    Words,
    filled_up,
    first_columns,
    last_columns,
    piece_tables,
    ranks,
    select_words,
)
from objbench.contract.encoder_spec import Vocabulary, WordMark
from objbench.contract.random_streams import Streams
from objbench.errors import ConfigError

SPECIAL, BEGIN, GO_ON = 0, 1, 2
CONTINUES = torch.tensor([False, False, True])


def vocabulary(*tokens, mark=("continues", "##")):
    shown = None if mark is None else WordMark(*mark)
    return Vocabulary(len(tokens), 0, 1, 2, 3, (0, 1, 2, 3), tokens, shown)


def words_of(*rows):
    """Rows as strings: "|" a special token, "w" a piece that begins, "-" one that goes on."""
    ids = torch.tensor([["|w-".index(piece) for piece in row] for row in rows])
    return Words.of(ids, ids == SPECIAL, CONTINUES, torch.zeros(3, dtype=torch.bool))


def looped(row):
    """The words of a row as lists of columns, read from left to right."""
    found = []
    for column, piece in enumerate(row):
        if piece == "|":
            continue
        if piece == "-" and column > 0 and row[column - 1] != "|":
            found[-1].append(column)
        else:
            found.append([column])
    return found


def chosen_in(words, rate, streams, slots=None):
    slots = slot_count(rate, words.starts.shape[1]) if slots is None else slots
    wanted = prediction_count(words.maskable, rate, slots, streams)
    return select_words(words, rate, wanted, streams), wanted


texts = st.text(alphabet="www--|", min_size=1, max_size=30)


# -- marks


def test_wordpieces_that_go_on_are_marked():
    tokens = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "un", "##like", "##ly", "#", "##")
    assert piece_tables(vocabulary(*tokens), "x").continues.nonzero().flatten().tolist() == [5, 6]


@pytest.mark.parametrize("mark", ["\u0120", "\u2581"])
def test_pieces_that_begin_a_word_are_marked_and_what_is_not_goes_on(mark):
    tokens = ("<s>", "</s>", "<pad>", "<mask>", f"{mark}un", "like", f"{mark}ly", ",", mark)
    tables = piece_tables(vocabulary(*tokens, mark=("begins", mark)), "x")
    assert not tables.ends.any()
    assert tables.continues[4:].tolist() == [False, True, False, True, False]


def test_pieces_that_end_a_word_end_it_whatever_else_the_vocabulary_holds():
    tokens = ("<s>", "</s>", "<pad>", "<mask>", "un", "like</w>", "a</w>", "</w>", "##b")
    tables = piece_tables(vocabulary(*tokens, mark=("ends", "</w>")), "x")
    assert tables.ends[4:].tolist() == [False, True, True, True, False]
    ids = torch.tensor([[0, 4, 5, 6, 4, 8, 7, 4, 1, 4, 6]])
    words = Words.of(ids, ids < 2, tables.continues, tables.ends)
    # un-like, a, un-b-, un | un-a
    assert words.starts[0].nonzero().flatten().tolist() == [1, 3, 4, 7, 9]
    assert words.sizes[0][words.starts[0]].tolist() == [2, 1, 3, 1, 2]


def test_the_mark_is_the_one_that_the_tokenizer_names_whatever_its_tokens_look_like():
    tokens = ("<s>", "</s>", "<pad>", "<mask>", "####", "##a", "##b", "\u0120c", "d")
    tables = piece_tables(vocabulary(*tokens, mark=("begins", "\u0120")), "x")
    assert tables.continues[4:].tolist() == [True, True, True, False, True]


def test_where_every_token_is_a_word_nothing_goes_on():
    tables = piece_tables(vocabulary("[PAD]", "##a", "b</w>", "c", mark=("whole",)), "x")
    assert not tables.continues.any()
    assert not tables.ends.any()


@pytest.mark.parametrize(
    "mark", [("continues", "##"), ("begins", "\u2581"), ("ends", "</w>"), None]
)
def test_a_vocabulary_without_marks_is_refused_in_one_line(mark):
    words = vocabulary("[PAD]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##", mark=mark)
    with pytest.raises(
        ConfigError, match=r"^wwm predicts whole words, .*, such as train:8192$"
    ) as e:
        piece_tables(words, "wwm")
    assert "\n" not in str(e.value)


# -- where words lie


@settings(deadline=None, max_examples=80)
@given(text=texts)
def test_words_are_those_that_a_loop_finds(text):
    words, expected = words_of(text), looped(text)
    assert words.starts[0].nonzero().flatten().tolist() == [word[0] for word in expected]
    for word in expected:
        assert words.first[0, word].tolist() == [word[0]] * len(word)
        assert words.sizes[0, word].tolist() == [len(word), *[0] * (len(word) - 1)]
    assert words.sizes.sum() == words.maskable.sum() == sum(map(len, expected))


def test_a_word_cut_off_by_the_border_or_by_a_special_token_begins_there():
    words = words_of("|--w-|-w|")
    assert words.starts[0].nonzero().flatten().tolist() == [1, 3, 6, 7]
    assert words_of("--w").starts[0].tolist() == [True, False, True]


def test_first_and_last_columns():
    flags = torch.tensor([[False, True, False, False, True, False]])
    assert first_columns(flags).tolist() == [[0, 1, 1, 1, 4, 4]]
    assert last_columns(flags).tolist() == [[1, 1, 4, 4, 4, 5]]


def test_ranks_count_from_the_highest_score():
    assert ranks(torch.tensor([[0.2, 0.9, 0.5], [3.0, 2.0, 1.0]])).tolist() == [
        [2, 0, 1],
        [0, 1, 2],
    ]


# -- choosing


@settings(deadline=None, max_examples=120)
@given(texts=st.lists(texts, min_size=1, max_size=4), rate=st.floats(0.02, 1), seed=st.integers(0))
def test_words_are_chosen_whole_and_no_more_tokens_than_wanted(texts, rate, seed):
    width = max(map(len, texts))
    texts = [text.ljust(width, "|") for text in texts]
    words = words_of(*texts)
    chosen, wanted = chosen_in(words, rate, Streams(seed, rows=len(texts)))
    for row, text in enumerate(texts):
        taken = set(chosen[row].nonzero().flatten().tolist())
        found = looped(text)
        assert taken <= {column for word in found for column in word}
        assert all(taken >= set(word) or not taken & set(word) for word in found)
        assert len(taken) <= wanted[row] <= slot_count(rate, width)
        left = [word for word in found if len(word) == 1 and not taken & set(word)]
        # Fewer than wanted only where there is no word of one token left.
        assert len(taken) == wanted[row] or not left


def in_loops(text, rate, wanted, streams):
    """``select_words`` of one sequence, word by word, with the same numbers."""
    scores = streams.uniform("mask", len(text))[0]
    phase = streams.uniform("mask.phase")[0]
    words, chosen = looped(text), []
    long = [word for word in words if len(word) > 1]
    long.sort(key=lambda word: (len(word), scores[word[0]]), reverse=True)
    budget = int(wanted[0])
    for number, word in enumerate(long):
        taken = torch.floor((number + 1) * rate + phase) > torch.floor(number * rate + phase)
        if taken and len(word) <= int(wanted[0]):
            budget -= len(word)
            chosen += word if budget >= 0 else []
    single = [word[0] for word in words if len(word) == 1]
    single.sort(key=lambda column: scores[column], reverse=True)
    return sorted(chosen + single[: int(wanted[0]) - len(chosen)])


@settings(deadline=None, max_examples=120)
@given(text=texts, rate=st.floats(0.02, 1), seed=st.integers(0))
def test_the_tokens_are_those_that_loops_choose(text, rate, seed):
    chosen, wanted = chosen_in(words_of(text), rate, Streams(seed, rows=1))
    expected = in_loops(text, rate, wanted, Streams(seed, rows=1))
    assert chosen[0].nonzero().flatten().tolist() == expected


def test_every_token_is_as_likely_as_any_other_whatever_the_size_of_its_word():
    text = "|" + "w" * 30 + "w-" * 8 + "w--" * 3 + "w---" * 2 + "w-----" + "w" * 10
    draws = 6000
    words = words_of(*[text] * draws)
    chosen, wanted = chosen_in(words, 0.15, Streams(0, rows=draws))
    assert torch.equal(chosen.sum(dim=1), wanted)
    share = chosen.float().mean(dim=0)
    assert share[0] == 0
    # Five standard deviations of a share of 0.15: 5 * sqrt(.15 * .85 / 6000) = 0.023.
    assert torch.allclose(share[1:], torch.full((len(text) - 1,), 0.15), atol=0.023)
    assert share[1:].mean().item() == pytest.approx(0.15, abs=0.0005)


def test_without_split_words_the_tokens_are_those_that_token_masking_chooses():
    words = words_of(*["|" + "w" * 60] * 50)
    chosen, _ = chosen_in(words, 0.15, Streams(4, rows=50))
    positions, used = select_positions(words.maskable, 0.15, Streams(4, rows=50))
    expected = torch.zeros_like(chosen, dtype=torch.int64).scatter_add(1, positions, used.long())
    assert torch.equal(chosen, expected.bool())


def test_a_word_longer_than_the_number_wanted_is_left_out_and_others_are_not():
    words = words_of(*["|" + "w" + "-" * 19 + "w-" * 4 + "w" * 12] * 400)
    chosen, wanted = chosen_in(words, 0.15, Streams(0, rows=400))
    assert wanted.max() < 20 and not chosen[:, 1:21].any()
    assert torch.equal(chosen.sum(dim=1), wanted)
    assert chosen[:, 21:29].any(dim=1).float().mean() > 0.4  # 0.48 without it: 1 - .85 ** 4


def test_without_words_of_one_token_the_share_falls_little_below_the_rate():
    words = words_of(*["|" + "w-" * 17 + "w--" * 14] * 2000)
    chosen, wanted = chosen_in(words, 0.15, Streams(0, rows=2000))
    assert 0.135 < (chosen.sum() / words.maskable.sum()).item() < 0.149
    assert wanted.sum() / words.maskable.sum() > 0.149


def test_everything_can_be_chosen():
    words = words_of("|w-ww--|-w", "||||||||||")
    chosen, _ = chosen_in(words, 1.0, Streams(0, rows=2))
    assert torch.equal(chosen, words.maskable)


def test_filling_up_takes_words_of_one_token_with_the_highest_scores():
    words = words_of("|ww-www")
    scores = torch.tensor([[0.9, 0.1, 0.9, 0.9, 0.5, 0.4, 0.3]])
    chosen = torch.tensor([[False, False, True, True, False, False, False]])
    filled = filled_up(words, chosen, torch.tensor([4]), scores)
    assert filled[0].nonzero().flatten().tolist() == [2, 3, 4, 5]
    assert torch.equal(filled_up(words, chosen, torch.tensor([2]), scores), chosen)


def test_two_processes_choose_as_one():
    texts = ["|" + "w-w" * 8, "|" + "ww-" * 8, "|" + "w" * 24, "|" + "w--" * 8]
    whole, _ = chosen_in(words_of(*texts), 0.3, Streams(2, rows=4))
    for first in (0, 2):
        streams = Streams(2, rows=4, first=first, count=2)
        part, _ = chosen_in(words_of(*texts[first : first + 2]), 0.3, streams)
        assert torch.equal(part, whole[first : first + 2])
