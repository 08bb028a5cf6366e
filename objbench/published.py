"""What objbench publishes beside its code: claims, papers' figures as data, the judge's own test.

These files lie in the repository's ``leaderboard/`` and install as ``objbench_published``.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable

CLAIMS = "claims"
FIGURES = "figures"
SELFTEST = "selftest"


def published(folder: str) -> dict[str, Traversable]:
    """The files of one published folder: stem -> file, in the order of their names.

    Args:
        folder: ``CLAIMS``, ``FIGURES`` or ``SELFTEST``.

    Returns:
        Empty where the folder does not exist, as before the first self-test.
    """
    place = resources.files("objbench_published").joinpath(folder)
    if not place.is_dir():
        return {}
    files = sorted((f for f in place.iterdir() if f.is_file()), key=lambda f: f.name)
    return {file.name.partition(".")[0]: file for file in files if file.name[0] not in "._"}
