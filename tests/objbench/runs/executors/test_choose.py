"""Which executor a study gets: one process, or a pool on a CPU."""

import pytest

from objbench.errors import ConfigError
from objbench.runs.executors import choose
from objbench.runs.executors.choose import choose_executor
from objbench.runs.executors.one_process import OneProcess
from objbench.runs.executors.process_pool import ProcessPool


@pytest.fixture(autouse=True)
def cores(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 6)


def test_on_a_cpu_there_are_as_many_cells_at_a_time_as_pretrainings_and_cores():
    assert choose_executor(None, "cpu", pretrainings=4) == ProcessPool(4)
    assert choose_executor(None, "cpu", pretrainings=40) == ProcessPool(6)
    assert isinstance(choose_executor(None, "cpu", pretrainings=1), OneProcess)
    assert isinstance(choose_executor(1, "cpu", pretrainings=4), OneProcess)


def test_cells_share_the_cores():
    assert [ProcessPool(jobs).threads for jobs in (2, 3, 4, 7)] == [3, 2, 1, 1]
    assert OneProcess().threads is None


def test_a_gpu_or_several_processes_run_one_cell_at_a_time(monkeypatch):
    assert isinstance(choose_executor(None, "cuda", pretrainings=4), OneProcess)
    with pytest.raises(ConfigError, match="--jobs above 1 is for one process on a CPU"):
        choose_executor(2, "cuda", pretrainings=4)
    monkeypatch.setattr(choose, "processes", lambda: 2)
    assert isinstance(choose_executor(None, "cpu", pretrainings=4), OneProcess)
    with pytest.raises(ConfigError, match="--jobs above 1 is for one process on a CPU"):
        choose_executor(2, "cpu", pretrainings=4)
