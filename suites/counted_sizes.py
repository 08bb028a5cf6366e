"""GLUE's examples counted where their folder is at hand: it may have fewer than GLUE.

Only for estimates of work, by modules that no suite imports; see ``Suite.work``.
"""

from __future__ import annotations

from dataclasses import replace

from objbench_suites.expected_work import TaskSize
from objbench_suites.glue_data import Folder
from objbench_suites.table_suite import TableSuite


class CountedSizes(TableSuite):
    """A suite of tables that counts; a base beside the suite's own class."""

    def size(self, task: str) -> TaskSize:
        """As many examples as the folder has, of the length that GLUE's usually have.

        Raises:
            DataError: they cannot be read.
        """
        found, place, own = super().size(task), self._place, self.table[task]
        if not isinstance(place, Folder):
            return found
        return replace(
            found,
            train=len(place.read(own, own.train)),
            scored=sum(len(place.read(own, split)) for split in own.evaluation.values()),
            assumed="the usual lengths of GLUE's examples",
        )
