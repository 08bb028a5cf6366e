"""Masked language modelling without [MASK] in the encoder: a masked autoencoder for text (MAE-LM).

Meng et al. 2024, "Representation Deficiency in Masked Language Modeling" (arXiv:2302.02060). The
encoder reads only the tokens that are not masked; a shallow decoder gets its states, with [MASK]
embeddings in the gaps, and predicts what was there. After pretraining the decoder is dropped, so no
dimension of the encoder's states need be spent on [MASK], which downstream text does not have:

    H = encoder(x_i for i not in M)
    g_i = LayerNorm(p_i + (m if i in M else H_i)),  m the [MASK] embedding, p_i of position i
    L_MAE = mean over i in M of -log p(x_i | decoder(g)_i)

Defaults are those of the authors' code (yumeng5/MAE-LM): 15% of the tokens, all masked; a decoder of
4 layers for an encoder of 12, here a third of the encoder's layers whatever their number, of the
encoder's width, heads and feed-forward size, post-norm as BERT's, without dropout (its
``decoder_sample_mode`` is "zero-dropout"). The head is ``mlm``'s, on the decoder's states. Differences:

- Masked tokens are hidden from attention, not removed: ``Batch.attention`` is False there, so that
  the others keep their positions in every family of encoders, whether they are learned, rotary or
  relative. The states of the others are the same as if they had been removed with their positions
  kept. What is computed at hidden places is thrown away, and is part of the cost: the
  paper's encoder reads a sequence 15% shorter. [MASK] is the token at hidden places, so nothing of
  the answer leaks into an encoder that mixes neighbours by other means than attention (ConvBERT,
  FNet); such an encoder does read [MASK].
- The last layer of the decoder is computed at the masked positions only, which is the same loss.
  The paper's code computes it everywhere.
- The decoder's positions are sinusoids (Vaswani et al. 2017), which need no longest length, in place
  of learned ones; its layers are BERT's for every family of encoders.
- The [MASK] embedding is the decoder's own, of the width of its states; in the code it is the row
  of the encoder's word embeddings. The encoder's row is trained by nothing but the tied head.
- The authors' encoder has relative positions; the encoder here is that of the study.
- With ``mask_share`` below 1 the tokens predicted beside [MASK] are read by the encoder, as in BERT.

For terms that join (``mae+nsp``) masked tokens are padding: they are not real.

Cost: of the encoder as ``mlm``'s, and a decoder, all of which is counted; at equal FLOPs it gets
fewer steps than ``mlm``, and somewhat fewer than an implementation that removes masked tokens
would get. The encoder is exported without a head: there is none that reads its states.

Shape legend: B sequences of this process, T tokens, M masked slots, D width of the encoder,
Q query positions, K key positions, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.activations import ACT2FN

from objbench import hookimpl
from objbench.blocks.heads import TokenHead, at_positions, predicted_items
from objbench.blocks.masking import slot_count
from objbench.contract.batch import Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need, Term, TermLoss
from objbench.errors import ConfigError
from objbench_objectives.mlm import MaskedLanguageModeling, mask_on_schedule

HIDDEN = "mae.hidden"
"""Extra of the corruption: (B, T) bool, True at [MASK], which the encoder does not read."""

# What families call the sizes of the decoder.
_LAYERS = ("num_hidden_layers", "n_layers")
_HEADS = ("num_attention_heads", "n_heads")
_INNER = ("intermediate_size", "hidden_dim")


def sinusoids(length: int, width: int, device: torch.device) -> Tensor:
    """(T, D) float32: sin(i / 10000^(2c/D)) in the first half of the channels, cos in the second."""
    half = -(-width // 2)
    places = torch.arange(length, device=device, dtype=torch.float32)
    scales = torch.arange(half, device=device, dtype=torch.float32) * (-math.log(10_000) / half)
    angles = places.unsqueeze(1) * scales.exp()
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]


class DecoderLayer(nn.Module):
    """A post-norm transformer layer, computed at some of the positions.

        a = LayerNorm(x + Attention(x, context) W),  y = LayerNorm(a + act(a W1) W2)

    with biases, in place of BERT's layer.

    Args:
        encoder_spec: of the encoder: width, activation, epsilon, standard deviation of weights.
        heads: number of attention heads; divides the width.
        inner: size of the feed-forward network.
    """

    def __init__(self, encoder_spec: EncoderSpec, heads: int, inner: int) -> None:
        super().__init__()
        width, epsilon = encoder_spec.width, encoder_spec.norm_epsilon
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.joined = nn.Linear(width, width)
        self.widen = nn.Linear(width, inner)
        self.narrow = nn.Linear(inner, width)
        self.activation = ACT2FN[encoder_spec.activation]
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=epsilon) for _ in range(2))
        for linear in (self.query, self.key_value, self.joined, self.widen, self.narrow):
            nn.init.normal_(linear.weight, std=encoder_spec.initializer_range)
            nn.init.zeros_(linear.bias)

    def forward(self, states: Tensor, context: Tensor, seen: Tensor) -> Tensor:
        """The states after the layer.

        Args:
            states: (B, Q, D).
            context: (B, K, D), what they attend to.
            seen: (B, 1, 1, K) bool, False at padding.

        Returns:
            (B, Q, D).
        """
        key, value = (self._in_heads(part) for part in self.key_value(context).chunk(2, dim=-1))
        mixed = functional.scaled_dot_product_attention(
            self._in_heads(self.query(states)), key, value, attn_mask=seen
        )
        states = self.norms[0](states + self.joined(mixed.transpose(1, 2).flatten(2)))
        inner = self.activation(self.widen(states))
        after: Tensor = self.norms[1](states + self.narrow(inner))
        return after

    def _in_heads(self, states: Tensor) -> Tensor:
        """(B, heads, Q, D / heads) from (B, Q, D)."""
        return states.reshape(*states.shape[:2], self.heads, -1).transpose(1, 2)


class Decoder(nn.Module):
    """From the states of visible tokens to those of masked ones.

    Args:
        encoder_spec: of the encoder.
        depth: layers as a share of the encoder's; rounded to the nearest, at least 1.

    Raises:
        ConfigError: the encoder's configuration does not say how many layers it has.
    """

    def __init__(self, encoder_spec: EncoderSpec, depth: float) -> None:
        super().__init__()
        shape = decoder_shape(encoder_spec, depth)
        width = encoder_spec.width
        self.gap = nn.Parameter(torch.empty(width))
        self.norm = nn.LayerNorm(width, eps=encoder_spec.norm_epsilon)
        self.layers = nn.ModuleList(
            DecoderLayer(encoder_spec, shape.heads, shape.inner) for _ in range(shape.layers)
        )
        nn.init.normal_(self.gap, std=encoder_spec.initializer_range)

    def forward(self, states: Tensor, hidden: Tensor, positions: Tensor, real: Tensor) -> Tensor:
        """The states that predict the tokens at ``positions``.

        Args:
            states: (B, T, D), the encoder's; not read where ``hidden``.
            hidden: (B, T) bool.
            positions: (B, M) int64, columns in [0, T).
            real: (B, T) bool, False at padding.

        Returns:
            (B, M, D).
        """
        filled = torch.where(hidden.unsqueeze(-1), self.gap.to(states.dtype), states)
        places = sinusoids(states.shape[1], states.shape[2], states.device).to(states.dtype)
        context = self.norm(filled + places)
        seen = real[:, None, None, :]
        for layer in self.layers[:-1]:
            context = layer(context, context, seen)
        found: Tensor = self.layers[-1](at_positions(context, positions), context, seen)
        return found


@dataclass(frozen=True, slots=True)
class DecoderShape:
    """The decoder's size.

    Attributes:
        layers: at least 1.
        heads: a divisor of the encoder's width.
        inner: size of the feed-forward networks.
    """

    layers: int
    heads: int
    inner: int


def decoder_shape(encoder_spec: EncoderSpec, depth: float) -> DecoderShape:
    """The decoder's size, from the encoder's.

    Args:
        encoder_spec: of the encoder.
        depth: layers as a share of the encoder's.

    Raises:
        ConfigError: the encoder's configuration does not say how many layers it has.
    """
    plain, width = encoder_spec.encoder_config, encoder_spec.width
    layers, heads = _first(plain, _LAYERS), _first(plain, _HEADS) or 1
    if layers is None:
        raise ConfigError(
            f"an encoder of kind {plain.get('model_type')!r} does not say how many layers it has, "
            "of which the decoder of mae has a share; name one such as 'bert'"
        )
    return DecoderShape(
        layers=max(1, round(depth * layers)),
        heads=heads if width % heads == 0 else 1,
        inner=_first(plain, _INNER) or 4 * width,
    )


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((int(fields[name]) for name in names if fields.get(name)), None)


class DecodedPrediction(Term):
    """Cross-entropy of the original tokens, predicted by the decoder.

    total = -sum over the slots in use of log softmax(logits)[target], in float32; count = the
    number of slots in use.

    Args:
        encoder_spec: of the encoder.
        depth: layers of the decoder as a share of the encoder's.
    """

    name = "mae"
    needs = frozenset({Need.LAST_HIDDEN_STATE, Need.WORD_EMBEDDINGS, Need.LABELS})

    def __init__(self, encoder_spec: EncoderSpec, depth: float) -> None:
        super().__init__()
        self.decoder = Decoder(encoder_spec, depth)
        # Not ``token_head``, which would be exported: it does not read the encoder's states.
        self.words = TokenHead(encoder_spec)

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing."""
        batch = encoder_pass.batch
        assert batch.positions is not None
        hidden = batch.extras[HIDDEN]
        states = self.decoder(
            encoder_pass.last_hidden_state, hidden, batch.positions, batch.real | hidden
        )
        total = self.words.cross_entropy(
            states, encoder_pass.need(Need.WORD_EMBEDDINGS), encoder_pass.need(Need.LABELS)
        )
        return TermLoss(total=total, count=predicted_items(batch))

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The slots in use."""
        return predicted_items(corrupted)


class MaskedAutoencoder(Objective):
    """Masked language modelling by a decoder, over an encoder that does not read [MASK] (MAE-LM).

    Formula, defaults and differences from paper and code are in the module's docstring.
    """

    name = "mae"
    summary = "masked language modelling without [MASK] in the encoder (MAE-LM)"
    reference = "Meng et al. 2024, https://arxiv.org/abs/2302.02060"

    @dataclass(frozen=True, kw_only=True)
    class Config(MaskedLanguageModeling.Config):
        """Hyperparameters of masking and of the decoder.

        Attributes:
            mask_share: share of the predicted tokens that the encoder does not read.
            random_share: share of these that it reads as a random word; the rest as they are.
            decoder_depth: layers of the decoder as a share of the encoder's, at least one layer.

        Raises:
            ConfigError: a value out of range.
        """

        mask_share: float = 1.0
        random_share: float = 0.0
        decoder_depth: float = 1 / 3

        def __post_init__(self) -> None:
            MaskedLanguageModeling.Config.__post_init__(self)
            if not 0 < self.decoder_depth <= 1:
                raise ConfigError(f"decoder_depth must be in (0, 1], not {self.decoder_depth}")

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__(config, encoder_spec)
        self.set_terms(DecodedPrediction(encoder_spec, config.decoder_depth))

    def slots(self, length: int) -> int:
        """M of the highest rate."""
        return slot_count(self.config.highest_rate, length)

    def declared_rate(self, progress: float) -> float | None:
        """The rate of the masks at ``progress``."""
        rate: float = self.config.rate_at(progress)
        return rate

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """Mask ``batch`` and hide [MASK] from attention."""
        words = self.encoder_spec.vocabulary
        masked = mask_on_schedule(batch, words, streams, self.config)
        hidden = masked.predicted & (masked.input_ids == words.mask)
        extras = {**masked.extras, HIDDEN: hidden}
        return replace(masked, attention=batch.real & ~hidden, extras=extras)


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(MaskedAutoencoder)
