"""BLiMP's minimal pairs: one JSON-lines file per paradigm, from a folder or the hub.

A line has ``sentence_good``, ``sentence_bad``, ``UID`` (the paradigm) and ``linguistics_term`` (its
phenomenon) among others. The files name 13 terms for the paper's 12 phenomena: the two paradigms
of "s-selection" are among the paper's nine of argument structure (Warstadt et al. 2020, table 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objbench.errors import DataError, HubError, one_line
from objbench_suites.hub import quiet_hub

HUB_NAME = "nyu-mll/blimp"
PARADIGMS = 67
PAIRS = 1000
"""Of each paradigm."""

_FIELDS = ("sentence_good", "sentence_bad", "UID", "linguistics_term")
_PAPERS_TERM = {"s-selection": "argument_structure"}


@dataclass(frozen=True, slots=True)
class Paradigm:
    """The minimal pairs of one paradigm.

    Attributes:
        name: the UID.
        phenomenon: the phenomenon that it belongs to, as in the paper.
        good, bad: the sentences of each pair, in the order of the file.
    """

    name: str
    phenomenon: str
    good: tuple[str, ...]
    bad: tuple[str, ...]

    def first(self, pairs: int) -> Paradigm:
        """The first ``pairs`` pairs; all for 0. Their order in the files is already random."""
        kept = pairs or None
        return Paradigm(self.name, self.phenomenon, self.good[:kept], self.bad[:kept])


def read_folder(folder: Path, flag: str) -> tuple[Paradigm, ...]:
    """The paradigms of the ``.jsonl`` files in ``folder``, by name.

    Args:
        folder: as the user named it.
        flag: the option that names it.

    Raises:
        DataError: there are no files, or one is malformed.
    """
    files = sorted(folder.expanduser().glob("*.jsonl"))
    if not files:
        raise DataError(
            f"{folder} holds no .jsonl files: name BLiMP's folder, such as blimp/data, by {flag}"
        )
    return _checked(_of_rows(_rows(path), str(path)) for path in files)


def read_hub(flag: str) -> tuple[Paradigm, ...]:
    """The paradigms of ``nyu-mll/blimp``, downloaded on first use and kept by ``datasets``.

    Args:
        flag: the option that names a folder to read instead.

    Raises:
        HubError: the hub is out of reach, or gives something else.
    """
    import datasets

    try:
        with quiet_hub():
            names = sorted(datasets.get_dataset_config_names(HUB_NAME))
            tables = {name: datasets.load_dataset(HUB_NAME, name, split="train") for name in names}
    except Exception as error:
        # datasets, huggingface_hub, httpx and fsspec each raise their own.
        raise HubError(
            f"{HUB_NAME} cannot be loaded from the Hugging Face hub ({one_line(error)[:120]}): "
            f"go online once, or name a folder with its .jsonl files by {flag}"
        ) from error
    return _checked(
        _of_rows(enumerate(table, start=1), f"{HUB_NAME} {name}") for name, table in tables.items()
    )


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(number, fields) of every row."""
    from objbench.data.table_files import read_rows

    rows = read_rows(path, dict.fromkeys(_FIELDS, "text"))
    yield from enumerate((dict(zip(_FIELDS, row, strict=True)) for row in rows), start=1)


def _of_rows(rows: Iterable[tuple[int, Mapping[str, Any]]], where: str) -> Paradigm:
    """One paradigm from its numbered rows."""
    good, bad, kinds = [], [], set()
    for number, row in rows:
        values = [row.get(name) if isinstance(row, Mapping) else None for name in _FIELDS]
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise DataError(f"{where}, row {number}: a pair needs the texts {', '.join(_FIELDS)}")
        good.append(str(values[0]))
        bad.append(str(values[1]))
        kinds.add((str(values[2]), str(values[3])))
    if len(kinds) != 1:
        what = "is empty" if not kinds else "mixes paradigms (UID, linguistics_term)"
        raise DataError(f"{where} {what}: a file holds the pairs of one paradigm; copy it again")
    name, term = kinds.pop()
    return Paradigm(name, _PAPERS_TERM.get(term, term), tuple(good), tuple(bad))


def _checked(paradigms: Iterable[Paradigm]) -> tuple[Paradigm, ...]:
    found = sorted(paradigms, key=lambda paradigm: paradigm.name)
    names = [paradigm.name for paradigm in found]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"two files hold the paradigm {name}: remove one of them")
    return tuple(found)
