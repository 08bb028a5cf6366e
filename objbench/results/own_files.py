"""Files in a folder that someone else may have made: no link in it leads out, and nothing is a pipe.

A run or a published study is passed on as a folder. A link in it could publish a file of this
machine under the name of notes, or have something else overwritten under the name of a page. The
folder itself may be a link: it is named by the user.
"""

from __future__ import annotations

import errno
import stat
from contextlib import suppress
from pathlib import Path

from objbench.errors import ConfigError


def own_file(folder: Path, name: str) -> Path:
    """The path of the file or folder ``name`` in ``folder``; it need not exist.

    Raises:
        OSError: a link leads out of the folder, or there is something else, such as a pipe, from
            which nothing may ever come.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise OSError(
            errno.ELOOP, "a link leads out of its folder: put the file itself there", name
        )
    with suppress(FileNotFoundError, NotADirectoryError):
        kind = path.stat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise OSError(errno.EINVAL, "it is no ordinary file: delete it", name)
    return path


def require_own(folder: Path, name: str) -> Path:
    """The same for a file that the user can put there.

    Raises:
        ConfigError: a link leads out of the folder, or it is no ordinary file.
    """
    try:
        return own_file(folder, name)
    except OSError as error:
        raise ConfigError(f"{folder / name} cannot be used: {error.strerror}") from error


def require_made(page: Path, mark: str, said: str) -> None:
    """Refuse to write over a page that was written by hand.

    Args:
        page: where a page is to be written; it need not exist.
        mark: what every page made here contains.
        said: what made such pages, and what to do about another, after "was not made by ".

    Raises:
        ConfigError: there is a page without the mark.
        OSError: it cannot be read.
    """
    if page.is_file() and mark not in page.read_text("utf-8", errors="replace"):
        raise ConfigError(f"{page} was not made by {said}")
