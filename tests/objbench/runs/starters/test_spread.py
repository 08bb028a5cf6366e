"""How a study is spread over the machines of a Ray cluster."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objbench.runs.executors.process_pool import ProcessPool
from objbench.runs.starters.ray_cluster import spread

MACHINES = st.lists(st.tuples(st.integers(1, 64), st.just(0)), min_size=1, max_size=6)


@given(cores=st.integers(1, 64), pretrainings=st.integers(1, 80))
def test_on_one_machine_a_cell_has_the_threads_that_it_has_in_the_pool(cores, pretrainings):
    workers, cpus, gpus = spread([(cores, 0)], None, pretrainings, True)
    assert workers == min(cores, pretrainings)
    assert (cpus, gpus) == (cores // workers, 0)


@given(MACHINES, st.integers(1, 100))
def test_all_workers_fit_at_the_same_time_with_as_many_cores_as_can_be(machines, pretrainings):
    workers, cpus, _ = spread(machines, None, pretrainings, True)

    def room(share):
        return sum(cores // share for cores, _ in machines)

    assert room(int(cpus)) >= workers
    assert room(int(cpus) + 1) < workers


@pytest.mark.parametrize(
    ("machines", "wanted", "wants_gpus", "found"),
    [
        # A worker per GPU, with the cores that every GPU has beside it.
        ([(32, 8), (16, 2)], None, True, (10, 4.0, 1)),
        ([(2, 2)], None, True, (2, 1.0, 1)),
        ([(4, 8)], 3, True, (3, 0.5, 1)),
        # The machine that only hands out work has none.
        ([(0, 0), (16, 4)], None, True, (4, 4.0, 1)),
        ([(16, 4)], None, False, (6, 2.0, 0)),
        # More than there is room for wait for their turn.
        ([(2, 0)], 5, True, (5, 1.0, 0)),
    ],
)
def test_gpus_and_wishes(machines, wanted, wants_gpus, found):
    assert spread(machines, wanted, 6, wants_gpus) == found


def test_threads_that_were_asked_for_are_kept():
    assert ProcessPool(4, share=3).threads == 3
