"""Where in a plugin's own code an error arose."""

from __future__ import annotations

import os
import sysconfig
import traceback
from importlib import resources

_FRAMEWORKS = ("pluggy", "torch", "transformers", "accelerate", "numpy", "pydantic")


def fault_place(error: BaseException) -> str:
    """Where ``error`` arose, as "FILE:LINE" of the last line that is a plugin's own code.

    That is code outside objbench, Python and the libraries that objbench itself uses; a file that
    cannot be compiled is named itself.

    Returns:
        "" where no line of the traceback is a plugin's.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_of_a_plugin(frame.filename):
            return f"{frame.filename}:{frame.lineno}"
    return ""


def _is_of_a_plugin(file: str) -> bool:
    if file.startswith("<") or _is_under(file, str(resources.files("objbench"))):
        return False
    libraries = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    parts = file.split(os.sep)
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1] not in _FRAMEWORKS
    return any(_is_under(file, folder) for folder in libraries) or not _is_under(
        file, sysconfig.get_path("stdlib")
    )


def _is_under(file: str, folder: str) -> bool:
    return os.path.abspath(file).startswith(os.path.join(os.path.abspath(folder), ""))
