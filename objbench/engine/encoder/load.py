"""Loading an exported encoder: its tokenizer, and a fresh copy of its weights per evaluation.

A study evaluates one encoder on many tasks and with many seeds, one after the other, and each
evaluation begins with the same weights. So each process keeps the encoder that it read last in main
memory: it is never run itself, every evaluation gets its own copy, and the file is read once.

Weights are read from safetensors only, and no code from the folder is run: other formats are
unpickled, which runs whatever the file says.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)
from transformers.models.auto.modeling_auto import MODEL_MAPPING
from transformers.utils import logging as transformers_logging

from objbench.data.tokenizer import TokenizerHandle, fingerprint
from objbench.engine.encoder.token_head import language_model_reading
from objbench.errors import CheckpointError, one_line

_AGAIN = "delete the folder and run the study again"


class _Identity(NamedTuple):
    """Equal for two requests of the same encoder.

    Attributes:
        files: name, inode, bytes and time of the last change, in nanoseconds, of each file: what
            has been exported into the same folder again is another encoder.
    """

    folder: Path
    dropout: float | None
    files: tuple[tuple[str, int, int, int], ...]


_kept: dict[_Identity, nn.Module] = {}
"""The last encoder, or nothing."""


def fresh_encoder(folder: Path, dropout: float | None = None) -> nn.Module:
    """As ``load_encoder``, but from memory if it is the last one loaded; draws nothing.

    Args:
        folder: what ``AutoModel`` loads.
        dropout: replaces every dropout rate of the encoder's configuration; None keeps them.

    Returns:
        The encoder, float32 on the CPU, for the caller alone.

    Raises:
        CheckpointError: the folder holds no encoder.
    """
    wanted = _Identity(folder.resolve(), dropout, _files(folder))
    if wanted not in _kept:
        _kept.clear()
        # Loading draws initial weights, which the stored ones then replace.
        with torch.random.fork_rng(devices=[]):
            _kept[wanted] = load_encoder(folder, dropout)
    return copy.deepcopy(_kept[wanted])


def load_tokenizer(folder: Path) -> TokenizerHandle:
    """The tokenizer of an exported encoder.

    Raises:
        CheckpointError: the folder holds none.
    """
    with quiet_loading(folder):
        tokenizer = AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise CheckpointError(
            f"{folder} holds a tokenizer without tokenizer.json: delete the folder and run the "
            "study again"
        )
    return TokenizerHandle(name=str(folder), fingerprint=fingerprint(tokenizer), hf=tokenizer)


def load_encoder(folder: Path, dropout: float | None = None) -> nn.Module:
    """The encoder in ``folder``, float32; draws from torch's global generator.

    Args:
        folder: what ``AutoModel`` loads.
        dropout: replaces every dropout rate of the encoder's configuration; None keeps them.

    Raises:
        CheckpointError: the folder holds no encoder.
    """
    with quiet_loading(folder):
        config = AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
        if dropout is not None:
            for name, value in config.to_dict().items():
                if "dropout" in name and isinstance(value, (int, float)):
                    setattr(config, name, dropout)
        encoder: nn.Module = AutoModel.from_pretrained(
            str(folder),
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    if "add_pooling_layer" in inspect.signature(type(encoder)).parameters:
        # A pooler, which transformers adds unasked to many of these, has been trained by nothing. An
        # encoder without the choice was pretrained with its pooler, and may not run without it.
        encoder.pooler = None  # type: ignore[assignment]
    return encoder


def load_language_model(folder: Path) -> nn.Module:
    """The encoder in ``folder`` with its trained head, as users of transformers load it.

    In evaluation mode, float32 on the CPU; draws nothing.

    Args:
        folder: an export in the layout of a language model, masked or causal.

    Raises:
        CheckpointError: the folder holds no such model, or not all of its weights.
    """
    reading = language_model_reading(folder)
    if reading is None:
        raise CheckpointError(f"{folder} holds an encoder alone: load it with AutoModel")
    loader = AutoModelForCausalLM if reading.is_left_to_right else AutoModelForMaskedLM
    options = {"is_decoder": True} if reading.is_left_to_right else {}
    with quiet_loading(folder), torch.random.fork_rng(devices=[]):
        found: Any = loader.from_pretrained(
            str(folder),
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    loaded: nn.Module = found[0]
    kinds = ("missing_keys", "unexpected_keys", "mismatched_keys")
    if odd := [str(name) for kind in kinds for name in found[1][kind]]:
        raise CheckpointError(
            f"{folder} does not hold the weights of {type(loaded).__name__}, such as {min(odd)}: "
            "delete the folder and run the study again"
        )
    return loaded


def pooler_options(config: PreTrainedConfig) -> dict[str, bool]:
    """What to give ``AutoModel`` for an encoder without a pooling layer; empty where none can be left out."""
    mapped: Any = MODEL_MAPPING[type(config)]
    kind = mapped[0] if isinstance(mapped, tuple) else mapped
    poolless = "add_pooling_layer" in inspect.signature(kind).parameters
    return {"add_pooling_layer": False} if poolless else {}


def _files(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    found = ((path.name, path.stat()) for path in folder.glob("*"))
    return tuple(sorted((name, s.st_ino, s.st_size, s.st_mtime_ns) for name, s in found))


@contextmanager
def quiet_loading(folder: Path, advice: str = _AGAIN) -> Iterator[None]:
    """Load from ``folder`` only, without bars and reports; turn faults into one line.

    Args:
        advice: what to do where it cannot be loaded.

    Raises:
        CheckpointError: what is loaded within the block cannot be.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder: name an exported encoder")
    verbosity = transformers_logging.get_verbosity()
    has_bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder} holds no encoder and tokenizer that transformers can load "
            f"({one_line(error)[:200]}): {advice}"
        ) from error
    finally:
        transformers_logging.set_verbosity(verbosity)
        if has_bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
