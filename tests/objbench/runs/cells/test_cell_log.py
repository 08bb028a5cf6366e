"""A cell that continues says from which step; one that begins says nothing."""

from contextlib import suppress

from objbench.results.training_log import FollowedLog, read_training_log
from objbench.runs.cells.cell_log import CellLog


def test_a_cell_that_continues_says_from_where(tmp_path):
    said = []
    with CellLog(tmp_path / "logs" / "a.jsonl", lambda *given: said.append(given)) as log:
        log.begin(0, 9000)
        assert said == []
        log.begin(1500, 9000)
        assert said == [(1500, 9000, "continuing from step 1,500", True)]
        log.sync()
    assert read_training_log(tmp_path / "logs" / "a.jsonl") == []


def test_only_a_cell_that_is_interrupted_says_that_it_stopped(tmp_path):
    path = tmp_path / "logs" / "a.jsonl"
    followed = FollowedLog(path)
    for stops in (True, False):
        with suppress(KeyboardInterrupt), CellLog(path, lambda *given: None) as log:
            log.begin(0, 9000)
            followed.look()
            assert not followed.is_stopped
            if stops:
                raise KeyboardInterrupt
        followed.look()
        assert followed.is_stopped == stops
    with suppress(KeyboardInterrupt), CellLog(tmp_path / "none.jsonl", lambda *given: None):
        raise KeyboardInterrupt
    assert not (tmp_path / "none.jsonl").exists()
