"""Whole-word masking: words whole, mlm's number of predictions, its replacement and schedule."""

from dataclasses import replace

import pytest
import torch

from objbench.blocks.masking import slot_count
from objbench.contract.batch import IGNORE_INDEX, Batch, Rows
from objbench.contract.encoder_spec import Vocabulary, WordMark
from objbench.contract.random_streams import Streams
from objbench.errors import ConfigError
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.wwm import WholeWordMasking

SIZE = 97
SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[MASK]")
PIECES = WordMark("continues", "##")
HALF = tuple(f"##{i}" if i % 3 == 0 else f"w{i}" for i in range(4, SIZE))
"""Every third token goes on with the word before it."""


@pytest.fixture
def make(encoder_spec):
    """(options) -> the objective with a vocabulary of word pieces."""

    def make(kind=WholeWordMasking, tokens=HALF, mark=PIECES, **options):
        vocabulary = Vocabulary(SIZE, 0, 1, 2, 3, (0, 1, 2, 3), (*SPECIAL, *tokens), mark)
        return kind(kind.Config(**options), replace(encoder_spec, vocabulary=vocabulary))

    return make


def test_words_are_predicted_whole_and_as_many_tokens_as_by_mlm(make, make_batch):
    batch = make_batch(50, 60, lengths=[60 - i % 30 for i in range(50)])
    corrupted = make().corrupt(batch, Streams(5, rows=50))
    plain = make(MaskedLanguageModeling).corrupt(batch, Streams(5, rows=50))
    assert corrupted.positions.shape == plain.positions.shape == (50, slot_count(0.15, 60))
    assert torch.equal(corrupted.predicted.sum(dim=1), plain.predicted.sum(dim=1))
    assert not torch.equal(corrupted.predicted, plain.predicted)
    assert not corrupted.predicted[batch.special].any()
    words = 0
    for row in range(50):
        for column in range(1, 60):
            id, before = batch.input_ids[row, column], batch.special[row, column - 1]
            if id >= 4 and id % 3 == 0 and not before:
                assert corrupted.predicted[row, column] == corrupted.predicted[row, column - 1]
                words += int(corrupted.predicted[row, column])
    assert words > 50


def test_targets_are_the_originals_and_nothing_else_changes(make, make_batch):
    batch = make_batch(8, 40)
    corrupted = make(rate=0.3).corrupt(batch, Streams(0, rows=8))
    used = corrupted.targets != IGNORE_INDEX
    originals = batch.input_ids.gather(1, corrupted.positions)
    assert torch.equal(corrupted.targets[used], originals[used])
    assert not corrupted.positions[~used].any()
    kept = ~corrupted.predicted
    assert torch.equal(corrupted.input_ids[kept], batch.input_ids[kept])


def test_replacement_is_drawn_for_each_token_also_within_a_word(make):
    ids = torch.tensor([4, 6] * 30).expand(400, 60)  # words of two tokens
    batch = Batch(ids, torch.zeros_like(ids, dtype=torch.bool), None, Rows.alone(400))
    corrupted = make().corrupt(batch, Streams(0, rows=400))
    masked = corrupted.input_ids == 3
    first, second = masked[:, ::2], masked[:, 1::2]
    chosen = corrupted.predicted[:, ::2]
    assert torch.equal(chosen, corrupted.predicted[:, 1::2])
    assert first[chosen].float().mean().item() == pytest.approx(0.8, abs=0.03)
    assert (first & second)[chosen].float().mean().item() == pytest.approx(0.64, abs=0.03)


def test_where_every_token_is_a_word_it_predicts_what_mlm_predicts(make, make_batch):
    batch = make_batch(20, 50)
    whole = tuple(f"\u0120w{i}" for i in range(4, SIZE))
    corrupted = make(tokens=whole, mark=WordMark("begins", "\u0120")).corrupt(
        batch, Streams(1, rows=20)
    )
    plain = make(MaskedLanguageModeling).corrupt(batch, Streams(1, rows=20))
    assert torch.equal(corrupted.predicted, plain.predicted)


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.4), (0.5, 0.3), (1.0, 0.2)])
def test_the_schedule_sets_the_share_and_leaves_the_slots(make, make_batch, progress, share):
    batch = replace(make_batch(200, 60), progress=progress)
    objective = make(rate=0.4, final_rate=0.2)
    corrupted = objective.corrupt(batch, Streams(0, rows=200))
    assert corrupted.positions.shape[1] == slot_count(0.4, 60) == objective.slots(60)
    found = (corrupted.predicted.sum() / (~batch.special).sum()).item()
    assert found == pytest.approx(share, abs=0.002)


def test_the_term_has_a_name_of_its_own_and_the_head_mlms_initial_weights(make):
    torch.manual_seed(0)
    ours = make()
    torch.manual_seed(0)
    plain = make(MaskedLanguageModeling)
    assert [term.name for term in ours.terms] == ["wwm"]
    assert not ours.state_dict().keys() - plain.state_dict().keys()
    for name, value in plain.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)


def test_a_vocabulary_without_words_is_refused(make):
    with pytest.raises(ConfigError, match="wwm predicts whole words"):
        make(tokens=("x",) * (SIZE - 4))
