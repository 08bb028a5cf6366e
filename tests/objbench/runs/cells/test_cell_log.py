"""A cell that continues says from which step; one that begins says nothing."""

from objbench.results.training_log import read_training_log
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
