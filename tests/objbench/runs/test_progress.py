"""What is said of a cell that continues stays on the screen."""

from objbench.runs.progress import Lines
from objbench.runs.watch import Watch


def test_a_text_that_stays_is_printed_at_once(capsys):
    shown = Watch(Lines())
    shown.update("mlm.seed-0", 0, 1, "")
    shown.update("mlm.seed-0", 50, 100, "loss 3.2")
    shown.update("mlm.seed-0", 50, 100, "continuing from step 50", True)
    assert capsys.readouterr().err == "mlm.seed-0: 50/100 continuing from step 50\n"
