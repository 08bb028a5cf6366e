"""A small masked language model on the encoder's own embedding layer.

ELECTRA's generator (Clark et al. 2020, section 3.2 "Weight sharing" and "Smaller generators"): of
the same kind and depth as the encoder, but narrower. It reads the encoder's whole embedding layer,
as in the authors' code (google-research/electra, ``model/modeling.py``): word, position and type
embeddings with their layer normalisation and dropout, then a projection to its own width. Its word
logits are tied to the encoder's word embeddings. It may also have an embedding layer of its own; see
``Sharing``.

Sizes, for a generator that is ``size`` times as wide; rounding is to the nearest, at least 1:

- heads: ``size`` times the encoder's;
- head width: the even number nearest to size * D / heads (rotary positions pair channels);
- width: heads * head width; intermediate size: ``size`` times the encoder's.

With 2 heads and size 1/4 that is 1 head of D/4. The authors' code takes round(size * D), heads of
64 channels and an intermediate size of 4 times the width, which is the same for BERT's shapes.

Shape legend: B sequences of this process, T tokens, M predicted slots, D width of the encoder,
E width of the word embeddings, V vocabulary.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import CONFIG_MAPPING, MODEL_MAPPING, AutoModel, PreTrainedConfig

from objbench.blocks.heads import TokenHead, at_positions
from objbench.contract.batch import Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.errors import ConfigError, one_line

# Fields with the size of the feed-forward layer; other names are mapped by transformers.
_INTERMEDIATE = ("intermediate_size", "hidden_dim")


Sharing = Literal["shared", "gdes", "none"]
"""What a generator has in common with its encoder.

- "shared": the encoder's embedding layer, which both losses train (ELECTRA).
- "gdes": gradient-disentangled embedding sharing (DeBERTaV3, He et al. 2021, arXiv:2111.09543,
  section 3.2). The generator has a layer of its own, and the encoder's tables are

      E_encoder = stop_gradient(E_generator) + E_delta,  E_delta = 0 at the start

  for words, positions and types alike.
- "none": nothing. The generator's own layer is as wide as the encoder's.

An own layer starts as a copy of the encoder's, so that the encoder starts the same under each.
"""


class SumWith(nn.Module):
    """A parametrisation: a table of weights is its parameter plus another table, without gradient.

    The other table is referenced and not a child module: it remains the generator's.
    """

    def __init__(self, other: nn.Module) -> None:
        super().__init__()
        self._other = (other,)

    def forward(self, delta: Tensor) -> Tensor:
        """The table from the parameter."""
        other: Tensor = self._other[0].weight  # type: ignore[assignment]
        return delta + other.detach()

    def right_inverse(self, table: Tensor) -> Tensor:
        """The parameter that gives ``table``."""
        other: Tensor = self._other[0].weight  # type: ignore[assignment]
        return table - other.detach()


class EmbeddingLayerOf(nn.Module):
    """An embedding layer of another model's width, projected to another one.

    It replaces a model's own. A layer that remains the other model's is referenced and not a child
    module, so that its weights are stored, counted and trained once.

    Args:
        given: width of the layer's output.
        wanted: width of the projection; none if it is the same.
        deviation: standard deviation of the projection's initial weights.
        own: the layer, if it is not another model's.
    """

    def __init__(
        self, given: int, wanted: int, deviation: float, own: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.own = own
        self.projection: nn.Module = nn.Identity()
        if given != wanted:
            self.projection = linear = nn.Linear(given, wanted)
            nn.init.normal_(linear.weight, std=deviation)
            nn.init.zeros_(linear.bias)
        # In a tuple: as an attribute it would be a child module.
        self._layer: tuple[nn.Module, ...] = ()

    def tie(self, layer: nn.Module) -> None:
        """Read ``layer`` from now on."""
        self._layer = (layer,)

    def forward(self, *inputs: Any, **options: Any) -> Tensor:
        """(B, T, wanted) from the layer's inputs.

        Raises:
            LookupError: no layer was set.
        """
        if not self._layer:
            raise LookupError("the generator is tied to no encoder: call tie() first")
        return self.projection(self._layer[0](*inputs, **options))  # type: ignore[no-any-return]


class Generator(nn.Module):
    """Word logits at the predicted positions, from a narrower encoder on tied embeddings.

    Args:
        encoder_spec: of the encoder.
        size: width as a share of the encoder's, in (0, 1].
        sharing: of embeddings with the encoder.

    Attributes:
        encoder: the narrower one, without a pooling layer.
        head: BERT's prediction head, from its width to that of the word embeddings.

    Raises:
        ConfigError: no smaller encoder of this kind can be made, or its embedding layer does not
            have the usual name.
    """

    def __init__(self, encoder_spec: EncoderSpec, size: float, sharing: Sharing = "shared") -> None:
        super().__init__()
        self._sharing = sharing
        plain = encoder_spec.encoder_config
        kind = str(plain["model_type"])
        own = generator_fields(plain, size)
        try:
            self.encoder = _model(own)
            given, wanted = (_embedding_width(fields) for fields in (plain, own))
            layer = None if sharing == "shared" else _model(plain).embeddings
        except ConfigError:
            raise
        except Exception as error:  # transformers checks with errors of several libraries
            raise ConfigError(
                f"no generator of kind {kind!r} and size {size} can be made ({one_line(error)}); "
                "try another generator_size or an encoder such as 'bert'"
            ) from error
        # Replaces its own layer, which was made with the rest.
        deviation = encoder_spec.initializer_range
        self.encoder.embeddings = EmbeddingLayerOf(given, wanted, deviation, layer)
        self.head = TokenHead(replace(encoder_spec, width=self.encoder.config.hidden_size))
        self._words: tuple[nn.Module, ...] = ()

    def tie(self, encoder: nn.Module) -> None:
        """Share the embedding layer and the word embeddings of ``encoder``, or begin with copies.

        Raises:
            ConfigError: an own layer is needed, and the encoder's has no word embeddings.
        """
        layer: nn.Module = encoder.embeddings  # type: ignore[assignment]
        words: nn.Module = encoder.get_input_embeddings()  # type: ignore[operator]
        own: nn.Module | None = self.encoder.embeddings.own
        if own is None:
            self.encoder.embeddings.tie(layer)
            self._words = (words,)
            return
        names = [name for name, table in layer.named_modules() if table is words]
        if not names:
            raise ConfigError(
                f"the word embeddings of {type(encoder).__name__} are not in its embedding layer; "
                "a generator can only share them (sharing = 'shared')"
            )
        own.load_state_dict(layer.state_dict())
        self.encoder.embeddings.tie(own)
        self._words = (own.get_submodule(names[0]),)
        if self._sharing == "gdes":
            for name, table in [*layer.named_modules()]:
                if isinstance(table, nn.Embedding):
                    other = SumWith(own.get_submodule(name))
                    parametrize.register_parametrization(table, "weight", other)

    def forward(self, batch: Corrupted) -> Tensor:
        """(B, M, V) logits in the compute dtype, of the tokens at the predicted positions.

        Raises:
            LookupError: it is tied to no encoder.
            ValueError: the corruption predicts no tokens.
        """
        if batch.positions is None:
            raise ValueError("this corruption predicts no tokens")
        mask = None if batch.attention is None else batch.attention.to(torch.int64)
        options = {} if mask is None else {"attention_mask": mask}
        states = self.encoder(input_ids=batch.input_ids, **options).last_hidden_state
        words: Tensor = self._words[0].weight  # type: ignore[assignment]
        logits: Tensor = self.head(at_positions(states, batch.positions), words)
        return logits


def generator_fields(encoder_config: Mapping[str, Any], size: float) -> dict[str, Any]:
    """The encoder's configuration, narrower; see the module's docstring for the rounding.

    Args:
        encoder_config: as ``EncoderSpec`` holds it.
        size: width as a share of the encoder's.

    Raises:
        ConfigError: the encoder's kind has no heads or no feed-forward layer to scale.
    """
    kind = str(encoder_config["model_type"])
    names = CONFIG_MAPPING[kind].attribute_map
    width, heads = (names.get(name, name) for name in ("hidden_size", "num_attention_heads"))
    inner = next((name for name in _INTERMEDIATE if name in encoder_config), "")
    if not {width, heads, inner} <= set(encoder_config):
        raise ConfigError(
            f"an encoder of kind {kind!r} cannot be scaled down to a generator; "
            "name one such as 'bert'"
        )
    count = max(1, round(encoder_config[heads] * size))
    channels = 2 * max(1, round(encoder_config[width] * size / count / 2))
    fields = {
        **encoder_config,
        width: count * channels,
        heads: count,
        inner: max(1, round(encoder_config[inner] * size)),
    }
    if encoder_config.get("head_dim") is not None:
        fields["head_dim"] = channels
    return fields


def _model(fields: Mapping[str, Any]) -> Any:
    """A freshly initialised model without a pooling layer."""
    config: PreTrainedConfig = CONFIG_MAPPING[fields["model_type"]].from_dict(dict(fields))
    mapped: Any = MODEL_MAPPING[type(config)]
    kind = mapped[0] if isinstance(mapped, tuple) else mapped
    poolless = "add_pooling_layer" in inspect.signature(kind).parameters
    options = {"add_pooling_layer": False} if poolless else {}
    return AutoModel.from_config(config, **options)  # type: ignore[no-untyped-call]


def _embedding_width(fields: Mapping[str, Any]) -> int:
    """Width of the output of such a model's embedding layer, measured without weights.

    E or D: some kinds project from one to the other inside that layer, some after it.
    """
    with torch.device("meta"):
        layer = getattr(_model(fields), "embeddings", None)
        if layer is None:
            raise ConfigError(
                f"an encoder of kind {fields['model_type']!r} has no embedding layer to tie a "
                "generator to; name one such as 'bert'"
            )
        return int(layer(input_ids=torch.zeros(1, 1, dtype=torch.int64)).shape[-1])
