"""The token head of an exported encoder: written with it, read back by suites.

Two files in the encoder's folder, which transformers ignores::

    token_head.json           its widths, activation and epsilon, how it is read, and which of its
                              weights are in model.safetensors, under which names
    token_head.safetensors    its other weights, if there are any

In an export as a language model of transformers (see ``language_model``), the head's weights are
that model's; in an encoder's own layout, and in exports of older versions, all are in the second
file. The decoder's weights are the encoder's word embeddings. Nothing is written twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from objbench.blocks.heads import TokenHead
from objbench.contract.encoder_spec import EncoderSpec, Vocabulary
from objbench.contract.objective import Objective, TokenReading
from objbench.errors import CheckpointError, RecordError, one_line
from objbench.results.json_files import Stored, dump, read_stored

MODEL_WEIGHTS = "model.safetensors"
WEIGHTS = "token_head.safetensors"
SETTINGS = "token_head.json"

NO_TOKEN_HEAD = "no token head: its objective predicts no words by the encoder"
"""Why an encoder without one has no score for words."""


class TokenHeadSettings(Stored):
    """What is needed to rebuild a ``TokenHead`` and to read it.

    Attributes:
        width: D, of the encoder's states.
        embedding_width: E, of the word embeddings.
        words: V, rows of the word embeddings.
        activation: as in transformers' ``ACT2FN``.
        norm_epsilon: of the layer normalisation.
        reads, attention: see ``contract.objective.TokenReading``.
        in_model: tensor of the head -> its name in the encoder's own file of weights; the others
            are in the head's. Version 1 has none.
    """

    version: Literal[1, 2] = 2
    width: int
    embedding_width: int
    words: int
    activation: str
    norm_epsilon: float
    reads: Literal["own", "previous"]
    attention: Literal["bidirectional", "causal"]
    in_model: dict[str, str] = Field(default_factory=dict)


_SETTINGS = TypeAdapter(TokenHeadSettings)


def save_token_head(
    objective: Objective, folder: Path, places: Mapping[str, str] | None = None
) -> None:
    """Write the token head of ``objective`` into ``folder``; nothing where it has none.

    A head of another class than ``TokenHead`` is left out: nothing could rebuild it from its
    weights alone, and code is never loaded from a folder.

    Args:
        places: tensor of the head -> its name in the encoder's file of weights, which is written
            already; one that is not there, or not the same, goes into the head's file.
    """
    head, reading = objective.token_head, objective.token_reading
    if type(head) is not TokenHead:
        return
    weights = {name: tensor.detach().cpu() for name, tensor in head.state_dict().items()}
    in_model = _found(folder / MODEL_WEIGHTS, weights, places or {})
    settings = TokenHeadSettings(
        width=head.dense.in_features,
        embedding_width=head.dense.out_features,
        words=len(head.bias),
        activation=objective.encoder_spec.activation,
        norm_epsilon=head.norm.eps,
        reads=reading.reads,
        attention=reading.attention,
        in_model=in_model,
    )
    others = {n: tensor.contiguous() for n, tensor in weights.items() if n not in in_model}
    if others:
        save_file(others, folder / WEIGHTS)
    (folder / SETTINGS).write_text(dump(settings), encoding="utf-8")


def has_token_head(folder: Path) -> bool:
    """Whether ``folder`` holds a token head."""
    return (folder / SETTINGS).is_file()


def load_token_head(folder: Path, vocabulary: Vocabulary) -> tuple[TokenHead, TokenReading]:
    """The token head in ``folder``, float32 on the CPU, and how it is read.

    Args:
        folder: an exported encoder's.
        vocabulary: its tokenizer's.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    settings = _settings(folder)
    try:
        # On the meta device, so that no random initial weights are drawn.
        with torch.device("meta"):
            head = TokenHead(_head_spec(settings, vocabulary))
        weights = _weights(folder, settings.in_model, len(head.state_dict()))
        head.load_state_dict(weights, assign=True)
    except (OSError, RuntimeError, KeyError, SafetensorError) as error:
        raise _damaged(folder, error) from error
    return head, TokenReading(settings.reads, settings.attention)


def language_model_reading(folder: Path) -> TokenReading | None:
    """How the head in ``folder`` is read by transformers' class; None in an encoder's own layout.

    Raises:
        CheckpointError: the settings are damaged.
    """
    if not has_token_head(folder):
        return None
    settings = _settings(folder)
    return TokenReading(settings.reads, settings.attention) if settings.in_model else None


def _settings(folder: Path) -> TokenHeadSettings:
    if not has_token_head(folder):
        raise CheckpointError(
            f"{folder} holds no token head: its objective predicts no words by the encoder, or it "
            "was exported before heads were; pretrain it again if it should have one"
        )
    try:
        return read_stored(folder / SETTINGS, _SETTINGS)
    except (RecordError, OSError) as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{folder} holds a token head that cannot be read ({one_line(error)[:200]}): "
        "delete the folder and run the study again"
    )


def _found(
    path: Path, weights: Mapping[str, torch.Tensor], places: Mapping[str, str]
) -> dict[str, str]:
    """Those of ``places`` at which the file ``path`` holds the same tensor."""
    if not places or not path.is_file():
        return {}
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        return {
            part: name
            for part, name in places.items()
            if name in names and torch.equal(file.get_tensor(name), weights[part])
        }


def _weights(folder: Path, in_model: Mapping[str, str], count: int) -> dict[str, torch.Tensor]:
    """The tensors of a head of ``count`` tensors, from the file or the two files that hold them."""
    weights: dict[str, torch.Tensor] = {}
    if in_model:
        with safe_open(folder / MODEL_WEIGHTS, framework="pt") as file:
            weights = {part: file.get_tensor(name) for part, name in in_model.items()}
    if len(weights) < count:
        weights |= load_file(folder / WEIGHTS)
    return weights


def _head_spec(settings: TokenHeadSettings, vocabulary: Vocabulary) -> EncoderSpec:
    """As much of the encoder's ``EncoderSpec`` as the head is built from."""
    return EncoderSpec(
        width=settings.width,
        embedding_width=settings.embedding_width,
        activation=settings.activation,
        norm_epsilon=settings.norm_epsilon,
        initializer_range=0.0,
        vocabulary=vocabulary,
        encoder_config={"vocab_size": settings.words},
    )
