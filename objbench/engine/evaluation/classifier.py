"""An exported encoder, alone or under a fresh head on its first token, or on means of its tokens.

The head is the one of transformers' ``BertForSequenceClassification``, for every encoder alike:
dense + tanh (BERT's pooler), dropout, linear. The pooler is fresh because no objective here
trains one. Its initial weights have their own random stream, so they are the same for every
encoder at one fine-tuning seed.

With "sides" the head reads what Conneau et al. 2017 (arXiv:1705.02364, section 3.1) read of two
sentences: their means u and v, |u - v| and u * v. Theirs are encoded one by one; here a pair is one
sequence, so each sentence may also see the other. The four are normalised to one scale, and the
pooler's initial weights have a standard deviation of 1 / sqrt(4 D), since the encoder's own is for
one state.

Shape legend: B examples, T tokens, D width of the encoder, C classes (1 for a regression).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from objbench.contract.random_streams import torch_generator
from objbench.data.tokenizer import TokenizerHandle
from objbench.engine.encoder.attention_mask import padding_mask
from objbench.engine.encoder.inputs import longest_input, takes_token_types
from objbench.engine.encoder.load import fresh_encoder
from objbench.engine.evaluation.batching import ExampleBatch
from objbench.engine.evaluation.recipe import Pooling
from objbench.errors import DataError


class Classifier(nn.Module):
    """Encoder, pooler and linear layer.

    Args:
        encoder: a transformers encoder whose output has ``last_hidden_state``.
        labels: C, or 1 for a regression.
        dropout: before the linear layer.
        seed: the fine-tuning seed, which decides the head's initial weights.
        pooling: see ``Recipe``.
        is_pair: whether the examples are pairs; matters with "sides" only.
    """

    def __init__(
        self,
        encoder: nn.Module,
        labels: int,
        dropout: float,
        seed: int,
        pooling: Pooling = "cls",
        is_pair: bool = False,
    ) -> None:
        super().__init__()
        self._pooling = pooling
        self._compares = pooling == "sides" and is_pair
        if pooling == "cls":
            _stop_at_first_token(encoder)
        self.encoder = encoder
        config = encoder.config
        width = int(config.hidden_size)  # type: ignore[union-attr, arg-type]
        deviation = float(getattr(config, "initializer_range", 0.02))
        read = 4 * width if self._compares else width
        self.dense = nn.Linear(read, width)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, labels)
        generator = torch_generator(seed, "finetune/head")
        of_pooler = read**-0.5 if self._compares else deviation
        for layer, std in ((self.dense, of_pooler), (self.linear, deviation)):
            nn.init.normal_(layer.weight, std=std, generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, batch: ExampleBatch) -> Tensor:
        """Logits, (B, C) float32."""
        states = token_states(self.encoder, batch)
        pooled = torch.tanh(self.dense(self._read(states, batch)))
        logits: Tensor = self.linear(self.dropout(pooled))
        return logits.float()

    def _read(self, states: Tensor, batch: ExampleBatch) -> Tensor:
        """What the pooler reads: (B, D), or (B, 4 D) where it compares two sentences."""
        if self._pooling == "cls":
            return states[:, 0]
        if not self._compares:
            return mean_state(states, batch.attention)
        real = torch.ones_like(batch.types) if batch.attention is None else batch.attention
        u, v = (mean_state(states, real * of) for of in (1 - batch.types, batch.types))
        compared = torch.cat([u, v, (u - v).abs(), u * v], dim=1)
        return F.layer_norm(compared, compared.shape[1:])

    def loss(self, parts: Sequence[ExampleBatch]) -> Tensor:
        """Mean loss, (), over the examples of a batch that is computed in parts.

        Cross-entropy, or the squared error where there is one label.
        """
        logits = torch.cat([self(part) for part in parts])
        labels = torch.cat([part.labels for part in parts])
        if logits.shape[1] == 1:
            return F.mse_loss(logits[:, 0], labels)
        return F.cross_entropy(logits, labels)


def token_states(encoder: nn.Module, batch: ExampleBatch) -> Tensor:
    """The last layer's states, (B, T, D), those at padding included."""
    types = {"token_type_ids": batch.types} if takes_token_types(encoder) else {}
    mask = padding_mask(encoder, batch.attention)
    output = encoder(input_ids=batch.ids, attention_mask=mask, **types)
    states: Tensor = output.last_hidden_state
    return states


def mean_state(states: Tensor, attention: Tensor | None) -> Tensor:
    """The mean over an example's own tokens, (B, D).

    Args:
        states: (B, T, D).
        attention: (B, T), 0 at padding; None where nothing is padded.
    """
    if attention is None:
        return states.mean(dim=1)
    real = attention.unsqueeze(-1).to(states.dtype)
    return (states * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)


def _stop_at_first_token(encoder: nn.Module) -> None:
    """Let the last layer of a BERT-shaped encoder continue with the first token alone.

    Only that token's output is read. After the last attention no token sees another, so cutting
    there changes no number and saves most of the last layer: 9/24 of the matrix products of a
    two-layer encoder. Encoders of another shape are left as they are, and so are those that pad
    what they are given to whole blocks, since they cut their states afterwards.
    """
    if any(name.startswith("_pad_to_") for name in dir(encoder)):
        return
    layers = getattr(getattr(encoder, "encoder", None), "layer", None)
    if not isinstance(layers, nn.ModuleList):
        return
    output = getattr(getattr(layers[-1], "attention", None), "output", None)
    if not isinstance(output, nn.Module):
        return
    if list(inspect.signature(output.forward).parameters) != ["hidden_states", "input_tensor"]:
        return

    def cut(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(tensor[:, :1] for tensor in inputs)

    output.register_forward_pre_hook(cut)


def load_classifier(
    folder: Path,
    labels: int,
    dropout: float | None,
    seed: int,
    pooling: Pooling = "cls",
    is_pair: bool = False,
) -> Classifier:
    """The encoder in ``folder`` under a fresh head; draws from torch's global generator.

    Args:
        folder: what ``AutoModel`` loads.
        labels: C, or 1 for a regression.
        dropout: replaces every dropout rate of the encoder's configuration; None keeps them.
        seed: the fine-tuning seed.
        pooling, is_pair: see ``Classifier``.

    Raises:
        CheckpointError: the folder holds no encoder.
    """
    encoder = fresh_encoder(folder, dropout)
    if dropout is None:
        # BertForSequenceClassification's choice where the configuration names no other.
        dropout = getattr(encoder.config, "classifier_dropout", None)
    if dropout is None:
        dropout = getattr(encoder.config, "hidden_dropout_prob", 0.1)
    return Classifier(encoder, labels, float(dropout), seed, pooling, is_pair)


def length_limit(encoder: nn.Module, tokenizer: TokenizerHandle, length: int, folder: Path) -> int:
    """``length``, or less if the encoder has fewer positions.

    Raises:
        DataError: the tokenizer has more tokens than the encoder.
    """
    config = encoder.config
    size = getattr(config, "vocab_size", None)
    tokens = len(tokenizer.hf)
    if size is not None and tokens > int(size):
        raise DataError(
            f"{folder}: its tokenizer has {tokens} tokens but its encoder {size}; "
            "they do not match: export the encoder again"
        )
    longest = longest_input(encoder)
    return length if longest is None else min(length, longest)
