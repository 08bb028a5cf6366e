"""Masked diffusion: masked language modelling at every rate between none and all of the tokens.

Sahoo et al. 2024 (MDLM, arXiv:2406.07524), Shi et al. 2024 (MD4, arXiv:2406.04329) and Nie et al.
2025 (LLaDA, arXiv:2502.09992). Every sequence x of n tokens has a time t of its own, uniform in
[0, 1]. Each of its tokens is masked with probability r(t), independently of the others, and

    L = E over t, masks of  w(t) / n * sum over masked i of -log p(x_i | x_masked),
    w(t) = r'(t) / r(t)

which is at least -1/n log p(x) of a model that generates x by unmasking: the loss of held-out text
is a bound in nats per token, unlike those at one masking rate. Two schedules:

    linear:  r(t) = t,              w(t) = 1 / t                     50% masked on average
    cosine:  r(t) = sin(pi t / 2),  w(t) = pi / (2 tan(pi t / 2))    64%

In expectation L is the same for both, the integral of f(r) / r over r, where f(r) is the sum at rate
r; they differ in its variance, and in the rates at which the encoder spends its steps.

Defaults: the linear schedule of MDLM and LLaDA. The cosine is MD4's (google-deepmind/md4,
``models/diffusion/md4.py``); the one that MDLM's code can be set to, r(t) = 1 - cos(pi t / 2), is
another. As in the code of MDLM (kuleshov-group/mdlm, ``diffusion.py``) and LLaDA (``GUIDELINES.md``),
t = u (1 - 0.001) + 0.001 with u in [0, 1), so that no weight is above 1,000. As in MDLM's, the times
of a batch of R sequences are spread evenly, u_i = (i + u) / R with another u for each (see
``even_times``), which makes the loss of a batch less noisy; LLaDA's are independent.

Differences:

- The encoder is not told t; MDLM's default and LLaDA do not tell it either.
- Special tokens, [UNK] among them, are not masked; in the codes of MDLM and LLaDA every token may be.
  n is the number of the others.
- [MASK] itself has a probability, which MDLM sets to 0. The head is ``mlm``'s, for all objectives.
- MDLM spreads the times over the sequences of one device, here over all of the batch.
- No exponential moving average of the weights: the recipe is the same for every objective.

At one seed the masks are related to ``mlm``'s: those of a sequence at rate r are the tokens with
the highest random numbers of the stream "mask", as there.

Cost: at the highest rate all tokens are predicted, so there are T slots, and the head's work is
that of ``clm``, on average for twice the predictions in use (cosine: 1.6 times). It is counted, so
at equal FLOPs ``diffusion`` gets fewer steps than ``mlm``. The codes of MDLM and LLaDA make the logits
of all tokens, too.

Shape legend: B sequences of this process, R of the whole batch, T tokens, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from objbench import hookimpl
from objbench.blocks.cross_entropy import linear_cross_entropy
from objbench.blocks.heads import TokenHead, read_states
from objbench.blocks.masking import slots_of, with_corrupted
from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need, Term, TermLoss

EARLIEST = 1e-3
"""The smallest time, whose weight is the largest."""

TIME = "diffusion.time"
"""Extra of the arrangement: (B,) float32 in [EARLIEST, 1], the time of each sequence."""

WEIGHT = "diffusion.weight"
"""Extra of the corruption: (B,) float32, the factor of the losses of each sequence."""

Schedule = Literal["linear", "cosine"]


def rate_and_weight(time: Tensor, schedule: Schedule) -> tuple[Tensor, Tensor]:
    """r(t), the share of the tokens that is masked, and w(t) = r'(t) / r(t).

    Args:
        time: any shape, in (0, 1].
        schedule: see the module's docstring.
    """
    if schedule == "linear":
        return time, 1 / time
    angle = math.pi / 2 * time
    return angle.sin(), math.pi / 2 / angle.tan()


def mean_rate(schedule: Schedule) -> float:
    """The mean of r(t) over the times."""
    if schedule == "linear":
        return (1 + EARLIEST) / 2
    return 2 / math.pi * math.cos(math.pi / 2 * EARLIEST) / (1 - EARLIEST)


class DiffusionPrediction(Term):
    """The weighted cross-entropy of the masked tokens, per token of the text that may be masked.

    total = sum over masked i of -w(t) log softmax(logits)[x_i] in float32; count = the number of
    tokens that are not special, masked or not.

    Args:
        encoder_spec: of the encoder, for the head.
        even_times: whether the times of a batch are spread evenly.
    """

    name = "diffusion"
    needs = frozenset({Need.WORD_EMBEDDINGS, Need.LABELS})

    def __init__(self, encoder_spec: EncoderSpec, even_times: bool) -> None:
        super().__init__()
        self.even_times = even_times
        self.token_head = TokenHead(encoder_spec)

    def arrange(self, batch: Batch, streams: Streams) -> Batch:
        """``batch`` with the times of its sequences, which are spread over the whole batch."""
        lots = streams.uniform(TIME, 1).squeeze(1)
        if self.even_times:
            own = torch.arange(len(lots), device=lots.device) + batch.rows.first
            lots = (own + lots) / batch.rows.total
        times = EARLIEST + (1 - EARLIEST) * lots
        return replace(batch, extras={**batch.extras, TIME: times})

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing."""
        batch, targets = encoder_pass.batch, encoder_pass.need(Need.LABELS)
        factors = batch.extras[WEIGHT].unsqueeze(1).expand(targets.shape).flatten()
        if encoder_pass.word_logits is None:
            total = linear_cross_entropy(
                self.token_head.transform(read_states(encoder_pass)).flatten(0, -2),
                encoder_pass.need(Need.WORD_EMBEDDINGS),
                self.token_head.bias,
                targets.flatten(),
                factors,
            )
        else:
            losses = functional.cross_entropy(
                encoder_pass.word_logits.flatten(0, 1).float(),
                targets.flatten(),
                ignore_index=IGNORE_INDEX,
                reduction="none",
            )
            total = (losses * factors).sum()
        return TermLoss(total=total, count=self.count_items(batch))

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The tokens that are not special."""
        return (~corrupted.special).sum().float()


class MaskedDiffusion(Objective):
    """Masked language modelling at a random rate per sequence, weighted into a likelihood bound.

    Formula, defaults and differences from papers and code are in the module's docstring.
    """

    name = "diffusion"
    summary = "masked diffusion: a random masking rate per sequence, weighted (MDLM, LLaDA)"
    reference = "Sahoo et al. 2024, https://arxiv.org/abs/2406.07524"

    @dataclass(frozen=True, kw_only=True)
    class Config(Objective.Config):
        """Hyperparameters of the times and their rates.

        Attributes:
            schedule: from a time to a masking rate, "linear" or "cosine".
            even_times: spread the times of a batch evenly, instead of drawing each by itself.
        """

        schedule: Schedule = "linear"
        even_times: bool = True

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__(config, encoder_spec)
        self.set_terms(DiffusionPrediction(encoder_spec, config.even_times))

    def slots(self, length: int) -> int:
        """T: at the highest rate every token is masked."""
        return length

    def declared_rate(self, progress: float) -> float | None:
        """The mean rate; None of independent times, whose mean over a few batches is another."""
        return mean_rate(self.config.schedule) if self.config.even_times else None

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """Mask every sequence of ``batch`` at the rate of its time; T slots."""
        rates, weights = rate_and_weight(batch.extras[TIME], self.config.schedule)
        length = batch.input_ids.shape[1]
        # The highest are masked, as where a number of them is chosen.
        high = streams.uniform("mask", length) >= 1 - rates.unsqueeze(1)
        positions, used = slots_of(high & ~batch.special, length)
        masks = torch.full_like(positions, self.encoder_spec.vocabulary.mask)
        return with_corrupted(batch, positions, used, masks, extras={WEIGHT: weights})


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(MaskedDiffusion)
