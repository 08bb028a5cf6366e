"""What a run has planned: its cells, its text, and what workers must agree with."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from objbench.errors import RecordError
from objbench.results.json_files import read_from, read_if_there, write_to
from objbench.results.local_store import LocalStore
from objbench.results.plan import Plan
from objbench.results.store import Store
from objbench.results.text_plan import TextPlan
from objbench.results.worker_terms import WorkerTerms

PLAN = "plan.json"
_TEXT = "text.json"
_TERMS = "workers.json"
_PLANS = TypeAdapter(Plan)
_TEXTS = TypeAdapter(TextPlan)
_WORKER_TERMS = TypeAdapter(WorkerTerms)


class RunPlans:
    """The plans of a run.

    Attributes:
        store: where they are kept.
    """

    store: Store

    def has_plan(self) -> bool:
        """Whether a study was planned here before."""
        return self.store.exists(PLAN)

    def read_plan(self) -> Plan:
        """The plan.

        Raises:
            RecordError: there is none, or it cannot be read.
        """
        self.require_plan()
        return read_from(self.store, PLAN, _PLANS)

    def require_plan(self) -> None:
        """Make sure that there is a plan, whatever is in it.

        Raises:
            RecordError: there is none.
        """
        if not self.has_plan():
            where, why = self.store.where(""), ""
            if isinstance(self.store, LocalStore) and not Path(where).is_dir():
                why = ", since it is a file" if Path(where).exists() else ", since it is not there"
            raise RecordError(
                f"{where} holds no {PLAN}{why}: name a run made by `objbench run`, which writes it "
                "once a step of each objective has been measured"
            )

    def write_plan(self, plan: Plan) -> None:
        """Store the plan, in place of an older one."""
        write_to(self.store, PLAN, plan)

    def read_text_plan(self) -> TextPlan | None:
        """What the study's text is; None in a folder from before that was stored.

        Raises:
            RecordError: it cannot be read.
        """
        return read_if_there(self.store, _TEXT, _TEXTS)

    def write_text_plan(self, plan: TextPlan) -> None:
        """Store what the study's text is, in place of an older one."""
        write_to(self.store, _TEXT, plan)

    def read_worker_terms(self) -> WorkerTerms | None:
        """What a worker must agree with; None where no cells are left to workers.

        Raises:
            RecordError: the file cannot be read.
        """
        return read_if_there(self.store, _TERMS, _WORKER_TERMS)

    def write_worker_terms(self, terms: WorkerTerms) -> None:
        """Leave the cells of the plan to workers that agree with ``terms``."""
        write_to(self.store, _TERMS, terms)
