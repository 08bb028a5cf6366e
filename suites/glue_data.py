"""Reading GLUE from a folder of files or from the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from objbench.engine.evaluation.examples import Examples
from objbench.errors import DataError, HubError, one_line
from objbench_suites.glue_tasks import GLUE_TASKS
from objbench_suites.hub import quiet_hub
from objbench_suites.sentence_table import examples_of, read_table
from objbench_suites.sentence_task import Place, SentenceTask

HUB_NAME = "nyu-mll/glue"


def glue_place(folder: str | None, suite: str) -> Place:
    """The folder ``folder``, or the hub where it is None; errors name the option of ``suite``."""
    flag = f"--{suite}-dir"
    return Hub(flag) if folder is None else Folder(Path(folder).expanduser(), flag)


class Folder:
    """Files ``<task>/<split>.parquet`` or ``.jsonl``, or the hub's own sharded file names.

    Args:
        root: the folder that holds the tasks' folders.
        flag: the option that names it.
    """

    def __init__(self, root: Path, flag: str = "--glue-dir") -> None:
        self.root = root
        self._flag = flag

    def missing(self) -> Mapping[str, str]:
        """Tasks without a folder; a folder that lacks a split is an error, not a missing task.

        Raises:
            DataError: there is no such folder, or a task's folder lacks a split.
        """
        if not self.root.is_dir():
            raise DataError(
                f"the GLUE folder {self.root} does not exist: give {self._flag} another"
            )
        absent = {
            name: f"{self.root} has no folder {name}"
            for name in GLUE_TASKS
            if not (self.root / name).is_dir()
        }
        for name, task in GLUE_TASKS.items():
            if name not in absent:
                for split in task.splits:
                    self._files(task, split)
        return absent

    def read(self, task: SentenceTask, split: str) -> Examples:
        """The examples of a split.

        Raises:
            DataError: a file is missing, damaged or malformed.
        """
        files = self._files(task, split)
        tables = [read_table(file) for file in files]
        try:
            table = pa.concat_tables(tables)
        except pa.ArrowException as error:
            raise DataError(
                f"{files[0]} and its further parts differ in columns: copy them again"
            ) from error
        return examples_of(table, task, str(files[0]))

    def _files(self, task: SentenceTask, split: str) -> list[Path]:
        folder = self.root / task.name
        for kind in ("parquet", "jsonl"):
            whole = folder / f"{split}.{kind}"
            parts = [whole] if whole.is_file() else sorted(folder.glob(f"{split}-*-of-*.{kind}"))
            if parts:
                return parts
        raise DataError(
            f"{folder / split}.parquet is missing (nor is there a .jsonl): add it, or remove "
            f"{folder} to leave {task.name} out"
        )


class Hub:
    """The data set ``nyu-mll/glue``, downloaded on first use and kept by ``datasets``.

    Args:
        flag: the option that names a folder to read instead.
    """

    def __init__(self, flag: str = "--glue-dir") -> None:
        self._flag = flag

    def missing(self) -> Mapping[str, str]:
        """Nothing: the hub has every task."""
        return {}

    def read(self, task: SentenceTask, split: str) -> Examples:
        """The examples of a split.

        Raises:
            HubError: the hub is out of reach, or gives something else.
        """
        import datasets

        where = f"{HUB_NAME} {task.name} {split}"
        try:
            with quiet_hub():
                loaded = datasets.load_dataset(HUB_NAME, task.name, split=split)
        except Exception as error:
            # datasets, huggingface_hub, httpx and fsspec each raise their own.
            raise HubError(
                f"{where} cannot be loaded from the Hugging Face hub ({one_line(error)[:120]}): "
                f"go online once, or name a folder with its files by {self._flag}"
            ) from error
        # Drops the hub's metadata and any row selection, which the checks do not need.
        return examples_of(loaded.with_format("arrow")[:], task, where)
