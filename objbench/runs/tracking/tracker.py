"""What a tracker is: a place to which a cell logs as one run, through accelerate's class of it."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from objbench.errors import ConfigError, one_line
from objbench.results.atomic_files import write_text


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """A cell as a run of a tracker.

    Attributes:
        study: name of the study, the tracker's project.
        cell: id of the cell, the run's name.
        objective: what the tracker groups runs by.
        folder: where a tracker keeps the files of this run folder's runs.
        file: a name for the cell's own file or folder there.
        settings: the cell's, by their dotted place.
    """

    study: str
    cell: str
    objective: str
    folder: Path
    file: str
    settings: Mapping[str, Any]

    def remembered(self, new: str = "") -> str:
        """The run's id in the tracker, from an earlier begin of the cell; else ``new``, kept."""
        path = self.folder / f"{self.file}.id"
        if not path.exists() and new:
            write_text(path, new)
        return path.read_text("utf-8").strip() if path.exists() else ""


class Tracker(ABC):
    """A tracker.

    Attributes:
        name: as accelerate calls it.
        package: what has to be installed.
    """

    name: ClassVar[str]
    package: ClassVar[str]

    def require(self) -> None:
        """Make sure that runs can be logged, before anything long has been done.

        Raises:
            ConfigError: the package is missing, or the tracker does not take runs now.
        """
        if not all(map(_is_there, ("accelerate", self.package))):
            raise ConfigError(
                f"--track {self.name}: {self.package} is not installed; "
                f"pip install 'objbench[{self.name}]', or leave --track {self.name} out"
            )
        try:
            self._try()
        except ConfigError:
            raise
        except (Exception, SystemExit) as error:
            raise ConfigError(
                f"--track {self.name}: it does not take runs ({one_line(error)[:200]}); "
                f"mend that, or leave --track {self.name} out"
            ) from error

    def start(self, run: TrackedRun, done: int) -> Any:
        """Accelerate's tracker, in the run of a cell that has ``done`` steps behind it."""
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS

        run.folder.mkdir(parents=True, exist_ok=True)
        project, options = self._options(run, done)
        made = LOGGER_TYPE_TO_CLASS[self.name](project, **options)
        made.start()
        return made

    @abstractmethod
    def where(self, study: str, folder: Path) -> str:
        """How to look at the runs of ``study``, whose tracker's files are in ``folder``."""

    @abstractmethod
    def _try(self) -> None:
        """Raise if no run can be logged."""

    @abstractmethod
    def _options(self, run: TrackedRun, done: int) -> tuple[str, dict[str, Any]]:
        """Project and options of accelerate's tracker."""

    def settled(self, made: Any, run: TrackedRun, done: int) -> int:
        """Store the settings; returns up to how many steps the run has its lines already."""
        return 0


def _is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
