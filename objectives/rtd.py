"""Replaced-token detection (ELECTRA): tell which tokens a small generator has put there.

Clark et al. 2020, section 2. Of a sequence x, positions m are masked and a generator G is trained
to predict them. At these positions tokens are drawn from G's softmax and put in the place of the
originals; the encoder, as discriminator D, says of every token whether it was replaced:

    x_masked  = REPLACE(x, m, [MASK])
    x_corrupt = REPLACE(x, m, x_hat),  x_hat_i ~ p_G(x_i | x_masked) for i in m
    L_MLM = mean over i in m of -log p_G(x_i | x_masked)
    L_RTD = mean over real tokens t of -[x_corrupt_t = x_t] log D(x_corrupt, t)
                                       -[x_corrupt_t != x_t] log(1 - D(x_corrupt, t))
    total = L_MLM + lambda L_RTD

A sampled token that is the original counts as original. Nothing flows back through the sample, so
L_RTD trains the encoder, L_MLM the generator, and both the embedding layer, which is shared. Only
the encoder is exported; the generator's work is part of what the objective costs.

Defaults are those of the authors' code (google-research/electra, ``configure_pretraining.py``):
rate 15%, lambda 50, a generator a quarter as wide (the paper finds 1/4 to 1/2 best, section 3.2).
Differences:

- Masks. The paper masks all of m, the code 85% of it (``pretrain_helpers.mask``) and leaves the
  rest as it was, to be predicted, sampled and judged alike. Default: the code. So the predicted
  positions are ``mlm``'s at every seed and step; what stands there is not.
- The code draws m with replacement, so that a token drawn twice counts twice in L_MLM, and counts
  special tokens in the n of rate * n; here m is drawn as ``objbench.blocks.masking`` does.
- Sampling. The code adds Gumbel noise to every logit and takes the largest. Here one uniform
  number a slot is looked up in the cumulated softmax: the same distribution from 1 / V of the
  random numbers, which every process draws for the whole batch.
- Special tokens are never replaced, and are real tokens to be judged, as in the code; padding is
  not. As in the code, what is sampled may be any word, special tokens included.
- The generator's sizes: see ``objbench_objectives.generator``.

Shape legend: B sequences of this process, T tokens, M predicted slots, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.activations import ACT2FN

from objbench import hookimpl
from objbench.blocks.masking import slot_count
from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need, Term, TermLoss
from objbench.errors import ConfigError
from objbench_objectives.generator import Generator
from objbench_objectives.mlm import MaskedLanguageModeling, mask_on_schedule

GENERATOR_LOSS = "rtd.generator_loss"
"""Extra of the corruption: () float32, the sum of the generator's losses, with its graph."""

REPLACED = "rtd.replaced"
"""Extra of the corruption: (B, T) bool, True where a token differs from the original."""


@torch.no_grad()
def sample_tokens(probabilities: Tensor, streams: Streams) -> Tensor:
    """One token a slot: the first whose cumulated probability exceeds a uniform number.

    Args:
        probabilities: (B, M, V) float32, of each slot's tokens.
        streams: source of "rtd.sample".

    Returns:
        (B, M) int64, in [0, V) whatever the probabilities are.
    """
    cumulated = probabilities.cumsum(dim=-1)
    # Of their own sum, which rounding leaves near 1.
    lot = streams.uniform("rtd.sample", cumulated.shape[1]).unsqueeze(-1) * cumulated[..., -1:]
    drawn = torch.searchsorted(cumulated, lot, right=True).squeeze(-1)
    # NaN is found nowhere; the step is refused for its loss, not by an index out of range.
    return drawn.clamp(max=cumulated.shape[-1] - 1)


def replace_tokens(batch: Batch, masked: Corrupted, logits: Tensor, streams: Streams) -> Corrupted:
    """``batch`` with tokens sampled from the generator at the predicted positions.

    Args:
        batch: as it was, (B, T).
        masked: what the generator saw; gives positions and targets (B, M).
        logits: (B, M, V), the generator's.
        streams: source of "rtd.sample".

    Returns:
        The discriminator's input with the positions and targets of ``masked``, and the extras
        GENERATOR_LOSS and REPLACED.
    """
    assert masked.positions is not None and masked.targets is not None
    scores = functional.log_softmax(logits.float(), dim=-1)
    loss = functional.nll_loss(
        scores.flatten(0, 1), masked.targets.flatten(), ignore_index=IGNORE_INDEX, reduction="sum"
    )
    sampled = sample_tokens(scores.detach().exp(), streams)
    # Differences are added, not tokens written: unused slots point at column 0 and add nothing.
    change = (sampled - masked.targets) * (masked.targets != IGNORE_INDEX)
    input_ids = batch.input_ids.scatter_add(1, masked.positions, change)
    return Corrupted.of(
        batch,
        input_ids=input_ids,
        positions=masked.positions,
        targets=masked.targets,
        extras={GENERATOR_LOSS: loss, REPLACED: input_ids != batch.input_ids},
    )


class GeneratorPrediction(Term):
    """The generator's cross-entropy at the predicted positions, as the corruption computed it."""

    # Not "mlm": that is a loss of the encoder, and held-out losses are compared by name.
    name = "generator"
    needs = frozenset({Need.LAST_HIDDEN_STATE, Need.LABELS})

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing."""
        used = encoder_pass.need(Need.LABELS) != IGNORE_INDEX
        return TermLoss(encoder_pass.batch.extras[GENERATOR_LOSS], used.sum().float())


class ReplacementDetection(Term):
    """Binary cross-entropy of "replaced" at every real token, special tokens included.

    logit = act(h W + b) w + c, as transformers' ``ElectraDiscriminatorPredictions``.

    Args:
        encoder_spec: of the encoder, for the head.
        weight: lambda, its factor in the total loss.
    """

    name = "rtd"

    def __init__(self, encoder_spec: EncoderSpec, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.dense = nn.Linear(encoder_spec.width, encoder_spec.width)
        self.activation = ACT2FN[encoder_spec.activation]
        self.logit = nn.Linear(encoder_spec.width, 1)
        for linear in (self.dense, self.logit):
            nn.init.normal_(linear.weight, std=encoder_spec.initializer_range)
            nn.init.zeros_(linear.bias)

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing."""
        states, batch = encoder_pass.last_hidden_state, encoder_pass.batch
        logits = self.logit(self.activation(self.dense(states))).squeeze(-1).float()
        labels = batch.extras[REPLACED].float()
        losses = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        real = batch.real
        return TermLoss(losses.masked_fill(~real, 0.0).sum(), real.sum().float())


class ReplacedTokenDetection(Objective):
    """ELECTRA: a generator's masked-LM loss + weight * the encoder's loss of telling its samples.

    Formula, defaults and differences from public code are in the module's docstring.
    """

    name = "rtd"
    summary = "replaced-token detection against a small generator (ELECTRA)"
    reference = "Clark et al. 2020, https://arxiv.org/abs/2003.10555"

    @dataclass(frozen=True, kw_only=True)
    class Config(MaskedLanguageModeling.Config):
        """Hyperparameters of the generator's masking, its size, and the weight.

        Attributes:
            mask_share: share of the predicted tokens that the generator sees as [MASK].
            random_share: share of these that it sees as a random word; the rest as they are.
            generator_size: width of the generator in parts of the encoder's, at most 1.
            weight: lambda, factor of the detection loss in the total loss.

        Raises:
            ConfigError: a value out of range.
        """

        mask_share: float = 0.85
        random_share: float = 0.0
        generator_size: float = 0.25
        weight: float = 50.0

        def __post_init__(self) -> None:
            MaskedLanguageModeling.Config.__post_init__(self)
            if not 0 < self.generator_size <= 1:
                raise ConfigError(f"generator_size must be in (0, 1], not {self.generator_size}")
            if not self.weight >= 0:
                raise ConfigError(f"weight must not be negative, not {self.weight}")

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__(config, encoder_spec)
        self.generator = Generator(encoder_spec, config.generator_size)
        self.set_terms(GeneratorPrediction(), ReplacementDetection(encoder_spec, config.weight))

    def tie(self, encoder: nn.Module) -> None:
        """The generator reads the encoder's embedding layer and word embeddings."""
        self.generator.tie(encoder)

    def slots(self, length: int) -> int:
        """M of the highest rate, the generator's and the sampled positions."""
        return slot_count(self.config.highest_rate, length)

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """Mask ``batch``, let the generator predict, put its samples in the tokens' place."""
        masked = mask_on_schedule(batch, self.encoder_spec.vocabulary, streams, self.config)
        return replace_tokens(batch, masked, self.generator(masked), streams)


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(ReplacedTokenDetection)
