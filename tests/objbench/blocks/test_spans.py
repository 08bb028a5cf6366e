"""Spans: geometric lengths in words, whole words, as many tokens as wanted, every place alike."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.blocks.masking import prediction_count, slot_count
from objbench.blocks.spans import Runs, length_thresholds, select_spans, spans
from objbench.blocks.whole_words import Words
from objbench.contract.random_streams import Streams

CONTINUES = torch.tensor([False, False, True])
SPANBERT = length_thresholds(0.2, 10)


def words_of(*rows):
    """Rows as strings: "|" a special token, "w" a piece that begins, "-" one that goes on."""
    ids = torch.tensor([["|w-".index(piece) for piece in row] for row in rows])
    return Words.of(ids, ids == 0, CONTINUES, torch.zeros(len(CONTINUES), dtype=torch.bool))


def chosen_in(words, rate, streams, thresholds=SPANBERT):
    slots = slot_count(rate, words.starts.shape[1])
    wanted = prediction_count(words.maskable, rate, slots, streams)
    return select_spans(words, thresholds, wanted, streams), wanted


def in_loops(words, thresholds, wanted, streams):
    """``select_spans`` of one sequence, span by span and word by word, with the same numbers."""
    width = words.starts.shape[1]
    lots = streams.uniform("span.length", width)[0].tolist()
    phase = streams.uniform("span.phase")[0].item()
    order = streams.uniform("span", width)[0].tolist()
    fill = streams.uniform("span.fill", width)[0].tolist()
    found = []
    for column in range(width):
        if words.starts[0, column]:
            found.append([])
        if words.maskable[0, column]:
            found[-1].append(column)
    first = int(phase * len(found))
    ring = found[first:] + found[:first]
    cut, taken = [], []
    for lot in lots:
        length = 1 + sum(lot >= threshold for threshold in thresholds.tolist())
        if ring:
            cut.append(ring[:length])
            ring = ring[length:]
    budget = int(wanted[0])
    for number in sorted(range(len(cut)), key=lambda number: -order[number]):
        for word in cut[number]:
            if budget < len(word):
                break
            taken += word
            budget -= len(word)
        else:
            continue
        break
    single = [word[0] for word in found if len(word) == 1 and word[0] not in taken]
    missing = int(wanted[0]) - len(taken)
    return sorted(taken + sorted(single, key=lambda column: -fill[column])[:missing])


def test_lengths_follow_the_truncated_geometric_law_of_the_paper():
    shares = torch.diff(SPANBERT, prepend=torch.zeros(1), append=torch.ones(1)).double()
    law = [0.2 * 0.8 ** (length - 1) for length in range(1, 11)]
    expected = torch.tensor([share / sum(law) for share in law], dtype=torch.float64)
    torch.testing.assert_close(shares, expected, rtol=1e-5, atol=1e-6)
    mean = (shares * torch.arange(1, 11)).sum().item()
    assert mean == pytest.approx(3.8, abs=0.01)  # section 3.1


@pytest.mark.parametrize(("p", "longest", "expected"), [(0.2, 1, []), (1.0, 3, [1.0, 1.0])])
def test_spans_of_one_word(p, longest, expected):
    assert length_thresholds(p, longest).tolist() == expected
    words = words_of("|" + "w-w" * 9)
    number, _ = spans(words, length_thresholds(p, longest), Streams(0, rows=1), "span")
    of_words = number[words.starts].tolist()
    assert sorted(of_words) == list(range(18))


def test_drawn_spans_have_the_papers_lengths():
    words = words_of(*["|" + "w" * 200] * 300)
    number, _ = spans(words, SPANBERT, Streams(0, rows=300), "span")
    sizes = torch.zeros(300, 201, dtype=torch.int64).scatter_add(1, number, words.maskable.long())
    # The last of a ring is cut where the first begins; it is one of 53.
    whole = sizes[:, :40].flatten()
    shares = torch.bincount(whole, minlength=11)[1:].double() / len(whole)
    law = torch.tensor([0.2 * 0.8 ** (length - 1) for length in range(1, 11)]).double()
    torch.testing.assert_close(shares, law / law.sum(), rtol=0, atol=0.016)  # 4 deviations
    assert whole.double().mean().item() == pytest.approx(3.8, abs=0.1)


@settings(deadline=None, max_examples=120)
@given(
    text=st.text(alphabet="wwww--|", min_size=1, max_size=40),
    rate=st.floats(0.02, 1),
    seed=st.integers(0),
    law=st.sampled_from([(0.2, 10), (0.5, 3), (1.0, 1)]),
)
def test_the_tokens_are_those_that_loops_choose(text, rate, seed, law):
    words, thresholds = words_of(text), length_thresholds(*law)
    chosen, wanted = chosen_in(words, rate, Streams(seed, rows=1), thresholds)
    found = chosen[0].nonzero().flatten().tolist()
    assert found == in_loops(words, thresholds, wanted, Streams(seed, rows=1))
    assert len(found) <= wanted[0] <= slot_count(rate, len(text))
    assert words.maskable[0, found].all()
    # Whole words: a token is chosen exactly if the first of its word is.
    assert torch.equal(chosen, words.tokens_of(chosen & words.starts))


def test_every_place_is_as_likely_as_any_other_and_the_share_is_the_rate():
    words = words_of(*["|" + "w" * 31] * 8000)
    chosen, wanted = chosen_in(words, 0.15, Streams(1, rows=8000))
    assert torch.equal(chosen.sum(dim=1), wanted)
    share = chosen.float().mean(dim=0)
    assert share[0] == 0
    # Five standard deviations: 5 * sqrt(.15 * .85 / 8000) = 0.02.
    assert torch.allclose(share[1:], torch.full((31,), 0.15), atol=0.02)
    assert share[1:].mean().item() == pytest.approx(0.15, abs=0.0005)


def test_long_words_are_chosen_a_little_less_often_and_the_share_of_all_is_the_rate():
    text = "|" + "wwwww-www-w--" * 9 + "w---" * 2
    words = words_of(*[text] * 3000)
    chosen, wanted = chosen_in(words, 0.15, Streams(0, rows=3000))
    assert torch.equal(chosen.sum(dim=1), wanted)
    assert (chosen.sum() / words.maskable.sum()).item() == pytest.approx(0.15, abs=0.0005)
    size = words.sizes.gather(1, words.first)
    shares = [chosen[words.maskable & (size == pieces)].float().mean() for pieces in (1, 2, 3, 4)]
    assert 0.15 < shares[0] < 0.163 and shares[3] > 0.115
    assert shares[0] > shares[1] > shares[3]


def test_runs_are_what_touches():
    runs = Runs.of(torch.tensor([[True, True, False, True, False, False, True, True]]))
    chosen = [0, 1, 3, 6, 7]
    assert runs.first[0, chosen].tolist() == [0, 0, 3, 6, 6]
    assert runs.last[0, chosen].tolist() == [1, 1, 3, 7, 7]


def test_same_streams_same_spans_and_two_processes_choose_as_one():
    texts = ["|" + "w-w" * 8, "|" + "ww-" * 8, "|" + "w" * 24, "|" + "w--" * 8]
    whole, _ = chosen_in(words_of(*texts), 0.3, Streams(2, rows=4))
    again, _ = chosen_in(words_of(*texts), 0.3, Streams(2, rows=4))
    other, _ = chosen_in(words_of(*texts), 0.3, Streams(3, rows=4))
    assert torch.equal(whole, again) and not torch.equal(whole, other)
    for first in (0, 2):
        streams = Streams(2, rows=4, first=first, count=2)
        part, _ = chosen_in(words_of(*texts[first : first + 2]), 0.3, streams)
        assert torch.equal(part, whole[first : first + 2])
