"""Values of examples in a few bits: round trips, plain loops, and what is refused."""

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from objbench.contract.suite import ExampleScores
from objbench.results.packed_values import pack, stored_examples, unpack, unpacked
from objbench.results.stored_examples import MOST, PackedValues, StoredExamples

VALUES = st.floats(-1e6, 1e6, allow_nan=False)
FEW = (
    st.integers(1, 4)
    .flatmap(lambda size: st.lists(VALUES, min_size=size, max_size=size, unique=True))
    .flatmap(lambda levels: st.lists(st.sampled_from(levels), min_size=1, max_size=50))
)


def by_hand(packed, count):
    """The values of the codes, read bit by bit."""
    data = base64.b64decode(packed.codes)
    values = []
    for number in range(count):
        code = 0
        for bit in range(packed.bits):
            place = number * packed.bits + bit
            code += (data[place // 8] >> place % 8 & 1) << bit
        low, high = packed.levels[0], packed.levels[-1]
        values.append(packed.levels[code] if packed.bits < 8 else low + code / 255 * (high - low))
    return values


@given(FEW)
def test_a_few_levels_come_back_exactly(values):
    packed = pack(np.array(values))
    assert packed.bits <= 2
    assert unpack(packed, len(values)).tolist() == by_hand(packed, len(values)) == values
    packed.require(len(values))
    assert packed.mean(len(values)) == pytest.approx(np.mean(values), rel=1e-9, abs=1e-9)
    assert PackedValues.model_validate_json(packed.model_dump_json()) == packed


@given(st.lists(VALUES, min_size=5, max_size=80, unique=True))
def test_many_values_come_back_within_half_a_step(values):
    packed = pack(np.array(values))
    found = unpack(packed, len(values))
    step = (max(values) - min(values)) / 255
    assert packed.bits == 8
    assert found.tolist() == pytest.approx(by_hand(packed, len(values)))
    assert np.abs(found - values).max() <= step / 2 * (1 + 1e-6)
    assert abs(packed.mean(len(values)) - np.mean(values)) <= packed.error
    packed.require(len(values))


def test_a_bit_an_example_by_hand():
    packed = pack(np.array([1.0, 0, 1, 1, 0, 0, 0, 0, 1]))
    assert (packed.bits, packed.levels) == (1, (0.0, 1.0))
    assert base64.b64decode(packed.codes) == bytes([0b00001101, 0b1])
    assert packed.mean(9) == 4 / 9


def test_halves_take_two_bits():
    packed = pack(np.array([0.5, 1.0, 0.0]))
    assert (packed.bits, base64.b64decode(packed.codes)) == (2, bytes([0b001001]))


def test_an_evaluation_of_mnli_is_two_kilobytes():
    right = np.random.default_rng(0).random(9815) < 0.7
    stored = stored_examples(ExampleScores("mnli", {"accuracy": right * 1.0}))
    assert (stored.every, stored.stored(9815)) == (2, 4908)
    assert len(stored.model_dump_json()) < 1000
    assert unpacked(stored, 9815)["accuracy"].tolist() == right[::2].tolist()


@pytest.mark.parametrize(
    ("count", "every"), [(1, 1), (MOST, 1), (MOST + 1, 2), (2 * MOST, 2), (40430, 9)]
)
def test_of_many_examples_every_kth_is_stored(count, every):
    values = np.arange(count) % 2 * 1.0
    stored = stored_examples(ExampleScores("x", {"accuracy": values}))
    assert stored.every == every
    assert stored.stored(count) == len(values[::every]) <= MOST
    stored.require(count, {"accuracy": float(values.mean())})


def test_other_examples_have_another_digest():
    one, same, other = (
        stored_examples(ExampleScores(of, {"accuracy": np.ones(3)})).of for of in ("a", "a", "b")
    )
    assert one == same != other


@pytest.mark.parametrize(
    "values",
    [{}, {"f1": []}, {"f1": [[1.0]]}, {"f1": [1.0], "accuracy": [1.0, 0.0]}, {"f1": [np.nan]}],
)
def test_a_suite_may_not_return(values):
    with pytest.raises(ValueError, match=r"values of examples|a row of values"):
        stored_examples(ExampleScores("x", {k: np.array(v) for k, v in values.items()}))


GOOD = {"bits": 2, "levels": (0.0, 0.5, 1.0), "codes": "CQ=="}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"bits": 3}, "codes of 3 bits"),
        ({"bits": True}, "valid integer"),
        ({"levels": ()}, "rising"),
        ({"levels": (0.0, 1.0, 0.5)}, "rising"),
        ({"levels": (0.0, 0.0, 1.0)}, "rising"),
        ({"levels": (0.0, 0.1, 0.2, 0.3, 0.4)}, "rising"),
        ({"levels": (0.0,)}, "without one"),
        ({"levels": (0.0, float("nan"))}, "finite"),
        ({"bits": 8}, "lowest and a highest"),
        ({"bits": 8, "levels": (1.0, 1.0)}, "lowest and a highest"),
        ({"codes": "C"}, "base64"),
        ({"codes": "CR=="}, "base64 of their own"),
        ({"codes": "C Q="}, "pattern"),
        ({"codes": "CQ==\n"}, "pattern"),
        ({"codes": "A" * 200_000}, "at most"),
    ],
)
def test_packed_values_from_strangers(wrong, why):
    PackedValues.model_validate(GOOD)
    with pytest.raises(ValidationError, match=why):
        PackedValues.model_validate(GOOD | wrong)


@pytest.mark.parametrize(
    ("count", "scores", "why"),
    [
        (4, {"accuracy": 0.5}, "mean"),
        (3, {"accuracy": 0.6}, "mean"),
        (0, {"accuracy": 0.5}, "no examples"),
        (5, {"accuracy": 0.5}, "of 5 examples"),
        (1, {"accuracy": 0.5}, "of 1 examples"),
        (3, {"f1": 0.5}, "no score"),
        (3, {}, "no score"),
    ],
)
def test_examples_are_those_of_their_score(count, scores, why):
    stored = StoredExamples.model_validate({"of": "ab", "every": 1, "metrics": {"accuracy": GOOD}})
    stored.require(3, {"accuracy": 0.5})
    with pytest.raises(ValueError, match=why):
        stored.require(count, scores)


@settings(max_examples=50)
@given(st.binary(max_size=40), st.integers(0, 45), st.sampled_from([1, 2, 8]))
def test_any_bytes_are_refused_or_read(data, count, bits):
    levels = (0.0, 1.0) if bits == 8 else tuple(float(n) for n in range(2**bits))
    packed = PackedValues(bits=bits, levels=levels, codes=base64.b64encode(data).decode())
    try:
        packed.require(count)
    except ValueError:
        return
    assert len(unpack(packed, count)) == count
    if count:
        assert packed.mean(count) == pytest.approx(np.mean(by_hand(packed, count)))
