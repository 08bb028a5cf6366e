"""Reading GLUE from a folder of files or from the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from objbench.engine.evaluation.examples import Examples
from objbench.errors import DataError, HubError, one_line
from objbench_suites.glue_tasks import GLUE_TASKS
from objbench_suites.hub import quiet_hub
from objbench_suites.sentence_table import examples_of, joined, schema_of
from objbench_suites.sentence_task import Place, SentenceTask

HUB_NAME = "nyu-mll/glue"


def glue_place(folder: str | None, suite: str) -> Place:
    """The folder ``folder``, or the hub where it is None; errors name the option of ``suite``."""
    flag = f"--{suite}-dir"
    return Hub(flag) if folder is None else Folder(Path(folder).expanduser(), flag)


class Folder:
    """Files ``<task>/<split>.parquet``, ``.jsonl`` or ``.csv``, or all of their numbered parts.

    Parts are named as on the hub: ``validation-00001-of-00003.parquet``. A split that is there in
    two versions, or in part, is an error.

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
            DataError: a file is missing, there twice, damaged or malformed.
        """
        from objbench.data.table_files import read_columns

        files = self._files(task, split)
        schema = schema_of(task)
        parts = [examples_of(read_columns(file, schema), task, str(file)) for file in files]
        return joined(parts, str(files[0]))

    def _files(self, task: SentenceTask, split: str) -> list[Path]:
        """The file of a split, or all of its numbered parts."""
        folder = self.root / task.name
        whole, numbered = _versions(folder, split)
        if len(whole) + len(numbered) > 1:
            names = ", ".join(file.name for file in [*whole, *(p for n in numbered for p in n)])
            raise DataError(
                f"{folder} has more than one version of {split} ({names}): remove all but one"
            )
        if found := [*whole, *(part for parts in numbered for part in parts)]:
            return found
        raise DataError(
            f"{folder / split}.parquet is missing (nor is there a .jsonl or .csv): add it, or "
            f"remove {folder} to leave {task.name} out"
        )


def _versions(folder: Path, split: str) -> tuple[list[Path], list[list[Path]]]:
    """(the whole files, the sets of numbered parts) of ``split`` in ``folder``.

    Raises:
        DataError: a part is missing, or two versions are mixed.
    """
    from objbench.data.shards import shards_of, without_part
    from objbench.data.table_files import format_of

    files = [
        file
        for file in sorted(folder.iterdir())
        if file.is_file() and format_of(file) is not None and without_part(file.name) == split
    ]
    numbered = [[whole.files[at] for at in sorted(whole.files)] for whole in shards_of(files)]
    for shards in shards_of(files):
        if shards.missing:
            raise DataError(
                f"{folder}: part {shards.missing[0]} of the {shards.count} parts of {split} is "
                f"missing (there: {', '.join(file.name for file in shards.files.values())}): add it"
            )
    parts = {file for one in numbered for file in one}
    return [file for file in files if file not in parts], numbered


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

        from objbench.data.table_files import columns_of

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
        schema = schema_of(task)
        # Drops the hub's metadata and any row selection, which the checks do not need.
        columns = columns_of(loaded.with_format("arrow")[:], schema, where)
        examples = examples_of(dict(zip(schema, columns, strict=True)), task, where)
        return joined([examples], where)
