"""Cells are given out once all that they need has succeeded, in the order of the plan."""

import random

import pytest

from objbench.results.plan import PlannedCell
from objbench.runs.executors.ready_cells import ReadyCells


def cell(name, *needs):
    return PlannedCell(id=name, kind="pretrain", key="0" * 64, objective="mlm", seed=0, needs=needs)


def given(ready, running=0):
    """All that can be given out now, in order."""
    found = []
    while (one := ready.next(running)) is not None:
        found.append(one.id)
    return found


def test_a_cell_waits_for_all_its_needs_and_never_starts_after_a_failure():
    cells = [cell("c", "a", "b"), cell("a"), cell("b"), cell("d", "b"), cell("e", "c")]
    ready = ReadyCells(cells, {})
    assert given(ready) == ["a", "b"]
    ready.end("a", "ok")
    assert given(ready) == []
    ready.end("b", "ok")
    assert given(ready) == ["c", "d"]
    ready.end("c", "diverged")
    assert given(ready) == []
    assert not ready.has_more


def test_what_is_finished_is_not_given_out_and_counts_as_it_ended():
    cells = [cell("a"), cell("b"), cell("c", "a"), cell("d", "b")]
    assert given(ReadyCells(cells, {"a": "ok", "b": "diverged"})) == ["c"]


def test_a_cell_that_is_attempted_again_waits_its_delay(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("objbench.runs.executors.ready_cells.time.monotonic", lambda: now[0])
    ready = ReadyCells([cell("a"), cell("b")], {})
    assert ready.next().id == "a"
    ready.again("a", 4.0)
    assert given(ready) == ["b"]
    assert ready.has_more
    now[0] = 4.0
    assert given(ready) == ["a"]


def test_a_cell_that_must_run_alone_keeps_no_other_waiting_and_none_joins_it():
    ready = ReadyCells([cell("a"), cell("b"), cell("c", "b")], {})
    assert ready.next().id == "a"
    ready.again("a", 1.0, alone=True)
    assert ready.next().id == "b"
    assert ready.next(running=1) is None
    ready.end("b", "ok")
    assert ready.next().id == "c"
    ready.end("c", "ok")
    assert ready.next().id == "a"
    ready.again("b")
    assert ready.next(running=1) is None
    ready.end("a", "ok")
    assert ready.next().id == "b"


@pytest.mark.parametrize("seed", range(20))
def test_random_plans_with_random_losses_end_with_every_cell_that_can_be_run(seed):
    dice = random.Random(seed)
    names = [f"c{number}" for number in range(40)]
    needs = {
        name: dice.sample(names[:place], min(place, dice.randrange(3)))
        for place, name in enumerate(names)
    }
    bad = {name for name in names if dice.random() < 0.1}
    order = dice.sample(names, len(names))
    ready = ReadyCells([cell(name, *needs[name]) for name in order], {})
    running, ended = {}, {}
    while running or ready.has_more:
        slots = dice.randint(1, 4)
        while len(running) < slots and (one := ready.next(len(running))) is not None:
            assert all(ended.get(need) == "ok" for need in needs[one.id])
            assert one.id not in ended
            running[one.id] = one
        if not running:
            continue
        name = dice.choice(sorted(running))
        del running[name]
        if dice.random() < 0.3:
            ready.again(name, alone=dice.random() < 0.5)
        else:
            ended[name] = "failed" if name in bad else "ok"
            ready.end(name, ended[name])
    wanted = {}
    for name in names:
        if all(wanted.get(need) == "ok" for need in needs[name]):
            wanted[name] = "failed" if name in bad else "ok"
    assert ended == wanted


def test_a_large_plan_takes_one_look_per_need(monkeypatch):
    # 1,500 pretrainings with nine evaluations each: comparisons of pairs would be 10^8.
    cells = [cell(f"p{n}") for n in range(1500)]
    cells += [cell(f"e{n}.{task}", f"p{n}") for n in range(1500) for task in range(9)]
    looks = 0

    class Counted(dict):
        def __getitem__(self, key):
            nonlocal looks
            looks += 1
            return super().__getitem__(key)

    ready = ReadyCells(cells, {})
    for name in ("_cells", "_place", "_missing"):
        setattr(ready, name, Counted(getattr(ready, name)))
    done = 0
    while (one := ready.next()) is not None:
        ready.end(one.id, "ok")
        done += 1
    assert done == len(cells)
    assert looks < 10 * len(cells)
