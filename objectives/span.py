"""Span masking and the span boundary objective (SpanBERT).

Joshi et al. 2020, sections 3.1 and 3.2. Spans of whole words are masked instead of tokens, of
geometric length; see ``objbench.blocks.spans`` for how they are drawn and what differs there. For every
token x_i of a masked span (s, e) two losses are added, the second with ``boundary=true`` only:

    L_MLM(x_i) = -log P(x_i | x_i's own hidden state)
    L_SBO(x_i) = -log P(x_i | h),  h = LayerNorm(GeLU(W2 LayerNorm(GeLU(W1 h0 + b1)) + b2)),
                                   h0 = [x_{s-1}; x_{e+1}; p_{i-s+1}]

with the hidden states of the two tokens next to the span, embeddings p of the place in it, and
logits h E^T + c with the encoder's word embeddings E. Defaults: geometric p = 0.2, at most 10 words,
15% (section 3.1); places of 200 numbers, 15 of them (the command in the README of the authors'
code, facebookresearch/SpanBERT: ``--pair-positional-embedding-size 200 --max-pair-targets 15``).
Differences:

- Replacement is drawn for a whole span, as in both: 80% [MASK], 10% random tokens, 10% kept. The
  code draws random tokens by their frequency in the corpus; here as ``mlm``, uniform over the
  vocabulary. The other masking options are ``mlm``'s.
- The loss is the mean of the first over masked tokens plus the mean of the second over those with
  boundaries, as in the code (which counts one token too many in the second); the paper has a sum
  over the same tokens.
- The boundary may be a special token, [CLS] or [SEP], whose states are encoded as well. The code
  skips spans at the border of its segment; here those that touch the end of the sequence or padding
  are skipped. In both, tokens beyond the last place have no second loss.
- The activation is GeLU in both; here it is the encoder's, as for every head. The paper omits the
  biases b1 and b2 of the two layers.

Shape legend: B sequences of this process, T tokens, M predicted slots, D width of the encoder,
E width of the word embeddings, P width of p, V vocabulary.
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
from objbench.blocks.heads import TokenHead, at_positions
from objbench.blocks.spans import Runs, length_thresholds, select_spans
from objbench.blocks.whole_words import Words
from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need, Term, TermLoss
from objbench.errors import ConfigError
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.wwm import WholeWordMasking

PLACES = 15
"""The number of tokens of a span, from its first, that its boundaries predict."""

LEFT = "sbo.left"
"""Extra of the corruption: (B, M) int64, the column before each slot's span; undefined in unused slots."""

RIGHT = "sbo.right"
"""Extra of the corruption: (B, M) int64, the column after it."""

PLACE = "sbo.place"
"""Extra of the corruption: (B, M) int64 in [0, PLACES), i - s of each slot."""

TARGETS = "sbo.targets"
"""Extra of the corruption: (B, M) int64, the token, IGNORE_INDEX where it has no second loss."""


def boundaries(batch: Batch, positions: Tensor, used: Tensor, runs: Runs) -> dict[str, Tensor]:
    """The four extras that the boundary objective reads, each (B, M) int64.

    Args:
        batch: uncorrupted, (B, T).
        positions: (B, M) int64, the predicted columns.
        used: (B, M) bool, slots in use.
        runs: the runs of predicted tokens.
    """
    final = batch.input_ids.shape[1] - 1
    first, last = runs.first.gather(1, positions), runs.last.gather(1, positions)
    left, right = (first - 1).clamp(min=0), (last + 1).clamp(max=final)
    place = (positions - first).clamp(min=0)
    # A sequence begins with a real token, so the token before a span is real.
    inside = (first > 0) & (last < final) & batch.real.gather(1, right)
    speaking = used & inside & (place < PLACES)
    tokens = batch.input_ids.gather(1, positions)
    targets = tokens.masked_fill(~speaking, IGNORE_INDEX)
    return {LEFT: left, RIGHT: right, PLACE: place.clamp(max=PLACES - 1), TARGETS: targets}


class BoundaryPrediction(Term):
    """The span boundary objective "sbo": predict a span's tokens from the tokens next to it.

    Formula in the module's docstring. total = the sum of the cross-entropies in float32, count =
    the number of tokens whose span has both boundaries and whose place is below ``PLACES``.

    Args:
        encoder_spec: of the encoder, for the head.
        place_width: P.
    """

    name = "sbo"
    needs = frozenset({Need.LAST_HIDDEN_STATE, Need.WORD_EMBEDDINGS})

    def __init__(self, encoder_spec: EncoderSpec, place_width: int) -> None:
        super().__init__()
        width = encoder_spec.width
        self.places = nn.Embedding(PLACES, place_width)
        self.inner = nn.Linear(2 * width + place_width, width)
        self.activation = ACT2FN[encoder_spec.activation]
        self.norm = nn.LayerNorm(width, eps=encoder_spec.norm_epsilon)
        self.outer = TokenHead(encoder_spec)
        for module in (self.places, self.inner):
            nn.init.normal_(module.weight, std=encoder_spec.initializer_range)
        nn.init.zeros_(self.inner.bias)

    def logits(self, left: Tensor, right: Tensor, place: Tensor, words: Tensor) -> Tensor:
        """Word logits (B, M, V) in the compute dtype.

        Args:
            left: (B, M, D), the states before the span.
            right: (B, M, D), those after it.
            place: (B, M) int64 in [0, PLACES).
            words: (V, E), the encoder's word embeddings.
        """
        # In one dtype: under autocast the embeddings are float32, and the states may not be.
        joined = torch.cat([left, right, self.places(place).to(left.dtype)], dim=-1)
        inner = self.norm(self.activation(self.inner(joined)))
        logits: Tensor = self.outer(inner, words)
        return logits

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing."""
        states, extras = encoder_pass.last_hidden_state, encoder_pass.batch.extras
        logits = self.logits(
            at_positions(states, extras[LEFT]),
            at_positions(states, extras[RIGHT]),
            extras[PLACE],
            encoder_pass.need(Need.WORD_EMBEDDINGS),
        )
        targets = extras[TARGETS]
        total = functional.cross_entropy(
            logits.flatten(0, 1).float(),
            targets.flatten(),
            ignore_index=IGNORE_INDEX,
            reduction="sum",
        )
        return TermLoss(total=total, count=self.count_items(encoder_pass.batch))

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The slots that have a second loss."""
        return (corrupted.extras[TARGETS] != IGNORE_INDEX).sum().float()


class SpanMasking(WholeWordMasking):
    """SpanBERT: cross-entropy of masked spans' tokens, optionally from their boundaries too.

    Formula, defaults and differences from paper and code are in the module's docstring.

    Raises:
        ConfigError: the tokenizer does not mark where words begin or go on.
    """

    name = "span"
    summary = "masked language modelling of spans of words (SpanBERT; SBO with boundary=true)"
    reference = "Joshi et al. 2020, https://arxiv.org/abs/1907.10529"
    prediction = "span"

    thresholds: Tensor

    @dataclass(frozen=True, kw_only=True)
    class Config(MaskedLanguageModeling.Config):
        """Hyperparameters of masking, of the spans and of the boundary objective.

        Attributes:
            geometric_p: p of the geometric law of the length of a span, in words.
            longest: the most words of a drawn span; spans may touch.
            boundary: add the span boundary objective, with weight 1.
            place_width: numbers in the embedding of a place in the span.

        Raises:
            ConfigError: a value out of range.
        """

        geometric_p: float = 0.2
        longest: int = 10
        boundary: bool = False
        place_width: int = 200

        def __post_init__(self) -> None:
            MaskedLanguageModeling.Config.__post_init__(self)
            if not 0 < self.geometric_p <= 1:
                raise ConfigError(f"geometric_p must be in (0, 1], not {self.geometric_p}")
            for option in ("longest", "place_width"):
                if getattr(self, option) < 1:
                    raise ConfigError(f"{option} must be at least 1, not {getattr(self, option)}")

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__(config, encoder_spec)
        thresholds = length_thresholds(config.geometric_p, config.longest)
        self.register_buffer("thresholds", thresholds, persistent=False)
        if config.boundary:
            self.set_terms(*self.terms, BoundaryPrediction(encoder_spec, config.place_width))

    def choose(self, words: Words, rate: float, wanted: Tensor, streams: Streams) -> Tensor:
        """(B, T) bool, the tokens to predict: spans of whole words."""
        return select_spans(words, self.thresholds, wanted, streams)

    def details(
        self, batch: Batch, chosen: Tensor, positions: Tensor, used: Tensor, streams: Streams
    ) -> tuple[Tensor, dict[str, Tensor] | None]:
        """One lot per span, that of its first column, and what the boundary objective reads."""
        runs = Runs.of(chosen)
        lots = streams.uniform("span.replace", chosen.shape[1])
        extras = boundaries(batch, positions, used, runs) if self.config.boundary else None
        return lots.gather(1, runs.first).gather(1, positions), extras


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(SpanMasking)
