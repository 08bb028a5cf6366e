"""Choices for a whole batch, what they depend on and what not; and generators that are used again."""

import copy

import pytest
import torch

from objbench.contract import random_streams as module
from objbench.contract.random_streams import Streams, torch_generator


def choices(calls, *counters, seed=0, stream="mode", **rows):
    streams = Streams(seed, *counters, **{"rows": 4, **rows})
    return [streams.choice(stream) for _ in range(calls)]


def test_a_choice_is_a_function_of_seed_stream_and_counters():
    one = choices(3, 7, 0)
    assert one == choices(3, 7, 0)
    others = [choices(3, 7, 0, seed=1), choices(3, 7, 0, stream="other"), choices(3, 7, 1)]
    assert all(one[0] != other[0] for other in others)
    assert len(set(one)) == 3, "a stream continues over the calls made with its name"


def test_every_process_and_every_device_makes_the_same_choice():
    whole = choices(2, 5, rows=8)
    assert choices(2, 5, rows=8, first=4, count=4) == whole
    # Not even the number of rows matters: it is drawn for the batch and not for them.
    assert choices(2, 5, rows=2, device="meta") == whole


def test_choices_and_drawn_numbers_do_not_move_each_other():
    plain = Streams(0, 1, rows=2)
    mixed = Streams(0, 1, rows=2)
    drawn, chosen = plain.uniform("mode", 3), choices(1, 1)
    assert mixed.choice("mode") == chosen[0]
    assert mixed.uniform("mode", 3).equal(drawn)


def test_choices_are_uniform():
    drawn = [Streams(0, step, rows=1).choice("mode") for step in range(4000)]
    assert all(0 <= number < 1 for number in drawn)
    # Four standard errors of a share of 1/16 and of a half.
    assert sum(n < 1 / 16 for n in drawn) / 4000 == pytest.approx(1 / 16, abs=4 * 0.0039)
    assert sum(n < 1 / 2 for n in drawn) / 4000 == pytest.approx(1 / 2, abs=4 * 0.0080)


def test_the_largest_key_is_below_one(monkeypatch):
    monkeypatch.setattr(module, "stream_key", lambda *_: 2**63 - 1)
    assert Streams(0, rows=1).choice("mode") < 1


# -- generators


@pytest.fixture
def made(monkeypatch):
    """The devices of the generators that were made, none of which was there before."""
    monkeypatch.setattr(module, "_spare", {})
    seen, plain = [], torch.Generator

    def noted(device="cpu"):
        seen.append(str(device))
        return plain(device=device)

    monkeypatch.setattr(torch, "Generator", noted)
    return seen


def fresh(step, stream="mask", rows=4, width=3):
    return torch.rand(rows, width, generator=torch_generator(0, stream, step))


def test_batches_one_after_another_make_generators_once_and_draw_what_new_ones_would(made):
    for step in range(5):
        streams = Streams(0, step, rows=4)
        assert streams.uniform("mask", 3).equal(fresh(step))
        assert streams.uniform("other", 3).equal(fresh(step, "other"))
        part = streams.of_rows(2, 2)
        assert part.uniform("mask", 3).equal(streams.uniform("mask", 3)[2:])
    # Two for the streams and two for the copies; while a step begins, the last one's are still held.
    ours = len(made) - 2 * 5
    assert ours <= 8


def test_batches_at_the_same_time_never_share_a_generator(made):
    all_at_once = [Streams(0, step, rows=4) for step in range(3)]
    first = [streams.uniform("mask", 3) for streams in all_at_once]
    again = [streams.uniform("mask", 3) for streams in all_at_once]
    for step in range(3):
        whole = torch.rand(8, 3, generator=torch_generator(0, "mask", step))
        assert torch.cat([first[step], again[step]]).equal(whole)


def test_a_copy_keeps_the_generators_of_streams_that_are_gone(made):
    streams = Streams(0, 1, rows=4)
    streams.uniform("mask", 3)
    copied = copy.copy(streams)
    del streams
    Streams(0, 2, rows=4).uniform("mask", 3)
    whole = torch.rand(8, 3, generator=torch_generator(0, "mask", 1))
    assert copied.uniform("mask", 3).equal(whole[4:])
