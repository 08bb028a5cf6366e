"""SimCSE: contrast two encodings of a sequence, with different dropout, with other sequences.

Gao et al. 2021, section 3 and eq. 4 (unsupervised), as a term beside any objective. With h[i] and
h'[i] the vectors of sequence i from two encodings that differ in their dropout,

    loss[i] = -log( exp(cos(h[i], h'[i]) / tau) / sum over j of exp(cos(h[i], h'[j]) / tau) )

where j runs over the whole batch of all processes, or over one part of it with
``--micro-batches``; the mean over i. With ``pooling="cls"``
h is tanh(W x + b) of the first token's state x, as in the paper; the encoder is exported without
W and b, which is how the paper evaluates it.

Differences from the paper and its code (princeton-nlp/SimCSE, ``simcse/models.py``):

- There it is a separate stage, on a pretrained encoder and single sentences of up to 32 tokens. Here
  it is part of pretraining, on packed sequences that may hold pieces of several documents.
- With ``--do_mlm`` the code encodes the clean input twice and the masked one once. Here both
  encodings are of the corrupted input, so that the objective's own pass is one of them: one extra
  pass instead of two.
- Weight. There the masked-LM loss is the auxiliary one, with weight 0.1 (``--mlm_weight``). In
  pretraining the two have been added with equal weights (Giorgi et al. 2021, DeCLUTR;
  JohnGiorgi/DeCLUTR, ``declutr/model.py``): weight 1.
- The code gathers the vectors of all processes, and candidates get no gradient from anchors of
  other processes. Here value and gradient are exact; see ``objbench_objectives.in_batch``.
- With "mean" there is no W, as in the code (``pooler_type="avg"``).
- Held-out text is encoded without dropout: with ``view="dropout"`` both encodings are the same, and
  the loss is lower than in training.

**Encoders without dropout**, as in the presets demo and tiny, have only one encoding of an input.
Then h and h' are made from one pass, and the term itself drops entries of the vector x at the rate
``dropout``, independently for each. That is far from the paper, whose noise passes through every
layer: what remains is mostly that sequences are pushed apart. ``view="crop"`` is closer to a real
contrast: h' is the encoding of a random crop of the input, an augmentation that the paper finds
weaker than dropout (table 1: 77.8 against 82.5 on STS-B, for crops of 90%).

Shape legend: B sequences of this process, T tokens, D width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from objbench import hookimpl
from objbench.contract.batch import Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import AddedTerm, Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, TermLoss
from objbench.errors import ConfigError
from objbench_objectives.crop import random_crop
from objbench_objectives.dropout import drops
from objbench_objectives.in_batch import pair_loss
from objbench_objectives.sequence_vector import Pooling, sequence_vectors

View = Literal["dropout", "crop"]


class SequenceContrast(AddedTerm):
    """Unsupervised SimCSE; formula and differences from public code are in the module's docstring.

    Args:
        config: a ``SequenceContrast.Config``.
        encoder_spec: of the encoder.
        joined: any objective.

    Raises:
        ConfigError: the two views would be the same.
    """

    name = "simcse"
    summary = "contrast two encodings of each sequence with the rest of the batch (SimCSE)"
    reference = "Gao et al. 2021, https://arxiv.org/abs/2104.08821"
    across_sequences = "its negatives are the vectors of other sequences"

    @dataclass(frozen=True, kw_only=True)
    class Config(AddedTerm.Config):
        """Hyperparameters of the views and of the loss.

        Attributes:
            weight: factor of the term in the total loss.
            temperature: tau, the divisor of the cosine similarities.
            pooling: vector of a sequence: "cls", the first token's through a dense layer and tanh;
                "mean", the mean over real tokens.
            view: what is encoded the second time: "dropout", the same input with other dropout;
                "crop", a random run of its tokens.
            keep: share of the tokens that a crop keeps; no effect with view=dropout.
            dropout: rate at which the term itself drops entries of the vectors if the encoder has
                no dropout; no effect otherwise, or with view=crop.

        Raises:
            ConfigError: a value out of range.
        """

        weight: float = 1.0
        temperature: float = 0.05
        pooling: Pooling = "cls"
        view: View = "dropout"
        keep: float = 0.9
        dropout: float = 0.1

        def __post_init__(self) -> None:
            for option, choices in (("pooling", Pooling), ("view", View)):
                if getattr(self, option) not in get_args(choices):
                    raise ConfigError(f"{option} must be one of {', '.join(get_args(choices))}")
            if not self.weight >= 0:
                raise ConfigError(f"weight must not be negative, not {self.weight}")
            if not self.temperature > 0:
                raise ConfigError(f"temperature must be positive, not {self.temperature}")
            if not 0 < self.keep <= 1:
                raise ConfigError(f"keep must be in (0, 1], not {self.keep}")
            if not 0 <= self.dropout < 1:
                raise ConfigError(f"dropout must be in [0, 1), not {self.dropout}")

    def __init__(self, config: Any, encoder_spec: EncoderSpec, joined: Objective) -> None:
        super().__init__(config, encoder_spec, joined)
        self.vocabulary = encoder_spec.vocabulary
        self.drops_itself = config.view == "dropout" and not drops(encoder_spec.encoder_config)
        if self.drops_itself and not config.dropout:
            raise ConfigError(
                "the encoder has no dropout, so that both views of simcse would be the same: "
                "set simcse.dropout above 0, simcse.view=crop, or dropout in the encoder's config"
            )
        self.dense: nn.Linear | None = None
        if config.pooling == "cls":
            self.dense = nn.Linear(encoder_spec.width, encoder_spec.width)
            nn.init.normal_(self.dense.weight, std=encoder_spec.initializer_range)
            nn.init.zeros_(self.dense.bias)

    def view(self, batch: Batch, corrupted: Corrupted, streams: Streams) -> Batch | None:
        """The input of the second encoding; None if the term drops entries itself."""
        if self.drops_itself:
            return None
        again = Batch(
            corrupted.input_ids,
            corrupted.special,
            corrupted.attention,
            corrupted.rows,
            corrupted.progress,
        )
        if self.config.view == "crop":
            again = random_crop(again, self.vocabulary, self.config.keep, streams, "simcse.crop")
        # Read like the first encoding, so that the two differ in their noise only.
        return Corrupted.of(again, causal=corrupted.causal)

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws if the term drops entries itself.

        Raises:
            ConfigError: the whole batch is one sequence.
        """
        batch, states = encoder_pass.batch, encoder_pass.last_hidden_state
        if batch.rows.total < 2:
            raise ConfigError(
                "simcse contrasts sequences: a (micro-)batch needs at least 2; raise the batch size"
            )
        one = other = sequence_vectors(states, batch, self.config.pooling)
        if self.drops_itself:
            one, other = self._dropped(one, streams), self._dropped(one, streams)
        else:
            view = encoder_pass.views[self.name]
            other = sequence_vectors(view.last_hidden_state, view.batch, self.config.pooling)
        total = pair_loss(
            self._projected(one), self._projected(other), batch.rows, self.config.temperature
        )
        return TermLoss(total, self.count_items(batch))

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The sequences."""
        return corrupted.real.new_full((), float(len(corrupted.real)), dtype=torch.float32)

    def _dropped(self, vectors: Tensor, streams: Streams) -> Tensor:
        """(B, D) with entries dropped and the others scaled to keep the mean; in training only."""
        if not self.training:
            return vectors
        rate = self.config.dropout
        lot: Tensor = streams.uniform("simcse.dropout", vectors.shape[1])
        dropped: Tensor = vectors * (lot >= rate) / (1 - rate)
        return dropped

    def _projected(self, vectors: Tensor) -> Tensor:
        return vectors if self.dense is None else torch.tanh(self.dense(vectors))


@hookimpl
def register_terms(register: Callable[[type[AddedTerm]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(SequenceContrast)
