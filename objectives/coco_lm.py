"""COCO-LM: correct a generator's replacements, and contrast each sequence with a crop of it.

Meng et al. 2021 (arXiv:2102.08473), section 3. A generator, trained as a masked language model,
puts samples in the place of masked tokens, as in ELECTRA; the encoder reads the result and learns
from it and from a contiguous piece of the original:

    total = L_generator + lambda_copy L_copy + L_corrective + L_scl

L_generator is that of ``rtd``; L_copy and L_corrective are in ``objbench_objectives.correction``.
L_scl, sequence contrastive learning, is over the 2 R [CLS] states of corrupted sequences and crops
of the whole batch over all processes, or of one part of it with ``--micro-batches``: for each, the
other one of the same sequence is to be picked among all the rest, by cosine over tau
(``objbench_objectives.in_batch``, two_view_loss).

Defaults are those of the authors' code (microsoft/COCO-LM, fairseq's ``models/cocolm/model.py``,
``base_architecture``): lambda_copy 50, tau 1, weight 1 of L_scl, a generator as wide as the encoder
with 4 of its 12 layers, embeddings shared; and the paper's crops of 90%, and 15% masked, all of it
as [MASK]. Paper and code (whose criterion "cocolm" computes the losses) differ from each other and
from this file:

- Where words are predicted. The copy mechanism gives a probability for every token, but at tokens
  that were not masked the input is right, p_copy is learned by L_copy, and almost nothing remains to
  learn about words: L_corrective is over the masked positions, as in the code. So (B, T, V) logits
  are never made.
- Its formula. At a masked position whose sample happens to be the original, the paper takes the
  mixture of copying and writing, and elsewhere -log p_copy(0) - log p_word; the code weights
  -log p_word with p_copy(0) at all masked positions. Default: the paper's;
  ``correction="reference"`` is the code's.
- The copy head is linear; with a bias, as in the code, where the paper has none.
- L_scl compares the [CLS] states themselves, as in the paper; the code first applies a dense layer,
  an activation and a layer normalisation, and its candidates are those of one process.
- Crops. The code's may lose [CLS] unless ``add_span_cls``; here [CLS] always comes first.
- Dropout. The code samples from a generator without dropout: in evaluation mode, or with rates of
  zero ("zero-dropout"). Here its layers have none. The embedding layer that it shares with the
  encoder has the encoder's dropout.
- The code masks with counts rounded at random, as here, but may choose [CLS] and then keep it.

Shape legend: B sequences of this process, R of the whole batch, T tokens, T' of a crop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
from torch import Tensor
from transformers import CONFIG_MAPPING

from objbench import hookimpl
from objbench.contract.batch import Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec, Vocabulary
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Term, TermLoss
from objbench.errors import ConfigError
from objbench_objectives.correction import CopyDetection, Correction, Formula
from objbench_objectives.crop import random_crop
from objbench_objectives.dropout import dropout_fields
from objbench_objectives.generator import Generator
from objbench_objectives.in_batch import two_view_loss
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.sampled_tokens import GeneratorObjective, GeneratorPrediction
from objbench_objectives.sequence_vector import sequence_vectors


class SequenceContrast(Term):
    """L_scl: contrast the corrupted sequence and a crop of the original with the rest of the batch.

    Args:
        vocabulary: gives the id of padding.
        weight: its factor in the total loss.
        keep: share of the tokens that a crop keeps.
        temperature: tau, the divisor of the cosine similarities.
    """

    name = "scl"
    across_sequences = "its negatives are the vectors of other sequences"

    def __init__(
        self, vocabulary: Vocabulary, weight: float, keep: float, temperature: float
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.weight = weight
        self.keep = keep
        self.temperature = temperature

    def view(self, batch: Batch, corrupted: Corrupted, streams: Streams) -> Batch:
        """The crop, (B, T')."""
        return random_crop(batch, self.vocabulary, self.keep, streams, "scl.crop")

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing.

        Raises:
            ConfigError: the whole batch is one sequence.
        """
        batch, view = encoder_pass.batch, encoder_pass.views[self.name]
        if batch.rows.total < 2:
            raise ConfigError(
                "coco_lm contrasts sequences: a (micro-)batch needs at least 2; raise the batch "
                "size"
            )
        corrupted = sequence_vectors(encoder_pass.last_hidden_state, batch)
        cropped = sequence_vectors(view.last_hidden_state, view.batch)
        total = two_view_loss(corrupted, cropped, batch.rows, self.temperature)
        return TermLoss(total, self.count_items(batch))

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """Both vectors of every sequence."""
        return corrupted.real.new_full((), 2.0 * len(corrupted.real), dtype=torch.float32)


def shallower(encoder_spec: EncoderSpec, depth: float) -> EncoderSpec:
    """``encoder_spec`` with ``depth`` times the layers, rounded, at least one, and without dropout.

    Raises:
        ConfigError: the encoder's configuration has no number of layers.
    """
    plain = encoder_spec.encoder_config
    kind = str(plain["model_type"])
    name = CONFIG_MAPPING[kind].attribute_map.get("num_hidden_layers", "num_hidden_layers")
    if name not in plain:
        raise ConfigError(
            f"an encoder of kind {kind!r} cannot be made shallower for a generator; "
            "name one such as 'bert'"
        )
    layers, kept = plain[name], max(1, round(plain[name] * depth))
    # A list with an entry per layer, such as ModernBERT's kinds of attention, is cut as well.
    listed = {
        field: value[:kept]
        for field, value in plain.items()
        if isinstance(value, list) and len(value) == layers
    }
    still = dict.fromkeys(dropout_fields(plain), 0.0)
    return replace(encoder_spec, encoder_config={**plain, **listed, **still, name: kept})


class CorrectingAndContrasting(GeneratorObjective):
    """COCO-LM; formulas, defaults and differences from public code are in the module's docstring."""

    name = "coco_lm"
    summary = "correct a generator's replacements, contrast sequences with crops (COCO-LM)"
    reference = "Meng et al. 2021, https://arxiv.org/abs/2102.08473"
    across_sequences = SequenceContrast.across_sequences

    @dataclass(frozen=True, kw_only=True)
    class Config(MaskedLanguageModeling.Config):
        """Hyperparameters of the generator, and of the three losses of the encoder.

        Attributes:
            mask_share: share of the predicted tokens that the generator sees as [MASK].
            random_share: share of these that it sees as a random word; the rest as they are.
            generator_depth: layers of the generator as a share of the encoder's, at most 1.
            copy_weight: lambda_copy, factor of the copy loss in the total loss.
            correction: the corrective loss of the "paper", or of the "reference" code.
            scl_weight: factor of sequence contrastive learning in the total loss.
            keep: share of the tokens that a crop keeps.
            temperature: tau, the divisor of the cosine similarities of sequences.

        Raises:
            ConfigError: a value out of range.
        """

        mask_share: float = 1.0
        random_share: float = 0.0
        generator_depth: float = 1 / 3
        copy_weight: float = 50.0
        correction: Formula = "paper"
        scl_weight: float = 1.0
        keep: float = 0.9
        temperature: float = 1.0

        def __post_init__(self) -> None:
            MaskedLanguageModeling.Config.__post_init__(self)
            if self.correction not in get_args(Formula):
                raise ConfigError(f"correction must be one of {', '.join(get_args(Formula))}")
            for option in ("generator_depth", "keep"):
                if not 0 < getattr(self, option) <= 1:
                    raise ConfigError(f"{option} must be in (0, 1], not {getattr(self, option)}")
            for option in ("copy_weight", "scl_weight"):
                if not getattr(self, option) >= 0:
                    raise ConfigError(f"{option} must not be negative, not {getattr(self, option)}")
            if not self.temperature > 0:
                raise ConfigError(f"temperature must be positive, not {self.temperature}")

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        shallow = shallower(encoder_spec, config.generator_depth)
        super().__init__(config, encoder_spec, Generator(shallow, size=1.0))
        copying = CopyDetection(encoder_spec, config.copy_weight)
        self.set_terms(
            GeneratorPrediction(),
            copying,
            Correction(encoder_spec, copying, config.correction),
            SequenceContrast(
                encoder_spec.vocabulary, config.scl_weight, config.keep, config.temperature
            ),
        )


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(CorrectingAndContrasting)
