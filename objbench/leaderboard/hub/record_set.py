"""The records of a study as a data set on the hub: a published study, with its tables as parquet.

The plan, the records as canonical JSON lines and the page are those of
``objbench leaderboard --with-records``, so that whoever downloads the data set can make the page again.
"""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import DatasetCardData

from objbench.leaderboard.data_frames import Results
from objbench.leaderboard.page import write_leaderboard
from objbench.leaderboard.report import Report
from objbench.results.study_results import StudyResults

README = "README.md"


def record_set(
    run: Path, name: str, results: StudyResults, report: Report
) -> dict[str, Path | bytes]:
    """Path in the repository -> contents of the data set.

    Args:
        run: the folder of a run or of a published study.
        name: what the data set is called, without its owner.
        results: its plan and records, without stale ones.
        report: the same, analysed.
    """
    with TemporaryDirectory() as made:
        folder = Path(made) / name
        write_leaderboard(run, folder, with_records=True, results=results, report=report)
        files: dict[str, Path | bytes] = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    tables = Results(results)
    frames = {
        "scores": tables.scores(),
        "floors": tables.floors(),
        "curves": tables.curves(),
        "costs": tables.costs(),
    }
    shown = {kind: table for kind, table in frames.items() if len(table)}
    for kind, table in shown.items():
        buffer = io.BytesIO()
        table.to_frame().to_parquet(buffer, index=False)
        files[f"tables/{kind}.parquet"] = buffer.getvalue()
    card = DatasetCardData(
        pretty_name=name,
        tags=["objbench"],
        configs=[{"config_name": kind, "data_files": f"tables/{kind}.parquet"} for kind in shown],
    )
    page = files[README]
    assert isinstance(page, bytes)
    files[README] = f"---\n{card.to_yaml()}\n---\n\n".encode() + page
    return files
