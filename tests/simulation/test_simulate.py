"""Four times the cells take no more than some four times the operations, in every part and function."""

import importlib
import sys
from itertools import islice
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODULES = ("made_cells", "operations", "parts", "simulate")
SMALL, LARGE, TIMES = (3, 3), (6, 6), 4
# Beside its cells a study has a few things that it has once: so much more is no larger power.
SLACK = 1.4


@pytest.fixture(scope="module")
def simulation():
    """The modules beside this one, which are no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        yield {name: importlib.import_module(name) for name in MODULES}
    for name in MODULES:
        del sys.modules[name]


def counts(simulation, size, *, missing):
    """Part -> function -> operations, of a study of (objectives, seeds)."""
    made = simulation["made_cells"].MadeStudy(*size, logged=2)
    count = simulation["operations"].operations
    steps = simulation["parts"].in_memory(made, missing)
    # Pictures and index.html take longer than all others, and are of the baseline and the best alone.
    return {step.name: count(step.work) for step in islice(steps, 5)}


@pytest.mark.slow
@pytest.mark.parametrize("missing", [False, True], ids=["finished", "unfinished"])
def test_operations_grow_with_the_cells(simulation, missing):
    small, large = (counts(simulation, size, missing=missing) for size in (SMALL, LARGE))
    totals = {name: (small[name].total(), large[name].total()) for name in large}
    assert len(large) == 5
    assert min(own.total() for own in large.values()) > 1000
    assert {n: pair for n, pair in totals.items() if pair[1] > SLACK * TIMES * pair[0]} == {}
    grown = simulation["operations"].grown
    faults = {name: grown(small[name], large[name], SLACK * TIMES) for name in large}
    assert {name: own for name, own in faults.items() if own} == {}


def quadratic(items):
    return [(one, other) for one in items for other in items]


def linear(items):
    return [one for one in items]


def test_a_quadratic_step_is_found(simulation, monkeypatch):
    operations = simulation["operations"]
    monkeypatch.setattr(operations, "_OURS", str(HERE))
    found = [
        operations.operations(lambda n=n: (quadratic(range(n)), linear(range(n))))
        for n in (50, 200)
    ]
    (name,) = operations.grown(*found, times=5)
    assert "quadratic" in name


def test_a_made_up_study_has_fifty_cells_for_each_run_and_floors(simulation):
    made = simulation["made_cells"].MadeStudy(2, 3, logged=4)
    plan = made.plan(made.plugins())
    runs = [cell for cell in plan.cells if cell.kind == "pretrain"]
    floors = [cell for cell in plan.cells if cell.kind == "floor"]
    assert len(runs) == 6
    assert len(plan.cells) == 50 * len(runs) + len(floors)
    assert len({cell.key for cell in plan.cells}) == len(plan.cells)


def test_the_table_has_a_row_for_every_step(simulation, capsys, monkeypatch):
    rows = [
        {"name": "plan made", "seconds": 0.1234, "memory": 99.6, "said": "1,500 cells"},
        {"name": "plan.json written", "seconds": 1234.5, "memory": 1999.6, "said": ""},
    ]
    module = simulation["simulate"]
    monkeypatch.setattr(module, "measured", lambda size, logged, parts: rows)
    monkeypatch.setattr(sys, "argv", ["simulate.py", "1x3", "2x3"])
    assert module.main() == 0
    head, _, first, second, *rest = capsys.readouterr().out.splitlines()
    assert [cell.strip() for cell in head.split("|")[1:-1]] == [
        "",
        "1x3: s",
        "MiB",
        "2x3: s",
        "MiB",
        "of the largest",
    ]
    assert [cell.strip() for cell in first.split("|")[1:-1]] == [
        "plan made",
        "0.123",
        "100",
        "0.123",
        "100",
        "1,500 cells",
    ]
    assert "1.23e+03" not in second
    assert "make simulate" in rest[-1]


def test_what_is_no_size_is_refused(simulation, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["simulate.py", "10 times 3"])
    with pytest.raises(SystemExit):
        simulation["simulate"].main()
    assert "is no size: name objectives x seeds" in capsys.readouterr().err
