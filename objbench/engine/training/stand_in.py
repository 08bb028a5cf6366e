"""A stand-in for what a study pretrains: what can be seen of a few layers is seen before training.

What a family of encoders or a term of an objective does wrong depends neither on depth nor on the
text, so a few layers and a few made-up sequences show it in seconds, before a corpus is read.

Shape legend: B sequences, T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from objbench.contract.batch import Batch, Rows
from objbench.contract.composition import ObjectiveClass
from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.objective import Objective
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.study.settings import EncoderSection

ROWS = 8
"""Sequences that are tried."""

LAYERS = 2
"""Layers of an encoder that stands for its family: the second passes on what the first has seen."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """An objective with the encoder's few layers and some text.

    Attributes:
        section: of the encoder, with at most ``LAYERS`` layers; a checkpoint's as it is.
        kind: the objective's class or composition.
        config: an instance of its ``Config``.
        vocabulary: of the text.
        objective: of ``kind``, as it is beside the whole encoder.
        batch: (B, T) words after [CLS], without padding.
    """

    section: EncoderSection
    kind: ObjectiveClass
    config: Any
    vocabulary: Vocabulary
    objective: Objective
    batch: Batch

    def encoder(self) -> PreTrainedModel:
        """The few layers, with weights; raises as ``build_encoder``."""
        length = self.batch.input_ids.shape[1]
        return build_encoder(self.section, self.vocabulary, length, seed=0)


def stand_in(
    section: EncoderSection, kind: ObjectiveClass, config: Any, vocabulary: Vocabulary, length: int
) -> StandIn | None:
    """The stand-in; None where it cannot be built, which shows elsewhere, in its own words.

    Args:
        section: the encoder's.
        kind: the objective's class or composition.
        config: an instance of its ``Config``.
        vocabulary: a small one will do.
        length: T, tokens of a sequence.
    """
    words = torch.tensor(sorted({*range(vocabulary.size)}.difference(vocabulary.special)))
    try:
        ids = words[torch.arange(ROWS * length).reshape(ROWS, length) % len(words)]
        ids[:, 0] = vocabulary.cls
        with torch.device("meta"):
            whole = build_encoder(section, vocabulary, length, seed=0)
            spec = encoder_spec_of(whole, vocabulary)
        objective = build_objective(kind, config, spec, seed=0)
        few = _shallow(section)
    except (Exception, SystemExit):  # noqa: BLE001 - a plugin may raise anything
        return None
    batch = Batch(ids, ids == vocabulary.cls, None, Rows.alone(ROWS))
    return StandIn(few, kind, config, vocabulary, objective, batch)


def _shallow(section: EncoderSection) -> EncoderSection:
    layers = section.config.get("num_hidden_layers", LAYERS)
    fewer = {"num_hidden_layers": min(LAYERS, layers)}
    return section.model_copy(update={"config": {**section.config, **fewer}})
