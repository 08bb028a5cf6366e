"""The installation as ``objbench doctor`` sees it: versions, plugins, and the files of a checkout."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import objbench
from objbench.cli.diagnosis import Diagnosis
from objbench.judge.formatting import count, listed
from objbench.plugins.registry import Registry

CHECKOUT = Path(objbench.__file__).resolve().parents[1]
"""The folder of the repository, where objbench is installed from one with ``pip install -e``."""

_MOST = 5
# What a README names of this repository, and not of its reader.
_OURS = ("leaderboard/", "objectives/", "suites/", "objbench/", "tests/", "CONTRIBUTING", "LICENSE")


def versions(
    required: Sequence[str],
    tested: Mapping[str, str],
    version_of: Callable[[str], str] = metadata.version,
) -> Diagnosis:
    """The libraries that objbench needs, against those that its tests have run with.

    Args:
        required: requirements, as in the metadata of a package.
        tested: library -> the version tested; empty where that is not known.
        version_of: library -> the version installed; raises ``metadata.PackageNotFoundError``.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    wrong, other, number = [], [], 0
    for text in required:
        one = Requirement(text)
        if one.marker is not None and not one.marker.evaluate({"extra": ""}):
            continue
        number += 1
        try:
            found = Version(version_of(one.name))
        except metadata.PackageNotFoundError:
            wrong.append(f"{one.name} is not installed (needed: {one.specifier or 'any'})")
            continue
        expected = tested.get(canonicalize_name(one.name))
        if not one.specifier.contains(found, prereleases=True):
            wrong.append(f"{one.name} {found} (needed: {one.specifier})")
        elif expected and Version(found.public) != Version(expected):
            other.append(f"{one.name} {found} (tested: {expected})")
    python = f"Python {platform.python_version()}"
    if wrong:
        return Diagnosis("versions", "fault", _some(wrong), "pip install the versions needed")
    if other:
        return Diagnosis(
            "versions",
            "warning",
            f"{python}; not as tested: {_some(other)}",
            "numbers may differ from those published; pip install -c constraints.txt",
        )
    known = (
        "all as tested" if tested else "as new as needed; the tested ones are in constraints.txt"
    )
    return Diagnosis("versions", "ok", f"{python}; {number} libraries, {known}")


def tested_versions(file: Path) -> dict[str, str]:
    """Library -> version in a file of constraints; empty where there is no such file."""
    from packaging.utils import canonicalize_name

    if not file.is_file():
        return {}
    pairs = re.findall(r"^([\w.-]+)==(\S+)$", file.read_text("utf-8"), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pairs}


def plugins(registry: Registry) -> Iterator[Diagnosis]:
    """How many plugins there are, then each that is broken."""
    kinds = [count(len(own), kind) for kind, own in registry.by_kind.items()]
    yield Diagnosis("plugins", "ok", listed(kinds))
    for broken in registry.broken:
        yield Diagnosis(
            f"plugin {broken.name}",
            "fault",
            f"{broken.origin}: {broken.reason}",
            "fix or uninstall it",
        )


def named_files(checkout: Path, here: Path) -> Diagnosis:
    """The files and folders that the README names, of the repository and of the reader's own.

    Args:
        checkout: the repository.
        here: the folder that the reader's own paths are relative to.
    """
    readme = checkout / "README.md"
    if not readme.is_file():
        return Diagnosis(
            "files", "ok", "installed without a checkout: the README's files are there"
        )
    names = named_paths(readme.read_text("utf-8"))
    ours = [name for name in names if name.startswith(_OURS)]
    missing = [name for name in ours if not (checkout / name).exists()]
    yours = [name for name in names if name not in ours and (here / name).exists()]
    there = f"{len(ours) - len(missing)} of {len(ours)} that the README names are in {checkout}"
    if yours:
        there += f"; of your own: {_some(yours)}"
    if missing:
        return Diagnosis(
            "files", "warning", f"{there}; missing: {_some(missing)}", "git checkout restores them"
        )
    return Diagnosis("files", "ok", there)


def named_paths(text: str) -> list[str]:
    """The relative paths that a page names in links and in code, each once, without patterns."""
    links = re.findall(r"\]\((?!\w+:)([^)#\s]+)", text)
    code = " ".join(re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    spans = " ".join(re.findall(r"`([^`\n]+)`", text))
    words = [word for word in re.split(r"[\s,]+", f"{code} {spans}") if "/" in word]
    plain = [word for word in words if re.fullmatch(r"[\w.][\w./-]*", word)]
    return sorted({name for name in (*links, *plain) if "..." not in name and "NAME" not in name})


def _some(texts: Sequence[str]) -> str:
    shown = list(texts[:_MOST])
    return listed([*shown, f"{len(texts) - _MOST} more"] if len(texts) > _MOST else shown)
