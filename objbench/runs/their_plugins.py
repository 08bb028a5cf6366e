"""The plugins of a study that somebody sent: those installed here, or theirs where that is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from objbench.errors import ConfigError, ObjbenchError
from objbench.plugins.registry import Registry
from objbench.plugins.sent_sources import load_sent, require_digest, sent_faults
from objbench.plugins.source_digest import source_digest
from objbench.results.json_files import read_stored
from objbench.results.plan import Plan
from objbench.results.submissions.foreign_folder import PLUGINS, STATEMENT
from objbench.results.submissions.statement import STATEMENTS, SentPlugin
from objbench.runs.planning.replanned import plugins_named
from objbench.runs.submission import registry_of


@contextmanager
def their_plugins(study: Path, plan: Plan, *, may_run_theirs: bool) -> Iterator[Registry]:
    """The plugins of a study on a board, each with the source that its records name.

    Args:
        study: its folder.
        plan: its plan.
        may_run_theirs: run what was sent where it is not installed here.

    Raises:
        ConfigError: a plugin is not here, and was not sent or may not be run.
        RecordError: the statement cannot be read.
    """
    statement = read_stored(study / STATEMENT, STATEMENTS)
    suites = {suite.name for suite in plan.suites}
    installed = registry_of(plan)
    absent = [p for p in statement.plugins if not _is_here(p, installed, suites)]
    if not absent:
        yield installed
        return
    for plugin in absent:
        if not plugin.entries:
            raise ConfigError(
                f"{plugin.name} ({plugin.project} {plugin.version}) was run with the source "
                f"{plugin.source[:12]}, which is not the one here: check out the commit that the "
                "records name"
            )
    if not may_run_theirs:
        one = absent[0]
        raise ConfigError(
            f"{one.name} ({one.project} {one.version}) is not installed here with the source that was "
            f"sent: read {study / PLUGINS / one.source}, then install it, or have it run as it is "
            "with --run-their-code, which lets it do whatever you may do"
        )
    if faults := sent_faults(study / PLUGINS):
        raise ConfigError(faults[0])
    entries = {part: module for plugin in absent for part, module in plugin.entries.items()}
    digests = [plugin.source for plugin in absent]
    with load_sent(study / PLUGINS, entries, digests, plugins_named(plan)) as registry:
        for plugin in absent:
            kind = (
                registry.suite(plugin.name)
                if plugin.name in suites
                else registry.objective(plugin.name)
            )
            require_digest(kind, plugin.name, plugin.source)
        yield registry


def _is_here(plugin: SentPlugin, registry: Registry, suites: set[str]) -> bool:
    try:
        is_suite = plugin.name in suites
        kind = registry.suite(plugin.name) if is_suite else registry.objective(plugin.name)
        return source_digest(kind) == plugin.source
    except (ObjbenchError, LookupError):
        return False
