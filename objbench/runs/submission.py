"""A study sent to others: made from a run folder, and checked by whoever receives it.

Both sides run the same checks, so that a sender hears first what a receiver would refuse.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from objbench.errors import ConfigError, UnknownNameError
from objbench.judge.formatting import count
from objbench.plugins.loading import load_plugins, plugin_entry_points
from objbench.plugins.registry import Registry
from objbench.plugins.sent_sources import foreign_entries, packed, require_digest, sent_faults
from objbench.results.atomic_files import whole_folder
from objbench.results.plan import Plan
from objbench.results.run_folder import RunFolder
from objbench.results.study_results import StudyResults, read_comparison, read_study_results
from objbench.results.submissions.foreign_folder import PLUGINS, take_in
from objbench.results.submissions.record_faults import missing
from objbench.results.submissions.sealed_study import Checked, check_files, write_submission
from objbench.results.submissions.statement import is_shipped, statement_of
from objbench.runs.planning.replanned import plugins_named, replanned
from objbench.runs.planning.usable_part import Options

_MOST_NAMED = 3


def make_submission(run: Path, out: Path, by: str = "") -> Checked:
    """Write the study in ``run`` as a folder that can be sent; returns what a receiver would find.

    Nothing is left behind where a receiver would refuse it.

    Args:
        run: a run folder, or a published study.
        out: the folder to make.
        by: who sends it; "" for nobody named.

    Raises:
        ConfigError: the study is not finished, a plugin has changed since, ``out`` is there or inside
            ``run``, or a receiver would refuse the study.
        RecordError: the plan or a record cannot be read.
    """
    if out.exists() or out.is_symlink():
        raise ConfigError(f"{out} is there already: name another folder with --out")
    if out.resolve().is_relative_to(run.resolve()):
        # Among the records it would be read as one of them.
        raise ConfigError(f"{out} is inside {run}: name a folder outside it with --out")
    results = read_study_results(run)
    unfinished = list(missing(results.plan, results.records))
    if unfinished:
        more = len(unfinished) - _MOST_NAMED
        raise ConfigError(
            f"{run} is not finished ({'; '.join(unfinished[:_MOST_NAMED])}"
            f"{f'; {more} more' if more > 0 else ''}): run the same command again first"
        )
    logged = {name: RunFolder(run).with_log(record) for name, record in results.records.items()}
    results = replace(results, records=logged)
    sources, entries = _sent(results, registry_of(results.plan))
    statement = statement_of(results, entries, by)
    with whole_folder(out) as folder:
        write_submission(folder, results, statement, sources, read_comparison(run, results.plan))
        found = check_submission(folder, {})
        if found.faults:
            raise ConfigError(
                f"{run} would be refused: {count(len(found.faults), 'fault')}, the first "
                f"{found.faults[0]}"
            )
    return found


def check_submission(folder: Path, options: Options) -> Checked:
    """Everything that can be checked of a submission without its text and without running it.

    Args:
        folder: a copy that ``taken_in`` made, or one of our own.
        options: as for ``replanned``.
    """
    found = check_files(folder)
    found.faults.extend(sent_faults(folder / PLUGINS))
    if found.results is not None and not found.faults:
        plan = found.results.plan
        again = replanned(found.results, registry_of(plan), options)
        found.faults.extend(again.faults)
        found = replace(found, keys=len(again.cells))
        cells = sum(cell.id not in again.cells for cell in plan.cells)
        if cells:
            found.unchecked.append(
                f"{count(cells, 'key')} of {len(plan.cells)} cells could not be made again"
            )
        found.unchecked.extend(again.unchecked)
    return found


@contextmanager
def taken_in(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """(a copy of what may be in a submission, what may not be in it, one line each).

    Raises:
        ConfigError: ``folder`` is no folder, or cannot be read.
    """
    with TemporaryDirectory(prefix="objbench-") as copy:
        yield Path(copy), take_in(folder, Path(copy))


def registry_of(plan: Plan) -> Registry:
    """The installed plugins of those that a plan names; others are left out without a word."""
    installed = {entry.name for entry in plugin_entry_points()}
    return load_plugins(only=[name for name in plugins_named(plan) if name in installed])


def _sent(
    results: StudyResults, registry: Registry
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """(digest -> path -> text, name -> part -> module) of the plugins that objbench lacks.

    Raises:
        ConfigError: one of them is not installed any more, or has changed since.
    """
    sources: dict[str, dict[str, str]] = {}
    entries: dict[str, dict[str, str]] = {}
    for plugin in {r.plugin.name: r.plugin for r in results.records.values()}.values():
        if is_shipped(plugin.project):
            continue
        is_suite = plugin.name in {suite.name for suite in results.plan.suites}
        try:
            kind = registry.suite(plugin.name) if is_suite else registry.objective(plugin.name)
        except UnknownNameError as error:
            raise ConfigError(
                f"{plugin.name} ({plugin.project}) is not installed, so its source cannot be sent: "
                "install what the study was run with"
            ) from error
        require_digest(kind, plugin.name, plugin.source)
        sources[plugin.source] = packed(kind)
        entries[plugin.name] = foreign_entries(plugin.name, registry)
    return sources, entries
