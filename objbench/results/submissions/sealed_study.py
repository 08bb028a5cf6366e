"""Writing a submission, and reading one back as far as its files alone say whether it is whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from objbench.errors import RecordError, one_line
from objbench.results.atomic_files import write_text
from objbench.results.canonical_lines import digest as digest_of
from objbench.results.json_files import dump_sealed, read_stored
from objbench.results.lines_agreement import is_key_known, lines_faults, unusual_lines
from objbench.results.plan import Plan
from objbench.results.published_study import read_published, write_published
from objbench.results.run_folder import RunFolder
from objbench.results.sealed_folder import SEAL, damages, seal
from objbench.results.step_comparison import StepComparison
from objbench.results.study_results import StudyResults, join, read_comparison
from objbench.results.submissions.foreign_folder import PLUGINS, STATEMENT
from objbench.results.submissions.record_faults import (
    link_faults,
    misplaced,
    missing,
    seed_faults,
)
from objbench.results.submissions.score_faults import score_faults, uncounted
from objbench.results.submissions.spending_faults import loss_faults, spending_faults
from objbench.results.submissions.statement import (
    STATEMENTS,
    Statement,
    disagreements,
    is_shipped,
)


def write_submission(
    folder: Path,
    results: StudyResults,
    statement: Statement,
    sources: Mapping[str, Mapping[str, str]],
    comparison: StepComparison | None = None,
) -> str:
    """Write a submission into an empty folder; returns the digest of the whole, in hex.

    Args:
        folder: to write to.
        results: the study; its stale records are left out.
        statement: what is said of it.
        sources: digest of a plugin -> path of a file of it, such as "mine/loss.py" -> its text.
        comparison: the comparison of the objectives' steps, if there is one.
    """
    write_published(folder, results.plan, results.records.values())
    run = RunFolder(folder)
    run.write_reference_lines(results.lines)
    run.write_step_comparison(comparison)
    write_text(folder / STATEMENT, dump_sealed(statement))
    for digest, files in sources.items():
        for name, text in files.items():
            write_text(folder / PLUGINS / digest / name, text)
    return seal(folder)


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a submission.

    Attributes:
        digest: of the whole folder, in hex.
        faults: what is wrong with it, one line each.
        unchecked: what could not be checked, and why, one line each.
        results, statement: None where the files cannot be read.
        keys: how many keys were made again from the plan and are the same.
    """

    digest: str
    faults: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    results: StudyResults | None = None
    statement: Statement | None = None
    keys: int = 0


def check_files(folder: Path) -> Checked:
    """All that the files of a submission say of each other; no plugin and no text is needed.

    Args:
        folder: a copy that ``foreign_folder.take_in`` made.
    """
    seal_file = folder / SEAL
    found = Checked(digest_of(seal_file.read_bytes()) if seal_file.is_file() else "")
    found.faults.extend(damages(folder))
    run = RunFolder(folder)
    try:
        plan = run.read_plan()
        records = read_published(folder)
        lines = run.read_reference_lines()
        read_comparison(folder, plan)
        statement = read_stored(folder / STATEMENT, STATEMENTS)
    except RecordError as error:
        found.faults.append(_there(error, folder))
        return found
    wrong = list(misplaced(plan, records))
    if wrong:
        found.faults.extend([*seed_faults(plan), *wrong])
        return found
    if lines is not None:
        wrong = [f"lines.json: {fault}" for fault in lines_faults(lines, plan, records)]
        if wrong:
            found.faults.extend(wrong)
            return found
        found.unchecked.extend(unusual_lines(lines))
        if not is_key_known(lines, plan, records):
            found.unchecked.append(
                "the key of lines.json could not be made again, so that nothing says whose it is"
            )
    results = join(plan, records, lines)
    found.faults.extend(_faults(plan, results, statement, folder))
    found.unchecked.extend(uncounted(plan, results.records))
    return Checked(found.digest, found.faults, found.unchecked, results, statement)


def _faults(plan: Plan, results: StudyResults, statement: Statement, folder: Path) -> list[str]:
    records = results.records
    return [
        *seed_faults(plan),
        *missing(plan, records),
        *link_faults(plan, records),
        *score_faults(plan, records),
        *spending_faults(plan, records),
        *loss_faults(records),
        *disagreements(statement, results),
        *_unsent(statement, folder),
    ]


def _unsent(statement: Statement, folder: Path) -> list[str]:
    """Plugins that are neither shipped nor sent, and sources of none of the plugins."""
    sent = {path.name for path in folder.glob(f"{PLUGINS}/*")}
    found = []
    for plugin in statement.plugins:
        if not is_shipped(plugin.project) and plugin.source not in sent:
            found.append(f"plugins: the source of {plugin.name} ({plugin.project}) was not sent")
        if not is_shipped(plugin.project) and not plugin.entries:
            found.append(f"statement.json: nothing says which module registers {plugin.name}")
    for digest in sorted(sent - {plugin.source for plugin in statement.plugins}):
        found.append(f"{PLUGINS}/{digest} is the source of no plugin of the study")
    return found


def _there(error: RecordError, folder: Path) -> str:
    """The message without the path of the copy, and without advice for the owner of a run."""
    text = one_line(error).replace(f"{folder}/", "").replace(str(folder), "the folder")
    return text.partition("; ")[0][:400]
