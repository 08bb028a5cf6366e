"""A result that is to be judged by the rules of a track: a study of one's own, or what somebody sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from objbench.errors import ConfigError
from objbench.results.study_results import StudyResults, read_study_results
from objbench.results.submissions.foreign_folder import STATEMENT
from objbench.results.submissions.marks import RECEIVED
from objbench.runs.planning.usable_part import Options
from objbench.runs.submission import check_submission, taken_in


@dataclass(frozen=True, slots=True)
class TakenResult:
    """A study, with what is wrong with its files.

    Attributes:
        name: what it is called.
        results: None where the files cannot be read.
        faults: what is wrong with a submission, one line each; none of one's own study.
        unchecked: what could not be checked of a submission, one line each.
    """

    name: str
    results: StudyResults | None
    faults: Sequence[str] = ()
    unchecked: Sequence[str] = ()


@contextmanager
def taken_result(folder: Path, options: Options) -> Iterator[TakenResult]:
    """The study in ``folder``; a folder with a statement and no marks of a board was sent.

    Args:
        folder: a run folder, a published study, or a submission.
        options: as for ``check_submission``.

    Raises:
        ConfigError: ``folder`` is none, or an option does not fit or would have no effect.
        RecordError: a study of one's own cannot be read.
    """
    name = "".join(sign for sign in folder.resolve().name if sign.isprintable())[:60]
    if not (folder / STATEMENT).is_file() or (folder / RECEIVED).is_file():
        if options:
            raise ConfigError(
                f"{folder} is a study of this machine, which needs no options of plugins: leave them "
                "out, they are for a folder that was sent"
            )
        yield TakenResult(name, read_study_results(folder))
        return
    with taken_in(folder) as (copy, beyond):
        found = check_submission(copy, options)
        yield TakenResult(name, found.results, [*beyond, *found.faults], found.unchecked)
