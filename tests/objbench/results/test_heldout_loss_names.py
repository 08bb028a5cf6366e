"""Held-out losses that were measured on other text have other names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from objbench.contract.objective import Objective
from objbench.contract.term import Term
from objbench.engine.training.heldout_loss import loss_names
from objbench.results.heldout_loss_names import own_loss


class Reads(Term):
    def __init__(self, name):
        super().__init__()
        self.name = name

    def forward(self, encoder_pass, streams):
        raise NotImplementedError


class Swaps(Reads):
    def arrange(self, batch, streams):
        return replace(batch, input_ids=batch.input_ids.flip(1))


class Inherits(Swaps):
    pass


class Whole(Objective):
    def corrupt(self, batch, streams):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ([Reads("mlm"), Reads("tc")], ["mlm", "tc"]),
        ([Reads("mlm"), Inherits("sop")], ["mlm after sop", "sop"]),
        (
            [Swaps("sop"), Reads("mlm"), Swaps("nsp")],
            ["sop after nsp", "mlm after sop and nsp", "nsp after sop"],
        ),
    ],
)
def test_a_loss_on_text_that_another_term_arranges_says_so(terms, expected):
    objective = Whole(None, None)
    objective.set_terms(*terms)
    assert loss_names(objective) == expected


def test_within_an_objective_a_term_is_found_whatever_its_loss_is_called():
    losses = {"mlm after sop": 3.0, "sop": 0.5, "loss": 3.5}
    assert own_loss(losses, "mlm") == own_loss(losses, "mlm after sop") == 3.0
    assert own_loss(losses, "sop") == 0.5
    assert own_loss(losses, "tc") is own_loss(losses, "ml") is None
