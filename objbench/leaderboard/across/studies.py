"""The studies of a page across scales: which they are, and what they are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from objbench.errors import ConfigError
from objbench.judge.formatting import named
from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.report import Report
from objbench.leaderboard.sent_words import marked_name
from objbench.results.published_study import is_published
from objbench.results.records import PretrainRecord
from objbench.results.study_results import StudyResults, read_study_results


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """One of the studies.

    Attributes:
        name: what it is called on the page.
        report: what its records show.
    """

    name: str
    results: StudyResults
    report: Report


def read_studies(folders: Sequence[Path]) -> tuple[Study, ...]:
    """The studies in ``folders``, each of a run or of a published study, sorted by their names.

    Raises:
        ConfigError: there are fewer than two, one is named twice, or two have runs in common.
        RecordError: a plan or a record is missing or cannot be read.
    """
    known: set[Path] = set()
    for folder in folders:
        if folder.resolve() in known:
            raise ConfigError(f"{folder} is named twice: name each study once")
        known.add(folder.resolve())
    if len(folders) < 2:
        raise ConfigError(
            "--across compares several studies: name two or more, or the folder of a page that it "
            "made"
        )
    read = [(folder, read_study_results(folder)) for folder in folders]
    return studies([(*_named(folder, results), results) for folder, results in read])


def studies(found: Sequence[tuple[str, str, StudyResults]]) -> tuple[Study, ...]:
    """The studies with these results, sorted by their names.

    Args:
        found: the name of each, what distinguishes it from another of that name, and its results.

    Raises:
        ConfigError: two have runs in common, so that they are no independent measurements.
    """
    used = Counter(name for name, _, _ in found)
    made = [
        (name if used[name] == 1 else f"{around}/{name}", results)
        for name, around, results in found
    ]
    made.sort(key=lambda item: item[0])
    again: Counter[str] = Counter()
    named_once = []
    for name, results in made:
        again[name] += 1
        named_once.append((name if again[name] == 1 else f"{name} ({again[name]})", results))
    _require_own_runs(named_once)
    return tuple(
        Study(name=name, results=results, report=analyse(results)) for name, results in named_once
    )


def _named(folder: Path, results: StudyResults) -> tuple[str, str]:
    """A published study is called by its folder, whatever the run was called."""
    path = folder.resolve()
    name = path.name if is_published(folder) else results.plan.name
    return marked_name(name or path.name, results.sent_in), path.parent.name


def _require_own_runs(found: Sequence[tuple[str, StudyResults]]) -> None:
    owner: dict[str, str] = {}
    for name, results in found:
        runs = {
            record.key: cell_id
            for cell_id, record in results.records.items()
            if isinstance(record, PretrainRecord) and record.kind == "pretrain"
        }
        shared = [cell for key, cell in runs.items() if key in owner]
        if shared:
            other = next(owner[key] for key in runs if key in owner)
            raise ConfigError(
                f"{other} and {name} have the same runs ({named(shared, 'run')}), so they are no "
                "independent measurements: name one of them"
            )
        owner |= dict.fromkeys(runs, name)
