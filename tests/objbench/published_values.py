"""The numbers on the committed pages as they were first computed, and which of them are over all runs."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
PUBLISHED = json.loads((ROOT / "tests/data/published_values.json").read_text())


def _has_stuck_runs(published):
    """Whether an objective's published held-out losses are over fewer runs than another's.

    Where all of them are stuck, it is their mean without an interval.
    """
    losses = [old for terms in published["heldout"].values() for old in terms.values()]
    kinds = {(old["runs"], old["interval"] is None) for old in losses if old is not None}
    return len(kinds) > 1


# A page's means are over the runs that are not stuck, and those of the judge and of the tables over
# all: where a study has stuck runs, `leaderboard/test_published_values.py` alone has its numbers.
WITHOUT_STUCK_RUNS = [name for name, numbers in PUBLISHED.items() if not _has_stuck_runs(numbers)]
