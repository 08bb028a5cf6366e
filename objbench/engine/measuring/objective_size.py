"""The size of an objective: parameters of the encoder and of each head, FLOPs of a sequence.

Measured without text, on a made-up vocabulary of the right size and a few random sequences, by one
real step forward and backward. Both numbers depend on shapes only, not on words.

Shape legend: B rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from objbench.contract.batch import Batch, Rows
from objbench.contract.composition import ObjectiveClass
from objbench.contract.encoder_spec import CONTINUES, Vocabulary
from objbench.contract.random_streams import Streams, numpy_generator
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.training.causality import require_causal_where_asked
from objbench.engine.training.flops import count_training_flops
from objbench.engine.training.step import TrainingStep
from objbench.engine.training.teachers import stand_ins
from objbench.study.settings import EncoderSection

ROWS = 4
"""Sequences that FLOPs are counted on. Work between all pairs of a batch's sequences or tokens
grows faster than the batch and is understated here."""

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True, slots=True)
class Size:
    """Parameters and FLOPs.

    Attributes:
        encoder: parameters of the encoder.
        heads: term -> its own parameters.
        outside_terms: parameters of the objective that belong to no term, such as a generator's.
        flops: training FLOPs of one sequence, forward and backward, declared ones included; in
            expectation, if the objective has several modes.
    """

    encoder: int
    heads: Mapping[str, int]
    outside_terms: int
    flops: float


def size_of(
    kind: ObjectiveClass,
    config: Any,
    encoder: EncoderSection,
    words: int,
    length: int,
) -> Size:
    """The size of an objective at one encoder.

    Args:
        config: an instance of the objective's ``Config``.
        words: size of the vocabulary, special tokens included.
        length: T.

    Raises:
        ConfigError: the encoder does not fit.
    """
    vocabulary = made_up_vocabulary(words)
    network = build_encoder(encoder, vocabulary, length, seed=0)
    objective = build_objective(kind, config, encoder_spec_of(network, vocabulary), seed=0)
    teachers = stand_ins(kind.teachers(config), encoder, vocabulary, length, seed=0)
    step = TrainingStep(network, objective, teachers).train()
    batch = _random_batch(vocabulary, length)
    require_causal_where_asked(step, batch, Streams(0, 0, 0, rows=ROWS))
    counted = count_training_flops(step, batch, Streams(0, 0, 0, rows=ROWS))
    heads = {term.name: sum(p.numel() for p in term.parameters()) for term in objective.terms}
    return Size(
        encoder=sum(p.numel() for p in network.parameters()),
        heads=heads,
        outside_terms=sum(p.numel() for p in objective.parameters()) - sum(heads.values()),
        flops=counted.flops / ROWS,
    )


def made_up_vocabulary(words: int) -> Vocabulary:
    """BERT's five special tokens and made-up ones, every fourth of which continues a word."""
    made = (f"{CONTINUES if number % 4 == 3 else ''}w{number}" for number in range(words))
    tokens = (*_SPECIAL, *made)[:words]
    return Vocabulary(words, pad=0, cls=2, sep=3, mask=4, special=(0, 1, 2, 3, 4), tokens=tokens)


def _random_batch(vocabulary: Vocabulary, length: int) -> Batch:
    draw = numpy_generator(0, "made-up text")
    ids = draw.integers(len(_SPECIAL), vocabulary.size, (ROWS, length))
    ids[:, 0] = vocabulary.cls
    input_ids = torch.from_numpy(ids)
    return Batch(input_ids, input_ids < len(_SPECIAL), None, Rows.alone(ROWS))
