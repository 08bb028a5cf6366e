"""The cells of a study are counted before they are made."""

import pytest

from objbench.errors import ConfigError
from objbench.runs.dry_run import dry_run
from objbench.runs.planning import cell_count
from objbench.runs.planning.configured_plugins import configure_plugins

TUNING = {"tuning": {"seeds": [7, 8], "grid": {"training.learning_rate": [1e-3, 2e-3, 3e-3]}}}
STUDIES = [
    {},
    {"seeds": [0, 1, 5], "evaluation": {"points": 3}},
    {"evaluation": {"suites": ["toy"], "points": 3}, "options": {"toy": {"seeds": 4}}},
    {"evaluation": {"suites": ["toy", "heldout", "convergence"], "points": 3}},
    TUNING,
    {"tuning": {**TUNING["tuning"], "score": "toy"}},
]


@pytest.mark.parametrize("changes", STUDIES, ids=str)
def test_the_count_is_that_of_the_cells_listed_one_by_one(
    changes, make_study, registry, tmp_path, monkeypatch
):
    study = make_study(**changes)
    listed = len(dry_run(study, run=tmp_path / "new", registry=registry).splitlines()) - 1
    encoders = len(study.objectives) * len(study.seeds) * study.evaluation.points
    plugins = configure_plugins(study, registry)
    monkeypatch.setattr(cell_count, "MOST_CELLS", listed + encoders)
    cell_count.require_countable(study, plugins)
    monkeypatch.setattr(cell_count, "MOST_CELLS", listed + encoders - 1)
    with pytest.raises(ConfigError, match=f"that makes {listed} cells and {encoders} exported"):
        cell_count.require_countable(study, plugins)


TOO_MANY = [
    {"evaluation": {"points": 10**8}},
    {"evaluation": {"points": 2**31 - 1, "suites": []}},
    {"seeds": list(range(20_000)), "evaluation": {"points": 4}},
    {"tuning": {"grid": {"training.learning_rate": [i / 1e6 for i in range(1, 100_000)]}}},
]


@pytest.mark.parametrize("changes", TOO_MANY, ids=lambda changes: str(changes)[:40])
def test_too_many_are_refused_before_any_is_made(changes, make_study, registry, run, tmp_path):
    study = make_study(**changes)
    for ask in (
        lambda: dry_run(study, run=tmp_path / "new", registry=registry),
        lambda: run(study, tmp_path / "new"),
    ):
        with pytest.raises(ConfigError, match=r"that makes .* cells and .*lower --seeds"):
            ask()
    assert not (tmp_path / "new").exists()
