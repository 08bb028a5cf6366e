"""The mode of a batch: asked for, or drawn with the shares that an objective declares."""

from dataclasses import replace
from types import MappingProxyType

import pytest
import torch

from objbench.contract.batch import Batch, Corrupted, Rows
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams


class InTurns(Objective):
    """One batch in four is rare."""

    modes = MappingProxyType({"usual": 0.75, "rare": 0.25})

    def corrupt(self, batch, streams):
        return Corrupted.of(batch)


@pytest.fixture
def batch():
    ids = torch.ones(2, 3, dtype=torch.int64)
    return Batch(ids, ids < 1, None, Rows.alone(2))


def drawn(objective, batch, steps):
    return [objective.mode_of(batch, Streams(0, step, rows=2)) for step in range(steps)]


def test_modes_come_with_their_shares(batch):
    modes = drawn(InTurns(None, None), batch, 2000)
    assert set(modes) == {"usual", "rare"}
    assert modes.count("rare") / 2000 == pytest.approx(0.25, abs=4 * 0.0097)


def test_a_mode_that_is_asked_for_is_not_drawn(batch):
    streams = Streams(0, 0, rows=2)
    asked = replace(batch, mode="rare")
    assert InTurns(None, None).mode_of(asked, streams) == "rare"
    assert streams.choice("mode") == Streams(0, 0, rows=2).choice("mode")
    assert Corrupted.of(asked).mode == "rare"


def test_shares_that_add_up_to_a_little_less_leave_no_batch_without_a_mode(batch):
    class Thirds(InTurns):
        modes = MappingProxyType({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3 - 1e-16})

    streams = Streams(0, 0, rows=2)
    streams.choice = lambda stream: 1 - 2**-53
    assert Thirds(None, None).mode_of(batch, streams) == "c"


def test_an_objective_has_one_mode_unless_it_says_otherwise(batch):
    class Plain(InTurns):
        modes = Objective.modes

    assert list(Plain(None, None).modes.values()) == [1.0]
    assert set(drawn(Plain(None, None), batch, 20)) == set(Plain(None, None).modes)


@pytest.mark.parametrize("name", ["token_head", "terms", "learn_from"])
def test_a_module_that_the_contract_would_hide_is_refused_where_it_is_stored(name):
    class Shadowed(InTurns):
        def __init__(self):
            super().__init__(None, None)
            setattr(self, name, torch.nn.Linear(2, 2))

    with pytest.raises(
        AttributeError, match=f"Shadowed: `{name}` is an attribute of objbench.Objective"
    ):
        Shadowed()
