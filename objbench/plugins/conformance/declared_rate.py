"""The share of tokens that an objective declares must be the share that its corruption predicts.

What is declared is what an objective is ranked under, so a corruption that predicts another share
is taken for another experiment. A study counts it again on its own text.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from objbench.contract.batch import IGNORE_INDEX
from objbench.plugins.conformance.check import Broken, Check
from objbench.plugins.conformance.subject import Subject
from objbench.results.realised_rate import RealisedRate

_DRAWS = 40
"""Corruptions of one batch, half of them at each end of the budget."""


def declared_and_predicted(subject: Subject) -> str:
    """The share declared, against the share of the words of one batch that is predicted."""
    module, plain = subject.step(), subject.batch()
    expected, predicted, tokens = 0.0, 0, 0
    for number in range(_DRAWS):
        batch = replace(plain, progress=float(number % 2), input_ids=plain.input_ids.clone())
        declared = module.objective.declared_rate(batch.progress)
        if declared is None:
            return "no rate is declared"
        if not isinstance(declared, float) or not 0 < declared <= 1:
            raise Broken(f"declared_rate returns {declared!r}, not a share in (0, 1]")
        with torch.no_grad():
            made = module.corrupt(batch, subject.streams(batch, number)).corrupted
        if made.targets is None:
            return "no tokens are predicted"
        if made.causal:
            continue
        words = int((~made.special).sum())
        expected += declared * words
        predicted += int((made.targets != IGNORE_INDEX).sum())
        tokens += words
    if not tokens:
        return "every token is predicted, from those before it"
    rate = RealisedRate(declared=expected / tokens, predicted=predicted / tokens, tokens=tokens)
    if rate.is_said:
        raise Broken(f"it predicts {rate.words}")
    return f"declared {rate.declared:.1%}, predicted {rate.predicted:.1%}"


CHECKS = (
    Check(
        "declared rate",
        "an objective is ranked under the share of tokens that it declares to predict",
        "override declared_rate where the option `rate` is not the share of the non-special tokens "
        "that is predicted, or return None there",
        declared_and_predicted,
    ),
)
