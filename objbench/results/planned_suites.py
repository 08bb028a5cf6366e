"""A suite as a plan holds it: what it says of itself, so that its records can be read without it."""

from __future__ import annotations

from objbench.contract.suite import Suite
from objbench.results.plan import PlannedSuite


def planned_suite(suite: Suite) -> PlannedSuite:
    """What ``suite`` says of itself.

    Raises:
        pydantic.ValidationError: it fits no plan, such as a name that no file can have.
    """
    average = suite.average()
    return PlannedSuite(
        name=suite.name,
        summary=suite.summary,
        version=suite.version,
        protocol=suite.protocol,
        columns=suite.columns(),
        average_label=average.label,
        average_groups=average.groups,
        direction=average.direction,
        seeds=suite.seeds(),
        missing=dict(suite.missing()),
    )
