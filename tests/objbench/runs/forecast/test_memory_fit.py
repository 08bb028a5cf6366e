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


def peak(parts, recomputes=False):
    """Bytes of 12 sequences of 1 GB each, in so many parts, and 1 GB of weights.

    They are not recomputable, but for what ``recomputable_peak`` says.
    """
    if recomputes:
        raise ConfigError("cannot recompute the layers of 'albert'")
    return (1 + BATCH // parts) * 10**9


def recomputable_peak(parts, recomputes=False):
    """The same, of which a sequence takes a quarter where its layers are computed again."""
    return (4 + BATCH // parts) * 10**9 // 4 if recomputes else peak(parts)


def test_the_smallest_divisor_that_fits():
    room = needed(peak(3), "cuda")
    assert room == GAPS * 5e9 + OWN["cuda"]
    assert smallest_parts(peak, BATCH, "cuda", room) == 3
    assert smallest_parts(peak, BATCH, "cuda", room - 1) == 4  # not 5, which is no divisor of 12
    assert smallest_parts(peak, BATCH, "cuda", needed(peak(12), "cuda") - 1) is None

    def refuses_single_sequences(parts, recomputes):
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


def line_of(room, **training):
    settings = TrainingSection(batch=BATCH, **training)
    return does_not_fit("mlm", recomputable_peak, settings, "cuda", room)


def test_activation_checkpointing_is_named_where_it_takes_fewer_parts():
    room = needed(recomputable_peak(1, True), "cuda")
    line = line_of(room)
    assert "--micro-batches 4 is the smallest number of parts that fits (about 5.68" in line
    assert line.endswith(", or --activation-checkpointing (about 5.68 GiB)")
    # Of weights of 1 GB and a quarter of 3 sequences.
    room = needed(recomputable_peak(4, True), "cuda")
    assert line_of(room).endswith(
        "no number of parts fits, but --activation-checkpointing --micro-batches 4 (about 3.27 GiB) "
        "does"
    )
    # It is no remedy for who has it, nor beside torch.compile.
    again = line_of(room, activation_checkpointing=True)
    assert "needs about 5.68 GiB" in again and "--activation" not in again
    assert "--micro-batches 4 is the smallest number of parts that fits (about 3.27" in again
    assert "no number of parts fits; choose a smaller encoder" in line_of(room, compile=True)
    # Where as many parts are needed with it, it costs time and helps nothing.
    assert "--activation" not in line_of(needed(peak(2), "cuda"), micro_batches=1).split("fits")[0]


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
