"""A file of tasks of one's own as a table, a place and a protocol, as the suites need them."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from objbench.engine.evaluation.examples import Examples
from objbench.errors import ConfigError, DataError
from objbench_suites.own_task_data import OwnData, own_data
from objbench_suites.own_tasks import OwnTask, read_own_tasks
from objbench_suites.protocol import AverageRule, Protocol
from objbench_suites.sentence_task import SentenceTask

_log = logging.getLogger(__name__)

_TRAIN, _SCORED = "train", "evaluation"


class TaskFiles:
    """The tasks of a file, all read and checked at once; their examples are read again when needed.

    Args:
        file: the file of tasks; None for no task at all.
        suite: the suite that reads it, for errors.

    Attributes:
        table: every task, in the order of the file.
        summaries: task -> a few words on its metric and data, for the page.

    Raises:
        ConfigError: the file cannot be read or a task is malformed.
        DataError: a task's files cannot be read, or its data cannot be learnt or scored.
    """

    def __init__(self, file: str | None, suite: str) -> None:
        self._suite = suite
        self._folder = Path()
        self._tasks: dict[str, OwnTask] = {}
        self._prints: dict[tuple[str, str], str] = {}
        self.table: dict[str, SentenceTask] = {}
        self.summaries: dict[str, str] = {}
        if file is not None:
            path = _plain(file)
            self._folder = path.parent
            self._tasks = read_own_tasks(path)
        for name, task in self._tasks.items():
            data = own_data(name, task, self._folder)
            for split, examples in ((_TRAIN, data.train), (_SCORED, data.evaluation)):
                self._prints[name, split] = examples.fingerprint
            self.table[name] = _entry(name, task, data)
            self.summaries[name] = _summary(name, task, data)
            if data.repeated:
                _warn_once(f"{file}: {_repeated(name, data)}: remove them from one of the two")

    def missing(self) -> Mapping[str, str]:
        """Nothing: a file that is not there is an error.

        Raises:
            DataError: there is no file of tasks.
        """
        if not self.table:
            raise DataError(
                f"{self._suite} has no tasks: name a file of them with --tasks FILE, or set "
                f"{self._suite}.file"
            )
        return {}

    def read(self, task: SentenceTask, split: str) -> Examples:
        """The examples of one part.

        Raises:
            DataError: they are no longer those that were checked.
        """
        data = own_data(task.name, self._tasks[task.name], self._folder)
        examples = data.train if split == _TRAIN else data.evaluation
        if examples.fingerprint != self._prints[task.name, split]:
            raise DataError(
                f"a file of task {task.name} has changed while it was in use: give the same command "
                "again"
            )
        return examples

    def protocol(self, base: Protocol) -> Protocol:
        """``base``, its recipe and seeds, with a column per task and their mean."""
        names = tuple(self.table)
        label = f"mean of {len(names)} tasks" if len(names) > 1 else f"score of {''.join(names)}"
        return base.model_copy(
            update={
                "suite": self._suite,
                "columns": {name: self._tasks[name].metric for name in names},
                "average": AverageRule(
                    label=label,
                    of="tasks",
                    groups=tuple((name,) for name in names) or (("none",),),
                ),
            }
        )

    def described(self, tasks: tuple[str, ...]) -> str:
        """What ``tasks`` are, in one line."""
        return "; ".join(self.summaries[name] for name in tasks)


def _plain(file: str) -> Path:
    try:
        return Path(file).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{file!r}: there is no such home folder; name a TOML file") from error


def _entry(name: str, task: OwnTask, data: OwnData) -> SentenceTask:
    return SentenceTask(
        name=name,
        first=task.text[0],
        second=task.text[1] if len(task.text) > 1 else None,
        labels=1 if task.is_graded else len(data.classes),
        metric="+".join(task.metric),
        evaluation={name: _SCORED},
        train=_TRAIN,
    )


def _summary(name: str, task: OwnTask, data: OwnData) -> str:
    """Such as "intent: accuracy, 7 classes, 960 to train on, 240 scored (20% held out)"."""
    what = "pairs, " if len(task.text) > 1 else ""
    answers = "grades" if task.is_graded else f"{len(data.classes)} classes"
    held = f" ({task.share:.3g} of the file held out)" if task.share else ""
    repeated = f", of which {data.repeated:,} are trained on too" if data.repeated else ""
    return (
        f"{name}: {'+'.join(task.metric)}, {what}{answers}, {len(data.train):,} to train on, "
        f"{len(data.evaluation):,} scored{held}{repeated}"
    )


def _repeated(name: str, data: OwnData) -> str:
    return (
        f"task {name} trains on the texts of {data.repeated:,} of its {len(data.evaluation):,} scored "
        "examples"
    )


@lru_cache
def _warn_once(text: str) -> None:
    """Several suites read one file, and so does every process that runs cells."""
    if multiprocessing.parent_process() is None:
        _log.warning("%s", text)
