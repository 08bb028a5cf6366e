"""How many tokens an objective really predicts, counted on batches of the study's text.

For every objective that predicts slots and declares a rate, foreign ones too: the corruption alone
is run, on the batches of the first steps, at points spread over the budget. Batches that are read
from left to right predict every token and are left out.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from objbench.contract.batch import IGNORE_INDEX
from objbench.engine.training.parts import outline
from objbench.engine.training.session import Session
from objbench.results.realised_rate import RealisedRate

MOST_BATCHES = 64
MOST_TOKENS = 100_000
# So many tokens that a coin tossed for each is off by a tenth at four deviations of chance.
_TOKENS_AT_EVEN_ODDS = 1600


def realised_rate(session: Session) -> RealisedRate | None:
    """What the session's objective predicts; None if it predicts no slots or declares no rate.

    Nothing of the session changes but the state of the global generator, which every step seeds.
    """
    objective = session.module.objective
    declared = [objective.declared_rate(progress) for progress in (0.0, 1.0)]
    known = [rate for rate in declared if rate is not None]
    if len(known) < len(declared):
        return None
    wanted = _TOKENS_AT_EVEN_ODDS * (1 / max(min(known), 1e-6) - 1) + 1
    expected, predicted, tokens = 0.0, 0, 0
    for mode in objective.modes:
        count = _batches(session, min(wanted, MOST_TOKENS))
        for number in range(count):
            progress = number / (count - 1)
            batch, streams = session.begin(number, mode)
            arranged = session.module.arrange(replace(batch, progress=progress), streams)
            with torch.no_grad(), session.accelerator.autocast():
                made = outline(objective, arranged, streams)
            if made.targets is None:
                return None
            rate = objective.declared_rate(progress)
            if made.causal or rate is None:
                break
            maskable = int((~made.special).sum())
            expected += rate * maskable
            predicted += int((made.targets != IGNORE_INDEX).sum())
            tokens += maskable
    if not tokens:
        return None
    return RealisedRate(
        declared=expected / tokens, predicted=min(predicted / tokens, 1.0), tokens=tokens
    )


def _batches(session: Session, tokens: float) -> int:
    """How many batches hold ``tokens``; at least one at each end of the budget.

    The same on every process, since a corruption may gather rows.
    """
    own = session.tokens_per_step / session.processes
    return max(2, min(MOST_BATCHES, math.ceil(tokens / own)))
