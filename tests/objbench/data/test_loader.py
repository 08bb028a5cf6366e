"""Batches: the same rows at every split, special tokens marked, held-out rows in order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from objbench.contract.encoder_spec import Vocabulary
from objbench.data import Loader, PackedSequences, batch_indices
from objbench.data import loader as loader_module
from objbench.errors import ConfigError, DataError

SIZE = 50
VOCABULARY = Vocabulary(
    size=SIZE, pad=0, cls=2, sep=3, mask=4, special=(0, 1, 2, 3, 4), tokens=("",) * SIZE
)


def sequences(count: int, length: int = 9) -> PackedSequences:
    tokens = np.random.default_rng(0).integers(3, SIZE, count * (length - 1)).astype(np.uint16)
    return PackedSequences(tokens=tokens, length=length, cls=2, name="some corpus")


def loader(process: int = 0, processes: int = 1, batch: int = 12, seed: int = 5) -> Loader:
    return Loader(
        sequences(100), VOCABULARY, seed=seed, batch=batch, process=process, processes=processes
    )


def test_a_batch_holds_the_sequences_of_its_step() -> None:
    batch = loader().batch(3)
    rows = sequences(100).rows(batch_indices(5, 3, 12, 100))
    assert batch.input_ids.dtype == torch.int64
    assert batch.input_ids.numpy().tolist() == rows.tolist()
    assert batch.special.numpy().tolist() == np.isin(rows, VOCABULARY.special).tolist()
    assert batch.special[:, 0].all()
    assert batch.attention is None
    assert (batch.rows.first, batch.rows.total) == (0, 12)


def test_a_batch_is_a_pure_function_of_its_step() -> None:
    one, two = loader(), loader()
    for step in (0, 7, 8, 9, 1000):
        one.batch(step)
    assert torch.equal(one.batch(8).input_ids, two.batch(8).input_ids)
    assert not torch.equal(one.batch(8).input_ids, two.batch(9).input_ids)
    assert not torch.equal(one.batch(8).input_ids, loader(seed=6).batch(8).input_ids)


@pytest.mark.parametrize("tokens", [1, 500, 2**15])
def test_how_many_steps_are_gathered_at_a_time_changes_nothing(monkeypatch, tokens: int) -> None:
    monkeypatch.setattr(loader_module, "AHEAD", tokens)
    several = loader(process=1, processes=2)
    for step in (*range(20), 3):
        own = batch_indices(5, step, 12, 100)[6:]
        batch = several.batch(step)
        assert batch.input_ids.tolist() == sequences(100).rows(own).tolist()
        assert torch.equal(batch.special, batch.input_ids < 5)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_rows_of_a_step_do_not_depend_on_the_number_of_processes(processes: int) -> None:
    whole = loader(batch=24).batch(8).input_ids
    shares = [loader(process, processes, batch=24).batch(8) for process in range(processes)]
    assert torch.equal(torch.cat([share.input_ids for share in shares]), whole)
    for process, share in enumerate(shares):
        assert (share.rows.first, share.rows.total) == (process * 24 // processes, 24)


def test_the_engine_hands_in_how_rows_are_gathered() -> None:
    gathering = Loader(
        sequences(20), VOCABULARY, seed=0, batch=2, processes=2, gather=lambda t: torch.cat([t, t])
    )
    assert len(gathering.batch(0).rows.gather(torch.zeros(1, 3))) == 2


def test_uneven_splits_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"batch of 12 .* choose a multiple of 5"):
        loader(processes=5)
    with pytest.raises(ConfigError, match="choose a multiple of 10"):
        Loader(sequences(100), VOCABULARY, seed=5, batch=12, processes=2, parts=5)


def test_a_corpus_shorter_than_one_batch_is_refused() -> None:
    with pytest.raises(DataError, match="one batch needs 12"):
        Loader(sequences(11), VOCABULARY, seed=0, batch=12)


def rows_of(batches) -> list[list[int]]:
    return torch.cat([batch.input_ids for batch in batches]).numpy().tolist()


def test_heldout_batches_are_spread_over_the_whole_part() -> None:
    heldout = sequences(100)
    batches = list(loader().heldout(heldout, 2))
    # Fifty sequences are for reporting; 24 of them at equal distances, dealt to two batches.
    chosen = [2 * (number * 50 // 24) for number in range(24)]
    assert rows_of(batches) == heldout.rows(np.array(chosen[::2] + chosen[1::2])).tolist()
    assert chosen[0] == 0 and chosen[-1] == 94
    assert len(list(loader().heldout(heldout, 10))) == 4


@pytest.mark.parametrize("batches", [1, 3, 10])
def test_tuning_never_sees_what_is_reported(batches: int) -> None:
    heldout = sequences(61)
    seen = {
        part: {tuple(row) for row in rows_of(loader().heldout(heldout, batches, part))}
        for part in ("reported", "tuning")
    }
    assert seen["reported"] and seen["tuning"]
    assert not seen["reported"] & seen["tuning"]


def test_a_short_heldout_part_gives_one_smaller_batch() -> None:
    heldout = sequences(7)
    halves = [next(loader(process, 2).heldout(heldout, 4)) for process in range(2)]
    assert [half.rows.first for half in halves] == [0, 2]
    assert {half.rows.total for half in halves} == {4}
    assert rows_of(halves) == heldout.rows(np.array([0, 2, 4, 6])).tolist()
    # Too few for two halves: both are all there is.
    assert len(next(loader(0, 2).heldout(sequences(3), 4, "tuning")).input_ids) == 1
    for count, part in itertools.product((2, 3, 7, 61), ("reported", "tuning")):
        batch = next(loader(0, 2).heldout(sequences(count), 4, part))
        assert batch.rows.total == loader(0, 2).heldout_rows(sequences(count), part)
    with pytest.raises(DataError, match="too short"):
        next(loader().heldout(sequences(0), 1))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_on_a_gpu_equal_those_on_the_cpu() -> None:
    there = Loader(sequences(100), VOCABULARY, seed=5, batch=12, device="cuda")
    for step in range(20):
        batch, expected = there.batch(step), loader().batch(step)
        assert batch.input_ids.is_cuda
        assert torch.equal(batch.input_ids.cpu(), expected.input_ids)
        assert torch.equal(batch.special.cpu(), expected.special)
