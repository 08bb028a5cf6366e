"""How a study is spread over the machines of a Ray cluster, and an address where none is."""

import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objbench.errors import ConfigError
from objbench.runs.executors.process_pool import ProcessPool
from objbench.runs.starters import ray_cluster
from objbench.runs.starters.ray_cluster import require_answer, spread

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


@contextmanager
def server(greeting):
    """The address of a server on this machine that greets whoever asks, or is silent."""

    def greet():
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connection.sendall(greeting)
                open_ones.append(connection)

    open_ones = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        greeter = threading.Thread(target=greet)
        greeter.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        # Closing it alone does not end a call that waits for the next connection.
        listening.shutdown(socket.SHUT_RDWR)
        greeter.join()
    for connection in open_ones:
        connection.close()


SETTINGS = bytes((0, 0, 6, 4, 0, 0, 0, 0, 0)) + bytes((0, 4, 0, 1, 0, 0))


def test_an_address_where_nothing_listens_is_refused_at_once():
    with server(SETTINGS) as place:
        for address in (place, f"ray://{place}", "auto", "local"):
            require_answer(address, "--address")
    port = place.partition(":")[2]
    with pytest.raises(
        ConfigError, match=rf"--address 127\.0\.0\.1:{port}: no Ray cluster answers"
    ):
        require_answer(f"127.0.0.1:{port}", "--address")
    for no_host in ("no-such-host.invalid:6379", "head..cluster:6379", f"{'a' * 64}.b:6379"):
        with pytest.raises(
            ConfigError, match=rf"RAY_ADDRESS {no_host}: .* or leave RAY_ADDRESS out"
        ):
            require_answer(no_host, "RAY_ADDRESS")


@pytest.mark.parametrize(
    ("greeting", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what listens there is no Ray cluster"),
        (b"SSH-2.0", "timed out"),
        (b"", "timed out"),
    ],
)
def test_what_listens_and_is_no_ray_cluster_is_refused(greeting, why, monkeypatch):
    monkeypatch.setattr(ray_cluster, "_ANSWER", 0.3)
    with server(greeting) as place, pytest.raises(ConfigError, match=rf"{place}: .*\({why}\)"):
        require_answer(place, "--address")


def test_an_encrypted_cluster_is_left_to_ray(monkeypatch):
    monkeypatch.setenv("RAY_USE_TLS", "1")
    with server(b"") as place:
        require_answer(place, "--address")


@pytest.mark.parametrize(
    "address", ["nonsense", "10.0.0.1", "10.0.0.1:99999", "a b:1", "s3://x:1/y"]
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ConfigError, match="not the address of a Ray cluster; write it as"):
        require_answer(address, "--address")
