"""A generated folder in GLUE's schema; never the real data."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from objbench_suites.glue_tasks import GLUE_TASKS

FILLERS = np.array(
    ["the", "a", "dog", "cat", "bird", "house", "runs", "sees", "likes", "red", "blue"]
)
MARKS = ("bad", "good", "fine")


def table(task, rows, seed):
    """Rows whose label is told by a word of the last sentence."""
    generator = np.random.default_rng(seed)
    labels = np.arange(rows) % max(2, task.labels)
    columns = {}
    for name in filter(None, (task.first, task.second)):
        columns[name] = [
            " ".join([*generator.choice(FILLERS, generator.integers(2, 6)), MARKS[label]])
            for label in labels
        ]
    columns["label"] = labels * 4.5 if task.labels == 1 else labels
    columns["idx"] = np.arange(rows)
    return pa.table(columns)


@pytest.fixture
def write_glue(tmp_path):
    """(*tasks) -> a folder with those tasks' splits: 48 rows to train on, 24 to score."""

    def write(*names):
        for name in names or GLUE_TASKS:
            task = GLUE_TASKS[name]
            folder = tmp_path / "glue" / name
            folder.mkdir(parents=True)
            for seed, split in enumerate(task.splits):
                rows = 24 if seed else 48
                pa.parquet.write_table(table(task, rows, seed), folder / f"{split}.parquet")
        return tmp_path / "glue"

    return write


@pytest.fixture
def rewrite():
    """(file, **columns) -> the parquet file with columns replaced, or dropped where None."""

    def change(path, **columns):
        rows = pa.parquet.read_table(path)
        for name, values in columns.items():
            rows = rows.drop_columns([name]) if name in rows.column_names else rows
            if values is not None:
                rows = rows.append_column(name, pa.array(values))
        pa.parquet.write_table(rows, path)

    return change
