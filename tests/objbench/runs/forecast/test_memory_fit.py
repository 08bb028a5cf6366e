"""A step that does not fit is told in one line with the smallest number of parts that does."""

import pytest
import torch

from objbench.engine.measuring import step_cost
from objbench.engine.training import trainer
from objbench.errors import ConfigError
from objbench.results.run_folder import read_records
from objbench.runs.cells import memory_faults as module
from objbench.runs.cells.memory_faults import memory_faults
from objbench.runs.forecast.memory_fit import GAPS, OWN, does_not_fit, needed, smallest_parts
from objbench.study.settings import TrainingSection

BATCH = 12
TRAINING = TrainingSection(batch=BATCH)


def peak(parts):
    """Bytes of 12 sequences of 1 GB each, in so many parts, and 1 GB of weights."""
    return (1 + BATCH // parts) * 10**9


def test_the_smallest_divisor_that_fits():
    room = needed(peak(3), "cuda")
    assert room == GAPS * 5e9 + OWN["cuda"]
    assert smallest_parts(peak, BATCH, "cuda", room) == 3
    assert smallest_parts(peak, BATCH, "cuda", room - 1) == 4  # not 5, which is no divisor of 12
    assert smallest_parts(peak, BATCH, "cuda", needed(peak(12), "cuda") - 1) is None

    def refuses_single_sequences(parts):
        if parts == BATCH:
            raise ConfigError("a batch needs at least 2 sequences")
        return peak(parts)

    assert smallest_parts(refuses_single_sequences, BATCH, "cuda", 1e9) is None


def test_the_line_says_what_is_needed_and_what_to_do():
    room = needed(peak(3), "cuda")
    assert does_not_fit("mlm", peak, TRAINING, "cuda", needed(peak(1), "cuda")) == ""
    line = does_not_fit("mlm", peak, TRAINING, "cuda", room)
    assert "a step of mlm needs about 15.3 GiB, and there are 6.75 GiB" in line
    assert "--micro-batches 3 is the smallest number of parts that fits (about 6.75 GiB)" in line
    assert "\n" not in line and "compares" not in line
    pairs = does_not_fit("tc", peak, TRAINING, "cuda", room, "pairs of one batch")
    assert pairs.endswith(
        "; tc compares sequences (pairs of one batch), of one part at a time then"
    )
    never = does_not_fit("mlm", peak, TRAINING, "cuda", 1e9)
    assert "no number of parts fits; choose a smaller encoder" in never


def _full(*args, **options):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def test_a_run_whose_first_step_fills_the_memory_is_refused_with_the_line(
    make_study, run, tmp_path, monkeypatch
):
    monkeypatch.setattr(step_cost, "calibrate", _full)
    monkeypatch.setattr(module, "_room", lambda device: 80e9)
    with pytest.raises(ConfigError) as refused:
        run(make_study(), tmp_path / "run")
    assert "a step of mlm has run out of memory: it needs about" in str(refused.value)
    # There is room, by what was expected, and yet it was not enough: with more parts it may be.
    assert "--micro-batches 2 is the smallest number of parts that fits" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_cell_that_fills_the_memory_has_failed_by_the_line(
    make_study, run, tmp_path, monkeypatch
):
    monkeypatch.setattr(trainer, "pretrain", _full)
    end = run(make_study(objectives=["mlm"]), tmp_path / "run")
    assert end.exit_code == 2, "the user can fix it"
    (record,) = [r for r in read_records(tmp_path / "run") if r.kind == "pretrain"]
    assert (record.status, "--micro-batches 2" in record.reason) == ("failed", True)


def test_other_errors_are_left_as_they_are():
    with pytest.raises(RuntimeError, match="shapes"), memory_faults(None):
        raise RuntimeError("shapes")
