"""The token head of an exported encoder: written with it, read back by suites.

Two files in the encoder's folder, which transformers ignores::

    token_head.safetensors    the head's weights
    token_head.json           its widths, activation and epsilon, and how it is read

The decoder's weights are the encoder's word embeddings, which are not written twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from objbench.blocks.heads import TokenHead
from objbench.contract.encoder_spec import EncoderSpec, Vocabulary
from objbench.contract.objective import Objective, TokenReading
from objbench.errors import CheckpointError, RecordError, one_line
from objbench.results.json_files import Stored, dump, read_stored

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
    """

    version: Literal[1] = 1
    width: int
    embedding_width: int
    words: int
    activation: str
    norm_epsilon: float
    reads: Literal["own", "previous"]
    attention: Literal["bidirectional", "causal"]


_SETTINGS = TypeAdapter(TokenHeadSettings)


def save_token_head(objective: Objective, folder: Path) -> None:
    """Write the token head of ``objective`` into ``folder``; nothing where it has none.

    A head of another class than ``TokenHead`` is left out: nothing could rebuild it from its
    weights alone, and code is never loaded from a folder.
    """
    head, reading = objective.token_head, objective.token_reading
    if type(head) is not TokenHead:
        return
    settings = TokenHeadSettings(
        width=head.dense.in_features,
        embedding_width=head.dense.out_features,
        words=len(head.bias),
        activation=objective.encoder_spec.activation,
        norm_epsilon=head.norm.eps,
        reads=reading.reads,
        attention=reading.attention,
    )
    weights = {name: tensor.detach().contiguous() for name, tensor in head.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
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
    if not has_token_head(folder):
        raise CheckpointError(
            f"{folder} holds no token head: its objective predicts no words by the encoder, or it "
            "was exported before heads were; pretrain it again if it should have one"
        )
    try:
        settings = read_stored(folder / SETTINGS, _SETTINGS)
        # On the meta device, so that no random initial weights are drawn.
        with torch.device("meta"):
            head = TokenHead(_head_spec(settings, vocabulary))
        head.load_state_dict(load_file(folder / WEIGHTS), assign=True)
    except (RecordError, OSError, RuntimeError, KeyError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder} holds a token head that cannot be read ({one_line(error)[:200]}): "
            "delete the folder and run the study again"
        ) from error
    return head, TokenReading(settings.reads, settings.attention)


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
