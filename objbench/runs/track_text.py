"""The text of a track, looked at before anything is trained on it: a digest of each file and of all."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import file_digest
from pathlib import Path

from objbench.errors import ConfigError
from objbench.judge.track.track import Track
from objbench.runs.cells.study_text import open_text
from objbench.study.study import Study


def require_files(track: Track, corpus: str) -> None:
    """Refuse a folder whose files are not those of the track, by the first that is not.

    Raises:
        ConfigError: a file is missing or has another content, or there is one more.
    """
    if not track.text.files:
        return
    folder = Path(corpus).expanduser()
    if not folder.is_dir():
        raise ConfigError(
            f"track {track.name} is on a folder of {len(track.text.files)} files: name it with --corpus"
        )
    for name, wanted in track.text.files.items():
        path = folder / name
        try:
            with path.open("rb") as file:
                found = file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ConfigError(
                f"corpus {folder}: {name} of track {track.name} cannot be read: {error.strerror}"
            ) from error
        if found != wanted:
            raise ConfigError(
                f"corpus {folder}: {name} is not the file of track {track.name}: its SHA-256 begins "
                f"with {found[:12]}, not {wanted[:12]}"
            )


def require_text(track: Track, study: Study, cache: Path, say: Callable[[str], None]) -> None:
    """Refuse a text or tokenizer that is not the track's; what the cache lacks is made first.

    Raises:
        ConfigError: the text, the tokenizer or what it makes of the text is another.
        DataError: the text cannot be read.
    """
    text, own = open_text(study, cache, say), track.text
    for what, found, wanted in (
        ("text or tokenizer", text.key, own.key(study.data.length)),
        *(
            (f"tokens of the {part} part", text.digests[part], digest)
            for part, digest in own.digests.items()
        ),
    ):
        if found != wanted:
            raise ConfigError(
                f"corpus {study.data.corpus}: its {what} differ from those of track {track.name}: use "
                f"the files that {track.name}.toml names, nothing beside them, and the tokenizer "
                f"{study.data.tokenizer}"
            )
