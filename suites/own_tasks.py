"""A file of tasks of one's own: which files, which columns, what is predicted, what is scored.

    [tasks.intent]
    kind = "classification"
    train = "intent.csv"             # .csv, .tsv, .jsonl, .json or .parquet, beside this file
    share = 0.2                      # held out to be scored; or: evaluation = "intent-dev.csv"
    text = "utterance"
    label = "intent"
    metric = "accuracy"

    [tasks.relatedness]
    kind = "pair"
    train = "pairs-train.tsv"
    evaluation = "pairs-dev.tsv"
    text = ["question", "answer"]
    label = "grade"
    metric = ["pearson", "spearmanr"]
    most_train = 5000

A pair is classified or graded, as its metrics say. Everything here is foreign: names are of few
characters, since they become names of files and columns, and every fault is one line that says
which task and which setting it is in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from objbench.errors import ConfigError, UnknownNameError, one_line
from objbench_suites.glue_tasks import OF_CLASSES, OF_GRADES

NAME = re.compile(r"[a-z][a-z0-9_-]{0,29}")
MOST_TASKS = 100
LEAST_ROWS = 10
"""Of the training part and of the part that is scored: fewer say nothing."""

_LARGEST_FILE = 1 << 20
_SHOWN = 60

Line = Annotated[str, Field(min_length=1, max_length=1000)]
Count = Annotated[int, Field(strict=True, ge=LEAST_ROWS)]


class OwnTask(BaseModel):
    """One task of the file.

    Attributes:
        kind: "classification", "regression", or "pair" for two texts, with classes or grades.
        train: file of the training examples, relative to the folder of the file of tasks.
        evaluation: file of the examples that are scored.
        share: the share of ``train`` that is scored instead; one of the two must be given.
        text: column of the text, or both columns of a pair.
        label: column of the classes or grades.
        metric: GLUE's names of what is scored; the mean of several is printed.
        classes: names of the classes, in order; those of the training examples when empty.
        most_train, most_evaluation: use at most so many examples; None for all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["classification", "regression", "pair"]
    train: Line
    evaluation: Line | None = None
    share: Annotated[float, Field(ge=0.01, le=0.9)] | None = None
    text: tuple[Line, ...] = Field(min_length=1, max_length=2)
    label: Line
    metric: tuple[str, ...] = Field(min_length=1)
    classes: tuple[str, ...] = ()
    most_train: Count | None = None
    most_evaluation: Count | None = None

    @property
    def is_graded(self) -> bool:
        """Whether numbers are predicted, and not classes."""
        return self.metric[0] in OF_GRADES

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, given: Any) -> Any:
        """One name is a list of one, and classes may be numbers."""
        if not isinstance(given, Mapping):
            return given
        made = dict(given)
        for setting in ("text", "metric"):
            if isinstance(made.get(setting), str):
                made[setting] = (made[setting],)
        if isinstance(made.get("classes"), list):
            made["classes"] = [str(one) if type(one) is int else one for one in made["classes"]]
        return made

    @model_validator(mode="after")
    def _fits_together(self) -> OwnTask:
        for fault in self._misfits():
            raise ValueError(fault)
        return self

    def _misfits(self) -> Iterator[str]:
        if (self.evaluation is None) == (self.share is None):
            yield "give either evaluation, a file, or share, such as share = 0.2"
        if len(self.text) != (2 if self.kind == "pair" else 1):
            other = 'kind = "pair"' if len(self.text) == 2 else 'text = ["first", "second"]'
            yield f"the kind {self.kind} does not have {len(self.text)} columns of text; write {other}"
        if len({*self.text, self.label}) <= len(self.text):
            yield "text and label name one column twice"
        known = {"classification": OF_CLASSES, "regression": OF_GRADES}.get(
            self.kind, (*OF_CLASSES, *OF_GRADES)
        )
        for name in self.metric:
            if name not in known:
                yield str(UnknownNameError(f"metric of {self.kind}", name[:_SHOWN], known))
        if len(set(self.metric)) < len(self.metric):
            yield "metric names one twice"
        if len({name in OF_GRADES for name in self.metric}) > 1:
            yield f"metric mixes {' and '.join(self.metric)}: one scores grades, the other classes"
        if self.classes and self.is_graded:
            yield "it has classes, and its metric scores grades"
        if len(self.classes) == 1 or len(set(self.classes)) < len(self.classes):
            yield "classes must be two or more, each once"


def read_own_tasks(path: Path) -> dict[str, OwnTask]:
    """The tasks of a file by name, in its order.

    Raises:
        ConfigError: the file cannot be read or a task is malformed; the line names both.
    """
    tables = _tables(path)
    unknown = next((key for key in tables if key != "tasks"), None)
    if unknown is not None:
        raise ConfigError(
            f"{path}: {shown(unknown)} is not known; write [tasks.NAME] for each task"
        )
    found = tables.get("tasks")
    if not isinstance(found, Mapping) or not found:
        raise ConfigError(f"{path} has no task: write [tasks.NAME] for each")
    if len(found) > MOST_TASKS:
        raise ConfigError(f"{path} has {len(found)} tasks: at most {MOST_TASKS} are taken")
    return {name: _task(name, table, path) for name, table in found.items()}


def shown(text: object) -> str:
    """Foreign text in a message: quoted, without what a terminal acts on, and not long."""
    line = one_line(text)
    return repr(line if len(line) <= _SHOWN else f"{line[:_SHOWN]}...")


def _tables(path: Path) -> Mapping[str, Any]:
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            raise ConfigError(f"the file of tasks {path} is no file: name a TOML file")
        if path.exists() and path.stat().st_size > _LARGEST_FILE:
            raise ConfigError(f"{path} is larger than 1 MiB: it is no file of tasks; name another")
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"the file of tasks {path} cannot be read ({error.strerror}): name a TOML file"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 (at byte {error.start}): save it as UTF-8"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply: write [tasks.NAME] tables") from error
    except ValueError as error:  # also of numbers with more digits than Python converts
        raise ConfigError(f"{path} is not TOML: {one_line(error)}") from error


def _task(name: str, table: Any, path: Path) -> OwnTask:
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"{path}: a task cannot be called {shown(name)}: use lowercase letters, digits, _ and -, "
            "at most 30, a letter first"
        )
    where = f"{path}: task {name}"
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} is no table: write [tasks.{name}]")
    for setting in table:
        if setting not in OwnTask.model_fields:
            known = OwnTask.model_fields
            raise ConfigError(f"{where}: {UnknownNameError('setting', setting[:_SHOWN], known)}")
    try:
        return OwnTask.model_validate(table)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_fault(error)}") from error


def _fault(error: ValidationError) -> str:
    """The first thing that is wrong with a task."""
    item = error.errors()[0]
    setting = ".".join(str(part) for part in item["loc"])
    message = one_line(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "missing":
        return f"{setting} is missing"
    return f"{setting} = {shown(item['input'])}: {message}" if setting else message
