"""``--init``: the layers of a study that continues from a checkpoint.

Encoder and tokenizer are the checkpoint's, so those of a preset are left out without a word, and those
that the study file or a flag names are refused where they are others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from objbench.errors import ConfigError
from objbench.study.encoder_size import with_size_in_config
from objbench.study.files import Layer, merge, preset_layer


def with_checkpoint(layers: Sequence[Layer], sources: Sequence[str]) -> list[Layer]:
    """``layers`` with encoder and tokenizer of the checkpoint that they name; themselves if none.

    Args:
        layers: of a study, lowest first.
        sources: what to call each of them in an error.

    Raises:
        ConfigError: a layer names another encoder or tokenizer, or another digest.
        CheckpointError, HubError: the checkpoint cannot be read.
    """
    whole: Layer = {}
    for layer in layers:
        whole = merge(whole, layer)
    name = _table(whole, "encoder").get("init")
    if not isinstance(name, str) or not name:
        return list(layers)  # what is no name is refused by the study's own check
    for layer, source in zip(layers, sources, strict=True):
        if tokenizer := _own(layer, "data").get("tokenizer", ""):
            _require(
                tokenizer == name, f"data.tokenizer = {tokenizer!r}", source, name, "tokenizer"
            )
        config = _own(layer, "encoder").get("config")
        _require(not config, "size or configuration of the encoder", source, name, "encoder")
    # Imported here: it reads files and may ask the hub, once all words have been checked.
    from objbench.engine.encoder.checkpoint_source import read_checkpoint_source

    found = read_checkpoint_source(name)
    for layer, source in zip(layers, sources, strict=True):
        encoder = _own(layer, "encoder")
        kind, digest = encoder.get("model_type"), encoder.get("init_digest")
        is_same = kind in (None, found.model_type)
        _require(is_same, f"encoder.model_type = {kind!r}", source, name, "encoder")
        if digest not in (None, found.digest):
            raise ConfigError(
                f"{source}: encoder.init_digest = {digest!r}, and checkpoint {name} is another "
                f"({found.digest}): bring that one back, or leave the digest out"
            )
    encoder = {"model_type": found.model_type, "init": name, "init_digest": found.digest}
    rest = [{key: value for key, value in layer.items() if key != "encoder"} for layer in layers]
    return [*rest, {"encoder": encoder, "data": {"tokenizer": name}}]


def _own(layer: Layer, section: str) -> dict[str, Any]:
    """What ``layer`` itself says in a section: what its preset says of it is left out."""
    preset = preset_layer(str(layer["preset"])) if "preset" in layer else {}
    own, below = (with_size_in_config(_table(each, section)) for each in (layer, preset))
    return {key: value for key, value in own.items() if key not in below or below[key] != value}


def _require(holds: bool, what: str, source: str, name: str, part: str) -> None:
    if not holds:
        raise ConfigError(
            f"{source}: {what}: the {part} is that of checkpoint {name}; leave it out"
        )


def _table(layer: Layer, name: str) -> dict[str, Any]:
    table = layer.get(name)
    return table if isinstance(table, dict) else {}
