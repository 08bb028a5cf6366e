"""Which executor a study gets: one process, or one per slot, which is a core or a GPU."""

import pytest

from objbench.errors import ConfigError
from objbench.runs.executors import choose
from objbench.runs.executors.choose import choose_executor, local_pool
from objbench.runs.executors.one_process import OneProcess
from objbench.runs.executors.place import Place
from objbench.runs.executors.process_pool import ProcessPool
from objbench.runs.executors.pull_workers import PullWorkers


@pytest.fixture(autouse=True)
def cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(6))


def test_on_a_cpu_there_are_as_many_cells_at_a_time_as_pretrainings_and_cores():
    assert choose_executor(None, "cpu", pretrainings=4) == ProcessPool(4)
    assert choose_executor(None, "cpu", pretrainings=40) == ProcessPool(6)
    assert isinstance(choose_executor(None, "cpu", pretrainings=1), OneProcess)
    assert isinstance(choose_executor(1, "cpu", pretrainings=4), OneProcess)


def test_cells_share_the_cores():
    assert [ProcessPool(jobs).threads for jobs in (2, 3, 4, 7)] == [3, 2, 1, 1]
    assert OneProcess().threads is None
    assert local_pool(1, "cpu", 4, threads=2) == ProcessPool(1, share=2)
    assert ProcessPool(1, share=2).threads == 2


@pytest.fixture
def gpus(monkeypatch):
    """(number of GPUs, what CUDA_VISIBLE_DEVICES is) for torch to see."""

    def there(count, visible=None):
        monkeypatch.setattr("torch.cuda.device_count", lambda: count)
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return there


def test_on_gpus_a_slot_is_a_gpu(gpus):
    gpus(3)
    assert choose_executor(None, "cuda", pretrainings=1) == ProcessPool(3, ("0", "1", "2"))
    assert choose_executor(2, "cuda", pretrainings=9) == ProcessPool(2, ("0", "1", "2"))
    assert choose_executor(None, "cuda:1", pretrainings=9) == ProcessPool(1, ("1",))
    gpus(2, "GPU-8f3a, 5")
    assert choose_executor(None, "cuda", pretrainings=9) == ProcessPool(2, ("GPU-8f3a", "5"))
    assert choose_executor(None, "cuda:1", pretrainings=9) == ProcessPool(1, ("5",))


def test_more_cells_than_gpus_are_refused(gpus):
    gpus(2)
    with pytest.raises(ConfigError, match=r"--jobs 3: .* has a GPU to itself, and .* 2 GPUs"):
        choose_executor(3, "cuda", pretrainings=4)
    with pytest.raises(ConfigError, match=r"--jobs 2: .* has a GPU to itself, and .* 1 GPU;"):
        choose_executor(2, "cuda:1", pretrainings=4)
    with pytest.raises(ConfigError, match="for CPUs and GPUs, not for mps"):
        choose_executor(2, "mps", pretrainings=4)


def test_several_processes_run_one_cell_at_a_time(monkeypatch):
    monkeypatch.setattr(choose, "processes", lambda: 2)
    assert isinstance(choose_executor(None, "cpu", pretrainings=4), OneProcess)
    assert isinstance(choose_executor(None, "cuda", pretrainings=4), OneProcess)
    with pytest.raises(ConfigError, match="--jobs above 1 is for one process"):
        choose_executor(2, "cpu", pretrainings=4)


def test_workers_run_elsewhere():
    chosen = choose_executor(None, "cpu", 4, Place("workers"))
    # Steps are measured with the threads that a worker of this machine gives a cell.
    assert chosen == PullWorkers(threads=1)
    assert choose_executor(None, "cpu", 2, Place("ray", "crew")) == PullWorkers(
        crew="crew", threads=3
    )
    assert not chosen.is_here


def test_who_runs_no_cell_takes_no_number_of_them():
    with pytest.raises(ConfigError, match="--executor workers runs no cell in this process"):
        choose_executor(2, "cpu", 4, Place("workers"))
