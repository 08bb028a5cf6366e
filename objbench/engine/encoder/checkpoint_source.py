"""The checkpoint that a study continues from: where it is, what it holds, what identifies it.

A folder as ``save_pretrained`` or objbench's export writes it, or a name on the hub. Of it are read
the configuration, weights as safetensors, a token head that objbench exported, and the tokenizer.
Pickled weights are refused, since reading them runs whatever they say, and code is never loaded.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objbench.errors import CheckpointError, HubError, one_line
from objbench.results.json_files import content_key
from objbench.results.sealed_folder import sha256_of

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TOKEN_HEAD = "token_head.json"

_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
_OF_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")
# What is asked of the hub, and nothing else of a repository.
_WANTED = (
    CONFIG,
    WEIGHTS,
    INDEX,
    "model-*.safetensors",
    TOKEN_HEAD,
    "token_head.safetensors",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    *_OF_TOKENIZERS,
)
_LARGEST_JSON = 2**24
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class CheckpointSource:
    """A checkpoint on this machine.

    Attributes:
        name: as the user wrote it.
        folder: where its files are.
        digest: SHA-256 in hex of the names and contents of its configuration and weights.
        config: its configuration as stored.
    """

    name: str
    folder: Path
    digest: str
    config: dict[str, Any]

    @property
    def model_type(self) -> str:
        """The family of its encoder, such as "bert"."""
        return str(self.config["model_type"])


def read_checkpoint_source(name: str) -> CheckpointSource:
    """The checkpoint ``name``, a local folder or a name on the hub, whose files are fetched now.

    Raises:
        CheckpointError: there is no such folder, or it holds no checkpoint that can be continued.
        HubError: it is not here, and the hub is out of reach or does not know the name.
    """
    folder = _folder(name)
    return CheckpointSource(name, folder, _digest(name, folder), _config(name, folder))


def _folder(name: str) -> Path:
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise CheckpointError(f"checkpoint {name} is a file: name the folder that holds {CONFIG}")
    if name.startswith((".", "~", os.sep)) or name.count("/") > 1:
        raise CheckpointError(f"checkpoint {name}: no such folder: check the path")
    return _snapshot(name)


def _snapshot(name: str) -> Path:
    """The local copy of a checkpoint of the hub: its present files, or those of before if offline."""
    from huggingface_hub import HfApi, snapshot_download

    refusal: Exception | None = None
    revision: str | None = None
    # Asked first, because a download would retry for a minute without a network.
    try:
        found = HfApi().model_info(name, timeout=_SECONDS)
        revision = found.sha
        _require_safetensors(name, [file.rfilename for file in found.siblings or ()])
    except CheckpointError:
        raise
    except Exception as error:  # noqa: BLE001 (the client's have no common ancestor)
        refusal = error
    try:
        return Path(
            snapshot_download(
                name,
                revision=revision,
                allow_patterns=list(_WANTED),
                local_files_only=refusal is not None,
            )
        )
    except Exception as error:
        raise HubError(
            f"checkpoint {name}: neither a local folder nor available from the hub "
            f"({one_line(refusal or error)[:300]}): check the name and the connection, or use a folder"
        ) from error


def _require_safetensors(name: str, files: list[str]) -> None:
    if WEIGHTS in files or INDEX in files:
        return
    pickled = sorted(file for file in files if file.endswith(_PICKLED) and "/" not in file)
    if pickled:
        raise CheckpointError(
            f"checkpoint {name} has its weights in {pickled[0]} only, and reading that format can run "
            f"code: save it again as {WEIGHTS}"
        )
    raise CheckpointError(f"checkpoint {name} holds no weights: {WEIGHTS} is missing")


def _digest(name: str, folder: Path) -> str:
    """The digest of what is read of a checkpoint beside its tokenizer, which the text's key covers."""
    files = [path.name for path in folder.iterdir() if path.is_file()]
    _require_safetensors(name, files)
    if "adapter_config.json" in files:
        raise CheckpointError(f"checkpoint {name} is an adapter: merge it into its model first")
    if not {*_OF_TOKENIZERS} & {*files}:
        raise CheckpointError(
            f"checkpoint {name} holds no tokenizer: save the one that it was trained with beside it"
        )
    if WEIGHTS not in files:
        _require_shards(name, folder, files)
    named = (CONFIG, INDEX, TOKEN_HEAD)
    read = sorted(file for file in files if file in named or file.endswith(".safetensors"))
    try:
        return content_key({file: sha256_of(folder / file) for file in read})
    except OSError as error:
        raise CheckpointError(f"checkpoint {name} cannot be read: {error.strerror}") from error


def _require_shards(name: str, folder: Path, files: list[str]) -> None:
    """Refuse an index whose shards are not beside it: the digest is of what is in the folder."""
    shards = _json(name, folder / INDEX).get("weight_map")
    for shard in shards.values() if isinstance(shards, dict) else [None]:
        if shard not in files or not str(shard).endswith(".safetensors"):
            raise CheckpointError(
                f"checkpoint {name}: {one_line(shard)[:60]}, of {INDEX}, is not in its folder"
            )


def _config(name: str, folder: Path) -> dict[str, Any]:
    config = _json(name, folder / CONFIG)
    if not isinstance(config.get("model_type"), str):
        raise CheckpointError(f"checkpoint {name}: {CONFIG} names no model_type")
    if "quantization_config" in config:
        raise CheckpointError(f"checkpoint {name} is quantized: name the one that it was made from")
    return config


def _json(name: str, path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise ValueError("it is too large")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)[:200]
        raise CheckpointError(
            f"checkpoint {name}: {path.name} cannot be read ({reason})"
        ) from error
    if not isinstance(found, dict):
        raise CheckpointError(f"checkpoint {name}: {path.name} is no JSON object")
    return found
