"""Dropout from a counter: SplitMix64's numbers, the rate and the values of torch's dropout."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from objbench.engine.encoder.cpu_dropout import (
    CountedDropout,
    choose_dropout,
    counted_words,
    dropout,
    dropout_noise,
)

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def splitmix64(state: int, count: int) -> list[int]:
    """https://prng.di.unimi.it/splitmix64.c in Python's integers."""
    numbers = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        numbers.append(z ^ (z >> 31))
    return numbers


@pytest.mark.parametrize("key", [0, 1, 2**62 + 12345])
def test_words_are_those_of_splitmix64(key):
    found = [word % 2**64 for word in counted_words(torch.tensor(key), 50).tolist()]
    assert found == splitmix64(key, 50)
    if key == 0:  # published beside many ports of it
        assert found[:2] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.013])
def test_noise_has_the_rate_and_the_values_of_torchs(dtype, rate):
    torch.manual_seed(0)
    count = 400_003
    noise = dropout_noise(torch.empty(count, dtype=dtype), rate)
    kept = torch.ones(1000, dtype=dtype)
    expected = functional.dropout(kept, rate).unique()
    assert torch.equal(noise.unique(), expected)
    share = (noise == 0).double().mean().item()
    assert abs(share - rate) < 5 * (rate * (1 - rate) / count) ** 0.5 + 2**-17


def test_coins_of_neighbours_and_of_masks_are_independent():
    torch.manual_seed(1)
    like = torch.empty(300, 1000, dtype=torch.bfloat16)
    first, second = (dropout_noise(like, 0.5).bool().double() - 0.5 for _ in range(2))
    pairs = [(first[:, :-lag], first[:, lag:]) for lag in (1, 2, 3, 4, 8)]
    pairs += [(first[:-1], first[1:]), (first, second)]
    for left, right in pairs:
        correlation = 4 * (left * right).mean().item()
        assert abs(correlation) < 5 / left.numel() ** 0.5


def test_a_mask_repeats_with_the_generator_and_takes_one_number_of_it():
    like = torch.empty(7, 5)
    torch.manual_seed(3)
    first, after = dropout_noise(like, 0.5), torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(dropout_noise(like, 0.5), first)
    assert torch.equal(torch.rand(2), after)
    assert not torch.equal(dropout_noise(like, 0.5), first)
    torch.manual_seed(3)
    torch.empty((), dtype=torch.int64).random_()
    assert torch.equal(torch.rand(2), after)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_gradient_goes_where_the_values_went(dtype):
    torch.manual_seed(0)
    values = torch.rand(40, 30).add(0.5).to(dtype).requires_grad_()
    dropped = dropout(values, 0.3, training=True)
    dropped.float().sum().backward()
    kept = dropped != 0
    assert 0.6 < kept.double().mean() < 0.8
    torch.testing.assert_close(values.grad, kept.to(dtype) * torch.tensor(1 / 0.7, dtype=dtype))
    torch.testing.assert_close(dropped, values * values.grad)


def test_nothing_is_dropped_in_evaluation_or_at_rate_0_and_all_at_rate_1():
    values = torch.rand(5, 6)
    assert dropout(values, 0.5, training=False) is values
    assert dropout(values, 0.0, training=True) is values
    assert not dropout(values, 1.0, training=True).any()


def test_dtypes_without_coins_are_left_to_torch():
    torch.manual_seed(0)
    expected = functional.dropout(torch.ones(50, dtype=torch.float64), 0.5)
    torch.manual_seed(0)
    assert torch.equal(dropout(torch.ones(50, dtype=torch.float64), 0.5, True), expected)


def test_it_does_not_break_a_compiled_graph():
    compiled = torch.compile(lambda x: dropout(x, 0.25, True) + 1, backend="eager", fullgraph=True)
    torch.manual_seed(0)
    expected = functional.dropout(torch.ones(50), 0.25) + 1
    torch.manual_seed(0)
    assert torch.equal(compiled(torch.ones(50)), expected)


def test_every_plain_dropout_is_replaced_and_no_other():
    class Own(nn.Dropout):
        pass

    module = nn.ModuleDict({"a": nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.3)), "own": Own(0.2)})
    module["late"] = nn.Dropout(0.4).eval()
    choose_dropout(module)
    assert type(module["a"][1]) is type(module["late"]) is CountedDropout
    assert (module["a"][1].p, module["late"].p) == (0.3, 0.4)
    assert module["a"][1].training and not module["late"].training
    assert type(module["own"]) is Own
    assert list(module.state_dict()) == ["a.0.weight", "a.0.bias"]
