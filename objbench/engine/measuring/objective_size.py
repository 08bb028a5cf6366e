"""The size of an objective: parameters of the encoder and of each head, FLOPs of a step.

Counted without text, on a made-up vocabulary of the right size and on tensors without numbers; see
``fake_step``. All of it depends on shapes only, not on words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from objbench.contract.composition import ObjectiveClass
from objbench.contract.encoder_spec import CONTINUES, Vocabulary
from objbench.engine.measuring.fake_network import Planned
from objbench.engine.measuring.fake_step import FakeStep
from objbench.errors import ObjbenchError
from objbench.study.settings import EncoderSection, TrainingSection

_TRIED_ROWS = 2

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True, slots=True)
class Size:
    """Parameters and FLOPs.

    Attributes:
        encoder: parameters of the encoder.
        heads: term -> its own parameters.
        outside_terms: parameters of the objective that belong to no term, such as a generator's.
        flops: training FLOPs of a step, forward and backward, declared ones included; in
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
    training: TrainingSection,
) -> Size:
    """The size of an objective at one encoder.

    Args:
        config: an instance of the objective's ``Config``.
        words: size of the vocabulary, special tokens included.
        length: T, tokens of a sequence.
        training: its batch and micro-batches.

    Raises:
        ConfigError: the encoder does not fit.
    """
    step = fake_step(kind, config, encoder, training, words, length)
    parts = training.micro_batches
    flops = parts * step.flops(training.batch // parts)
    return Size(step.encoder_parameters, step.heads, step.outside_terms, flops)


def fake_step(
    kind: ObjectiveClass,
    config: Any,
    encoder: EncoderSection,
    training: TrainingSection,
    words: int,
    length: int,
    planned: Planned = "cpu",
) -> FakeStep:
    """The step to count; on real tensors where the objective's code reads their numbers.

    Raises:
        ConfigError: the encoder does not fit.
    """
    vocabulary = made_up_vocabulary(words)
    try:
        step = FakeStep(kind, config, encoder, training, vocabulary, length, planned)
        step.counted(_TRIED_ROWS)
    except ObjbenchError:
        raise
    except Exception:  # noqa: BLE001 - foreign code; what is wrong with it shows in the next line
        return FakeStep(
            kind, config, encoder, training, vocabulary, length, planned, with_numbers=True
        )
    return step


def made_up_vocabulary(words: int) -> Vocabulary:
    """BERT's five special tokens and made-up ones, every fourth of which continues a word."""
    made = (f"{CONTINUES if number % 4 == 3 else ''}w{number}" for number in range(words))
    tokens = (*SPECIAL, *made)[:words]
    return Vocabulary(words, pad=0, cls=2, sep=3, mask=4, special=(0, 1, 2, 3, 4), tokens=tokens)
