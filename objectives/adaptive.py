"""Adaptive masking: tokens that are still predicted wrongly are masked more often (AMLM).

Edman and Fraser 2025, "Mask and You Shall Receive" (arXiv:2510.20475), with the score by accuracy,
"hard". Every id v of the vocabulary has a weight, 1 at the start. In a sequence x of n maskable
tokens, token i is masked with a probability that follows its weight, at the rate r of ``mlm``:

    p_i = r n w(x_i) / sum over the maskable j of w(x_j)

After every ``window`` batches the weights move towards the share of wrong predictions, with c(v) of
m(v) predictions of v in the window right:

    w(v) <- max(floor / r, decay w(v) + (1 - decay) (1 - (c(v) + 1/2) / (m(v) + 1)))
    w    <- w / mean over the vocabulary of w

and the counts start again. The loss is ``mlm``'s. Read: the authors' code (serdardoesml/babylm25,
``train_mask.py``) and summaries of the paper, not the paper itself. Defaults are those of the formula
as summarised and of the code: rate 15%, a window of 200 batches (100 in the code if its flag is not
given), decay 0.2, floor 0.005. The authors' best variant begins at 40% and ends at 15%:
``--set adaptive.rate=0.4 --set adaptive.final_rate=0.15``. Differences:

- The number of masked tokens is ``mlm``'s, r n rounded up or down, and not one coin for each token.
  It is the same if some p_i would exceed 1, where in the code fewer tokens are masked.
  They are drawn by Pareto sampling (Rosen 1997, "On sampling with probability
  proportional to size"), whose probabilities are the p_i but for small errors. While all weights of a
  sequence are equal its masks are ``mlm``'s.
- Special tokens are not masked; in the code only padding is left out.
- Weights are kept as multiples of the rate, so that a rate that changes does not change them; in
  the code they are probabilities, and the former rate remains in the moving mean.
- Counts are exact numbers; in the code they are bfloat16, which rounds them.
- The score by loss ("soft"), sub-token embeddings and the authors' other settings are not offered.

What is counted: predictions in training, [MASK] and other replacements alike, of the whole batch: over
all processes, and over its parts. The state is three buffers and a counter, stored in checkpoints.
It changes only where ``Batch.progress`` is below 1, in training mode and with gradients. At
``progress`` 1, which is held-out text, the masks are ``mlm``'s at every state, so held-out losses are
comparable with those of ``mlm`` at the same final rate. Of a run shorter than ``window`` batches they
are ``mlm``'s altogether.

Cost: that of ``mlm``; but the logits of all predicted tokens are in memory at once.

Shape legend: B sequences of this process, T tokens, M predicted slots, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from objbench import hookimpl
from objbench.blocks.heads import TokenPrediction, token_loss
from objbench.blocks.masking import (
    corrupted_tokens,
    prediction_count,
    slot_count,
    with_corrupted,
)
from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need, TermLoss
from objbench.errors import ConfigError
from objbench_objectives.mlm import MaskedLanguageModeling, mask_on_schedule

_EDGE = 1e-6
"""How near to 0 and 1 the probabilities of Pareto sampling come, whose odds must be finite."""


def select_by_weight(
    maskable: Tensor, weights: Tensor, rate: float, streams: Streams, slots: int
) -> tuple[Tensor, Tensor]:
    """A random subset of each sequence's maskable positions, by weight; a share ``rate`` of them.

    The positions with the largest log odds(u_i) + log odds(p_i), u_i uniform, are chosen; with equal
    weights these are the positions with the largest u_i, as by ``select_positions``.

    Args:
        maskable: (B, T) bool, True where a position may be chosen.
        weights: (B, T) float32, positive.
        rate: the share of maskable positions to choose, in (0, 1].
        streams: source of "mask" and "mask.count".
        slots: M, at least ``slot_count(rate, T)``.

    Returns:
        The columns chosen, (B, M) int64, 0 in an unused slot, and which slots are in use, (B, M) bool,
        filled from the left.
    """
    wanted = prediction_count(maskable, rate, slots, streams)
    weighed = weights * maskable
    # Relative to the largest, so that equal weights give equal probabilities, and their sum is not 0.
    relative = weighed / weighed.amax(dim=1, keepdim=True).clamp(min=1e-30)
    share = (
        rate * maskable.sum(dim=1, keepdim=True) / relative.sum(dim=1, keepdim=True).clamp(min=1)
    )
    inclusion = (share * relative).clamp(_EDGE, 1 - _EDGE)
    # A number may be 0.
    lots = streams.uniform("mask", maskable.shape[1]).clamp(min=2**-26)
    keys = (lots.logit() + inclusion.logit()).masked_fill(~maskable, -torch.inf)
    columns = keys.topk(slots, dim=1, sorted=True).indices
    used = torch.arange(slots, device=maskable.device) < wanted.unsqueeze(1)
    return columns * used, used


class TokenDifficulty(nn.Module):
    """How much more often than others each token is masked, and the predictions since the last change.

    Args:
        words: V.
        window: batches from one change of the weights to the next.
        decay: share of the former weights.
        floor: the smallest masking probability.

    Attributes:
        weights: (V,) float32, of mean 1.
        right: (V,) int64, the right predictions of each id in this window.
        made: (V,) int64, its predictions.
        passes: () int64, parts of batches that were counted in this window.
    """

    weights: Tensor
    right: Tensor
    made: Tensor
    passes: Tensor

    def __init__(self, words: int, window: int, decay: float, floor: float) -> None:
        super().__init__()
        self.window, self.decay, self.floor = window, decay, floor
        self.register_buffer("weights", torch.ones(words))
        # Whole numbers: a float32 stops counting at 2**24, which a frequent word reaches in a few
        # thousand large batches.
        self.register_buffer("right", torch.zeros(words, dtype=torch.int64))
        self.register_buffer("made", torch.zeros(words, dtype=torch.int64))
        self.register_buffer("passes", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def count(self, targets: Tensor, hits: Tensor, parts: int, rate: float) -> None:
        """Add predictions of one part of a batch; at the end of a window, change the weights.

        The host does not wait for the device to know whether it is the end.

        Args:
            targets: (R, M) int64, the original tokens, over all processes; IGNORE_INDEX where unused.
            hits: (R, M) bool, whether they were predicted.
            parts: how many parts the batch has.
            rate: the present masking rate.
        """
        ids, used = targets.clamp(min=0).flatten(), (targets != IGNORE_INDEX).flatten()
        self.made.index_add_(0, ids, used.to(self.made.dtype))
        self.right.index_add_(0, ids, (used & hits.flatten()).to(self.made.dtype))
        self.passes += 1
        wrong = 1 - (self.right + 0.5) / (self.made + 1)
        new = (self.decay * self.weights + (1 - self.decay) * wrong).clamp(min=self.floor / rate)
        due = self.passes >= self.window * parts
        self.weights.copy_(torch.where(due, new / new.mean(), self.weights))
        for counted in (self.right, self.made, self.passes):
            counted.mul_(~due)


class AdaptivePrediction(TokenPrediction):
    """``mlm``'s loss, which also counts what is predicted right.

    Args:
        encoder_spec: of the encoder, for the head.
        difficulty: gets the counts.
        config: gives the masking rate.
    """

    needs = frozenset({Need.WORD_LOGITS, Need.LABELS})

    def __init__(
        self,
        encoder_spec: EncoderSpec,
        difficulty: TokenDifficulty,
        config: MaskedLanguageModeling.Config,
    ) -> None:
        super().__init__(encoder_spec, name="mlm")
        self.difficulty = difficulty
        self.config = config

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing."""
        batch = encoder_pass.batch
        if self.training and torch.is_grad_enabled() and batch.progress < 1:
            targets: Tensor = encoder_pass.need(Need.LABELS)
            found = encoder_pass.need(Need.WORD_LOGITS).detach().argmax(dim=-1)
            # Together, so that there is one exchange between processes.
            both = batch.rows.gather(torch.stack([targets, found], dim=1))
            hits = both[:, 0] == both[:, 1]
            rate = self.config.rate_at(batch.progress)
            self.difficulty.count(both[:, 0], hits, batch.rows.parts, rate)
        return token_loss(encoder_pass)

    # Again, because the count of a class with another ``forward`` would not be asked.
    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The slots in use."""
        return super().count_items(corrupted)


class AdaptiveMasking(Objective):
    """Masked language modelling whose masks follow the accuracy of each token (AMLM).

    Formula, defaults and differences from the authors' code are in the module's docstring.
    """

    name = "adaptive"
    summary = "masked language modelling, hard tokens masked more often (AMLM)"
    reference = "Edman and Fraser 2025, https://arxiv.org/abs/2510.20475"

    @dataclass(frozen=True, kw_only=True)
    class Config(MaskedLanguageModeling.Config):
        """Hyperparameters of masking and of the weights.

        Attributes:
            window: batches from one change of the weights to the next.
            decay: share of the former weights in the new ones, in [0, 1].
            floor: smallest masking probability of a token, before the weights' mean is set, in [0, 1].

        Raises:
            ConfigError: a value out of range.
        """

        window: int = 200
        decay: float = 0.2
        floor: float = 0.005

        def __post_init__(self) -> None:
            MaskedLanguageModeling.Config.__post_init__(self)
            if self.window < 1:
                raise ConfigError(f"window must be at least 1, not {self.window}")
            for option in ("decay", "floor"):
                if not 0 <= getattr(self, option) <= 1:
                    raise ConfigError(f"{option} must be in [0, 1], not {getattr(self, option)}")

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__(config, encoder_spec)
        words = encoder_spec.encoder_config.get("vocab_size", encoder_spec.vocabulary.size)
        difficulty = TokenDifficulty(words, config.window, config.decay, config.floor)
        self._prediction = (AdaptivePrediction(encoder_spec, difficulty, config),)
        self.set_terms(*self._prediction)

    @property
    def difficulty(self) -> TokenDifficulty:
        """The state, which is the term's: stored once."""
        return self._prediction[0].difficulty

    def slots(self, length: int) -> int:
        """M of the highest rate."""
        return slot_count(self.config.highest_rate, length)

    def declared_rate(self, progress: float) -> float | None:
        """The rate of the masks at ``progress``."""
        rate: float = self.config.rate_at(progress)
        return rate

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """Mask ``batch`` by the weights of its tokens; at ``progress`` 1 as ``mlm``."""
        config, vocabulary = self.config, self.encoder_spec.vocabulary
        if batch.progress >= 1:
            return mask_on_schedule(batch, vocabulary, streams, config)
        positions, used = select_by_weight(
            ~batch.special,
            self.difficulty.weights[batch.input_ids],
            config.rate_at(batch.progress),
            streams,
            self.slots(batch.input_ids.shape[1]),
        )
        original = batch.input_ids.gather(1, positions)
        shares = config.mask_share, config.random_share
        corrupted = corrupted_tokens(original, vocabulary, *shares, streams)
        return with_corrupted(batch, positions, used, corrupted)


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(AdaptiveMasking)
