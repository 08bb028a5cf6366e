"""The text of a track, looked at before anything is trained on it: a digest of each file and of all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from objbench.errors import ConfigError, one_line
from objbench.judge.track.track import Track
from objbench.results.sealed_folder import sha256_of
from objbench.study.study import Study

_CORPUS = "data.corpus"


def require_files(track: Track, corpus: str | None) -> None:
    """Refuse a corpus that is not the track's, by the first file that is not.

    Args:
        track: the track.
        corpus: what ``--corpus`` names; None where it is not given.

    Raises:
        ConfigError: no folder is named, one of its files is missing or has another content, one more
            would be read as text, or a corpus is named and the track has one of its own.
        DataError: what is there beside them keeps the folder from being read.
    """
    fixed = track.settings.get(_CORPUS)
    if fixed is not None:
        if corpus not in (None, fixed):
            raise ConfigError(
                f"--corpus {corpus}: track {track.name} fixes its text as {fixed!r}: leave --corpus out"
            )
        return
    if not track.text.files:
        return
    if corpus is None:
        raise ConfigError(
            f"track {track.name} needs a folder of {len(track.text.files)} files, which "
            f"{track.name}.toml lists: name it with --corpus"
        )
    folder = Path(corpus).expanduser()
    if not folder.is_dir():
        raise ConfigError(
            f"--corpus {corpus} is no folder: name the one with the {len(track.text.files)} files that "
            f"{track.name}.toml lists"
        )
    for name, wanted in track.text.files.items():
        try:
            found = sha256_of(folder / name)
        except OSError as error:
            raise ConfigError(
                f"--corpus {folder}: {name} of track {track.name} cannot be read: {error.strerror}"
            ) from error
        if found != wanted:
            raise ConfigError(
                f"--corpus {folder}: {name} is not the file of track {track.name}: its SHA-256 begins "
                f"with {found[:12]}, not {wanted[:12]}"
            )
    # A folder that is refused above is refused at once: this loads what reads text.
    from objbench.data.corpus_files import files_to_read

    for path in files_to_read(corpus):
        if path.relative_to(folder).as_posix() not in track.text.files:
            raise ConfigError(
                f"--corpus {folder}: {one_line(path.relative_to(folder))} is no file of track "
                f"{track.name} and would be read as text: move it elsewhere"
            )


def require_text(track: Track, study: Study, cache: Path, say: Callable[[str], None]) -> None:
    """Refuse a text or tokenizer that is not the track's; what the cache lacks is made first.

    Raises:
        ConfigError: the text, the tokenizer or what it makes of the text is another.
        DataError: the text cannot be read.
    """
    # Not needed to refuse a folder, which is done at once: this loads PyTorch.
    from objbench.runs.cells.study_text import open_text

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
