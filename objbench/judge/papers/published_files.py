"""The data that objbench publishes beside its code: claims, figures, the judge's own test, tracks.

These files are in the repository's ``leaderboard/`` and install as ``objbench_published``.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from objbench.errors import ConfigError, UnknownNameError, one_line

CLAIMS = "claims"
FIGURES = "figures"
SELFTEST = "selftest"
TRACKS = "track"


def published(folder: str, suffix: str = "") -> dict[str, Traversable]:
    """The files of one published folder: stem -> file, in the order of their names.

    Args:
        folder: ``CLAIMS``, ``FIGURES``, ``SELFTEST`` or ``TRACKS``.
        suffix: what their names end in, such as ".toml"; any where it is "".

    Returns:
        Empty where the folder does not exist, as before the first self-test.
    """
    place = resources.files("objbench_published").joinpath(folder)
    if not place.is_dir():
        return {}
    files = sorted((f for f in place.iterdir() if f.is_file()), key=lambda f: f.name)
    return {
        file.name.partition(".")[0]: file
        for file in files
        if file.name[0] not in "._" and file.name.endswith(suffix)
    }


def named_text(name_or_path: str, folder: str, suffix: str, what: str) -> tuple[str, str, str]:
    """The text of a published file by its name, or of a user's own by its path.

    Args:
        folder: as for ``published``.
        suffix: what a path ends in, such as ".toml"; anything else is a name.
        what: what to call the file in an error, such as "figure".

    Returns:
        The text, the stem, and how to name the file in errors.

    Raises:
        UnknownNameError: none of that name is published.
        ConfigError: the file cannot be read.
    """
    word = f"{what.removesuffix(' file')} file"
    files = published(folder, suffix)
    if name_or_path.endswith(suffix):
        path = Path(name_or_path).expanduser()
        try:
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{word} {path} cannot be read ({one_line(error)}): name a "
                f"{suffix[1:].upper()} file, or one of {', '.join(files) or 'none that ship'}"
            ) from error
        return text, path.stem, f"{word} {path}"
    if name_or_path not in files:
        raise UnknownNameError(what, name_or_path, files, f"; or name a file ending in {suffix}")
    return files[name_or_path].read_text("utf-8"), name_or_path, f"{word} {name_or_path}"
