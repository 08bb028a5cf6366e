"""The data of a task of one's own: from its files to checked training and scored examples.

All faults of the data are found here, before anything is trained, and named by file, row and column;
a row is counted from 1, without a header. Both parts are in the order of a hash of their texts, so
that neither the order of a file nor a program that wrote it changes a score, and a declared share is
the last of it, moved so that equal texts are in one part. Grades are in units of the training part's
standard deviation from its mean: correlations do not see it, and every scale is learnt alike.

Shape legend: N examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from objbench.engine.evaluation.examples import Examples
from objbench.errors import DataError
from objbench_suites.own_rows import Rows, require_table, rows_of
from objbench_suites.own_tasks import LEAST_ROWS, OwnTask, shown

MOST_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class OwnData:
    """The examples of a task.

    Attributes:
        train, evaluation: what is trained on, and what is scored.
        classes: names of the classes in the order of their numbers; none of grades.
        repeated: scored examples whose text is trained on too.
    """

    train: Examples
    evaluation: Examples
    classes: tuple[str, ...]
    repeated: int


def own_data(name: str, task: OwnTask, folder: Path) -> OwnData:
    """The examples of ``task``, whose files are named from ``folder``.

    Raises:
        DataError: a file cannot be read or is malformed, or the data cannot be learnt or scored.
    """
    paths = [folder / _plain(file) for file in (task.train, task.evaluation) if file]
    for path in paths:
        require_table(name, path)
    states = [(found.st_mtime_ns, found.st_size) for found in (path.stat() for path in paths)]
    return _read(name, task, tuple(paths), tuple(states))


def _plain(file: str) -> Path:
    try:
        return Path(file).expanduser()
    except RuntimeError:  # "~" and the name of nobody
        return Path(file)


@lru_cache(maxsize=2)
def _read(
    name: str, task: OwnTask, paths: tuple[Path, ...], states: tuple[tuple[int, int], ...]
) -> OwnData:
    """Read and check; a plan asks for both parts in turn, so the last are remembered.

    Args:
        states: of the files: what is remembered is of files that have not changed.
    """
    rows = [rows_of(task, path) for path in paths]
    is_split = len(rows) > 1
    classes = () if task.is_graded else _classes(task, rows[0])
    examples = [_examples(task, own, classes) for own in rows]
    orders = [_hashed(own) for own in examples]
    if is_split:
        train, scored = orders
    else:
        train, scored = _parted(examples[0], orders[0], float(task.share or 0))
    train, scored = train[: task.most_train], scored[: task.most_evaluation]
    for order, own, what in ((train, rows[0], "to train on"), (scored, rows[-1], "to score")):
        if len(order) < LEAST_ROWS:
            raise DataError(
                f"{own.path}: task {name} has {len(order)} rows {what}: at least {LEAST_ROWS} are "
                "needed"
            )
    _require_answers(name, task, rows, (train, scored))
    parts = examples[0].take(train), examples[-1].take(scored)
    if task.is_graded:
        known = parts[0].labels
        parts = (
            _standardised(parts[0], known, rows[0].path),
            _standardised(parts[1], known, rows[-1].path),
        )
    trained = set(_texts(parts[0]))
    return OwnData(*parts, classes, sum(text in trained for text in _texts(parts[1])))


def _classes(task: OwnTask, train: Rows) -> tuple[str, ...]:
    """The classes in order: as declared, by number where all are whole numbers, or by name."""
    found = {str(label) for label in train.labels}
    if task.classes:
        return task.classes
    if len(found) > MOST_CLASSES:
        raise DataError(
            f"{train.path}: column {shown(task.label)} has {len(found):,} classes, more than "
            f"{MOST_CLASSES:,}: name the column of the labels, or take a regression"
        )
    if "f1" in task.metric and found != {"0", "1"}:
        raise DataError(
            f"{train.path}: f1 is that of the second of two classes, and column "
            f"{shown(task.label)} has {', '.join(map(shown, sorted(found)[:3]))}: declare classes = "
            '["other", "sought"], or take another metric'
        )
    is_numbered = all(name.lstrip("-").isdecimal() for name in found)
    return tuple(sorted(found, key=int if is_numbered else None))


def _examples(task: OwnTask, rows: Rows, classes: tuple[str, ...]) -> Examples:
    """The rows in their order, with numbers for classes."""
    if "f1" in task.metric and len(classes) != 2:
        raise DataError(
            f"{rows.path}: f1 is that of the second of two classes, and {len(classes)} are declared"
        )
    numbers = {name: number for number, name in enumerate(classes)}
    if not task.is_graded:
        for row, label in enumerate(rows.labels):
            if label not in numbers:
                known = ", ".join(map(shown, classes[:5]))
                raise DataError(
                    f"{rows.where(row)}: column {shown(task.label)} has the class {shown(label)}, "
                    f"which {'is not declared' if task.classes else 'no training example has'} "
                    f"({known}{', ...' if len(classes) > 5 else ''}): correct it, or remove the row"
                )
    is_pair = len(task.text) == 2
    labels: NDArray[np.float64] | NDArray[np.int64]
    if task.is_graded:
        labels = np.array(rows.labels, np.float64)
    else:
        labels = np.array([numbers[str(label)] for label in rows.labels], np.int64)
    return Examples(
        first=[texts[0] for texts in rows.texts],
        second=[texts[1] for texts in rows.texts] if is_pair else None,
        labels=labels,
    )


def _hashed(examples: Examples) -> NDArray[np.int64]:
    from objbench.engine.evaluation.splits import hashed_order

    return hashed_order(examples)


def _parted(
    examples: Examples, order: NDArray[np.int64], share: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(what to train on, the last ``share`` of the order); equal texts are in one part."""
    cut = len(order) - round(share * len(order))
    texts = _texts(examples)
    while 0 < cut < len(order) and texts[order[cut - 1]] == texts[order[cut]]:
        cut -= 1
    return order[:cut], order[cut:]


def _texts(examples: Examples) -> list[tuple[str, ...]]:
    columns = [examples.first] if examples.second is None else [examples.first, examples.second]
    return list(zip(*columns, strict=True))


def _require_answers(
    name: str, task: OwnTask, rows: Sequence[Rows], parts: Sequence[NDArray[np.int64]]
) -> None:
    """Refuse parts of one answer only, and classes that are scored and never trained on."""
    found = []
    for own, order, what in zip((rows[0], rows[-1]), parts, ("trained on", "scored"), strict=True):
        labels = [own.labels[row] for row in order]
        found.append(set(labels))
        if len(found[-1]) == 1:
            raise DataError(
                f"{own.path}: all {len(labels)} rows of task {name} that are {what} have the label "
                f"{shown(labels[0])} in column {shown(task.label)}: nothing can be learnt or told "
                "apart; add others"
            )
    for label in () if task.is_graded else _unseen(found[1] - found[0], rows[-1], parts[1]):
        raise DataError(
            f"{rows[-1].where(label)}: column {shown(task.label)} has the class "
            f"{shown(rows[-1].labels[label])}, which is scored in task {name} and in no example that "
            "is trained on: add some, or remove the row"
        )


def _unseen(labels: set[str | float], rows: Rows, order: NDArray[np.int64]) -> Iterator[int]:
    """The rows, first ones first, whose label is in ``labels``."""
    return (int(row) for row in np.sort(order) if rows.labels[int(row)] in labels)


def _standardised(examples: Examples, known: NDArray[np.float64], path: Path) -> Examples:
    """With grades, float32, in standard deviations of the ``known`` ones from their mean."""
    spread = known.std()
    with np.errstate(all="ignore"):
        values = ((examples.labels - known.mean()) / spread).astype(np.float32)
    if not np.isfinite(values).all():
        raise DataError(
            f"{path}: the grades are too far apart or too close together to be learnt (standard "
            f"deviation {spread:g}): rescale them"
        )
    return Examples(examples.first, examples.second, values)
