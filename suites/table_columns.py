"""The columns of a table of tasks as a protocol prints and averages them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from objbench.contract.suite import Average, Column
from objbench.errors import ConfigError, UnknownNameError
from objbench_suites.glue_tasks import metrics_of
from objbench_suites.protocol import Protocol
from objbench_suites.sentence_task import SentenceTask

Table = Mapping[str, SentenceTask]
"""Every task of a suite by name, in the order of the columns."""


def columns_of(table: Table, tasks: Sequence[str], protocol: Protocol) -> tuple[Column, ...]:
    """The columns of ``tasks``, which are of ``table``."""
    return tuple(
        Column(name=column, task=task, metrics=protocol.columns[column])
        for task in tasks
        for column in table[task].evaluation
    )


def average_of(table: Table, columns: Sequence[Column], protocol: Protocol) -> Average:
    """The protocol's average over the groups whose columns are all in ``columns``."""
    rule = protocol.average
    here = {column.name for column in columns}
    groups = tuple(group for group in rule.groups if here.issuperset(group))
    if len(groups) == len(rule.groups):
        return Average(rule.label, groups)
    lacking = [_group_name(table, group) for group in rule.groups if group not in groups]
    label = f"mean of {len(groups)} of {len(rule.groups)} {rule.of} "
    return Average(f"{label}(without {', '.join(lacking)})", groups)


def printed_metrics(table: Table, columns: Sequence[Column]) -> str:
    """Which metrics are printed in the columns that could show several, such as "mrpc accuracy+f1"."""
    shown = {
        column.name: "+".join(column.metrics)
        for column in columns
        if len(metrics_of(table[column.task].metric)) > 1
    }
    return ", ".join(f"{column} {metric}" for column, metric in shown.items())


def require_columns(table: Table, protocol: Protocol) -> None:
    """Refuse a protocol that does not fit the table.

    Raises:
        ConfigError: it lacks a column, or prints a metric that does not score its task.
    """
    for task in table.values():
        official = metrics_of(task.metric)
        for column in task.evaluation:
            if column not in protocol.columns:
                raise ConfigError(
                    f"protocol {protocol.name} has no column {column}: "
                    f"add it under [columns], with one of {', '.join(official)}"
                )
            for metric in protocol.columns[column]:
                if metric not in official:
                    raise UnknownNameError(f"metric of {column}", metric, official)


def _group_name(table: Table, group: tuple[str, ...]) -> str:
    tasks = {task for task in table if set(group) & set(table[task].evaluation)}
    return tasks.pop() if len(group) > 1 and len(tasks) == 1 else "+".join(group)
