"""What the machine lost is attempted again, a stated number of times; what the code did is not."""

import signal

import pytest

from objbench.runs.executors.attempts import Attempts, Loss, loss_by_exit


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (-signal.SIGKILL, "killed", "killed by SIGKILL (out of memory?)"),
        (137, "killed", "killed by SIGKILL (out of memory?)"),
        (-signal.SIGTERM, "lost", "ended by SIGTERM"),
        (143, "lost", "ended by SIGTERM"),
        (-signal.SIGSEGV, "crashed", "ended by SIGSEGV"),
        (134, "crashed", "ended by SIGABRT"),
        (3, "crashed", "ended with exit code 3"),
        (0, "crashed", "ended with exit code 0"),
        (None, "lost", "was lost"),
    ],
)
def test_an_exit_code_says_what_happened(code, kind, words):
    loss = loss_by_exit(code)
    assert loss.kind == kind
    assert words in loss.words


def delays(attempts, loss):
    """The delays of all attempts at one cell that is lost again and again."""
    found = []
    while (again := attempts.again("a", loss)) is not None:
        found.append(again.delay)
        assert again.number == len(found) + 1
    return found


def test_losses_are_attempted_five_times_later_and_later():
    lost = Loss("lost", "gone")
    attempts = Attempts(shares_memory=True)
    assert delays(attempts, lost) == [1.0, 4.0, 16.0, 64.0]
    assert attempts.reason("a", lost) == "gone, at the last of 5 attempts"
    assert attempts.again("b", lost) is not None, "each cell has attempts of its own"


def test_a_crash_is_attempted_twice_and_a_cell_that_hangs_once():
    assert len(delays(Attempts(shares_memory=True), Loss("crashed", ""))) == 1
    assert delays(Attempts(shares_memory=True), Loss("hung", "")) == []


def test_memory_that_was_shared_is_had_alone_at_the_next_attempt():
    memory = Loss("memory", "out of memory")
    assert Attempts(shares_memory=True).again("a", memory).alone
    assert Attempts(shares_memory=True).again("a", Loss("killed", "")).alone
    assert not Attempts(shares_memory=True).again("a", Loss("lost", "")).alone
    # A GPU was the cell's own already, so there would be no more on it.
    attempts = Attempts(shares_memory=False)
    assert attempts.again("a", memory) is None
    assert attempts.reason("a", memory) == "out of memory"
    assert not Attempts(shares_memory=False).again("a", Loss("killed", "")).alone
