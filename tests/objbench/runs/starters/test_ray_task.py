"""What Ray is given to run can be cancelled, however its cluster was begun."""

import _thread
import signal

import pytest

from objbench.engine.training.interruption import interrupts_between_steps
from objbench.runs.starters.ray_cluster import _work


def work_until_cancelled():
    """A worker that Ray cancels in the middle, in the way it does."""
    with interrupts_between_steps(alone=True) as interrupted:
        _thread.interrupt_main()
        assert interrupted()


@pytest.mark.parametrize("at_first", [signal.SIG_IGN, signal.default_int_handler])
def test_a_task_is_interrupted_also_where_the_cluster_was_begun_in_the_background(at_first):
    before = signal.signal(signal.SIGINT, at_first)
    try:
        with pytest.raises(KeyboardInterrupt):
            _work(work_until_cancelled)
    finally:
        signal.signal(signal.SIGINT, before)
