"""Whether the settings that a study tried learnt, on every seed that they were tried on.

The score of a setting one of whose trials is stuck (see ``learning``) is in part that of the plateau,
and the study's own runs with that setting may be stuck as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from objbench.judge.learning import RunStatus, learning_of
from objbench.results.plan import PlannedCell, tried_settings
from objbench.results.records import AnyRecord, TrialRecord
from objbench.results.reference_lines import ReferenceLines


def trial_status(record: AnyRecord | None, lines: ReferenceLines | None) -> RunStatus:
    """Whether a trial learnt; "unknown" where it diverged, failed or has not run."""
    if not isinstance(record, TrialRecord) or record.status != "ok":
        return "unknown"
    return learning_of(record.points, lines).status


def setting_status(statuses: Iterable[RunStatus]) -> RunStatus:
    """What the trials of one setting, one per tuning seed, say of it.

    Returns:
        "stuck" where one of them is, "learnt" where all of them did, and "unknown" otherwise.
    """
    found = set(statuses)
    if "stuck" in found:
        return "stuck"
    return "learnt" if found == {"learnt"} else "unknown"


def without_reliable_setting(
    cells: Sequence[PlannedCell],
    record_of: Callable[[PlannedCell], AnyRecord | None],
    lines: ReferenceLines | None,
) -> tuple[str, ...]:
    """The objectives of which no setting learnt on all of its tuning seeds, and some are stuck.

    Args:
        cells: among others the trials.
        record_of: the record of a trial.
        lines: the study's reference lines.

    Returns:
        Empty where nothing is known of learning.
    """
    found = []
    for name in dict.fromkeys(cell.objective for cell in cells if cell.kind == "trial"):
        statuses = {
            setting_status(trial_status(record_of(cell), lines) for cell in trials)
            for trials in tried_settings(cells, name)
        }
        if "stuck" in statuses and "learnt" not in statuses:
            found.append(name)
    return tuple(found)
