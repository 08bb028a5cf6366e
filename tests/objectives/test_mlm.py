"""Masked language modelling: the loss of the public reference, and what its options refuse."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from objbench.blocks.heads import TokenHead, word_logits
from objbench.blocks.masking import corrupted_tokens, select_positions, slot_count
from objbench.contract.batch import IGNORE_INDEX, Corrupted
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass
from objbench.errors import ConfigError
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.taco import TokenAlignedMaskedLanguageModeling


def loss_of(term, encoder_pass, rows):
    """The term's loss, with its own head's logits as the engine would hand them over."""
    encoder_pass = replace(encoder_pass, word_logits=word_logits(term.token_head, encoder_pass))
    return term(encoder_pass, Streams(0, rows=rows))


def test_the_loss_is_the_references(oracle):
    objective = MaskedLanguageModeling(MaskedLanguageModeling.Config(), oracle.encoder_spec)
    (term,) = objective.terms
    prefix = "model.cls.predictions."
    names = {"transform.dense": "dense", "transform.LayerNorm": "norm"}
    state = {}
    for key, value in oracle.tensors.items():
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            for theirs, ours in names.items():
                name = name.replace(theirs, ours)
            state[name] = value
    term.token_head.load_state_dict(state)
    encoder_pass = EncoderPass(
        batch=oracle.corrupted,
        last_hidden_state=oracle.encoder(oracle.corrupted.input_ids).last_hidden_state,
        word_embeddings=oracle.encoder.get_input_embeddings().weight,
    )
    loss = loss_of(term, encoder_pass, oracle.numbers["batch"])
    mean = (loss.total / loss.count).item()
    assert mean == pytest.approx(oracle.numbers["taco.mlm_loss"], rel=1e-5)
    assert loss.count.item() == (oracle.tensors["labels"] != IGNORE_INDEX).sum().item()


def test_logits_are_made_at_predicted_positions_only(encoder_spec, make_batch):
    objective = MaskedLanguageModeling(MaskedLanguageModeling.Config(), encoder_spec)
    corrupted = objective.corrupt(make_batch(4, 40), Streams(0, rows=4))
    seen = []
    objective.token_head.register_forward_hook(lambda m, i, out: seen.append(out.shape))
    hidden = torch.randn(4, 40, 16, requires_grad=True)
    words = torch.randn(97, 16)
    encoder_pass = EncoderPass(corrupted, hidden, word_embeddings=words)
    loss = loss_of(objective.terms[0], encoder_pass, rows=4)
    loss.total.backward()
    assert seen == [(4, 7, 97)]
    untouched = ~corrupted.predicted
    assert not hidden.grad[untouched].any()
    # The same number from logits everywhere and -100 elsewhere.
    labels = torch.full((4, 40), IGNORE_INDEX)
    used = corrupted.targets != IGNORE_INDEX
    rows = torch.arange(4).unsqueeze(1).expand_as(used)
    labels[rows[used], corrupted.positions[used]] = corrupted.targets[used]
    logits = objective.token_head(hidden, words)
    full = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    torch.testing.assert_close(loss.total, full)


def test_special_tokens_and_padding_are_never_predicted(encoder_spec, make_batch):
    objective = MaskedLanguageModeling(MaskedLanguageModeling.Config(rate=0.5), encoder_spec)
    batch = make_batch(50, 20, lengths=[1 + i % 20 for i in range(50)])
    corrupted = objective.corrupt(batch, Streams(0, rows=50))
    assert not corrupted.predicted[batch.special].any()
    assert torch.equal(corrupted.input_ids[batch.special], batch.input_ids[batch.special])


def test_a_pass_without_targets_is_refused(encoder_spec, make_batch):
    objective = MaskedLanguageModeling(MaskedLanguageModeling.Config(), encoder_spec)
    plain = Corrupted.of(make_batch(2, 8))
    with pytest.raises(LookupError, match="labels"):
        objective.terms[0](EncoderPass(plain, torch.zeros(2, 8, 16)), Streams(0, rows=2))


def test_the_head_maps_to_the_width_of_the_embeddings(encoder_spec):
    head = TokenHead(replace(encoder_spec, embedding_width=6))
    assert head(torch.zeros(2, 3, 16), torch.zeros(97, 6)).shape == (2, 3, 97)
    assert not head.dense.bias.any()
    assert head.dense.weight.std().item() == pytest.approx(0.02, rel=0.3)


def test_bfloat16_autocast_gives_a_finite_float32_loss(encoder_spec, make_batch):
    objective = MaskedLanguageModeling(MaskedLanguageModeling.Config(), encoder_spec)
    corrupted = objective.corrupt(make_batch(4, 40), Streams(0, rows=4))
    hidden = torch.randn(4, 40, 16, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        encoder_pass = EncoderPass(corrupted, hidden, word_embeddings=torch.randn(97, 16))
        loss = loss_of(objective.terms[0], encoder_pass, rows=4)
    loss.total.backward()
    assert loss.total.dtype == torch.float32
    assert loss.total.isfinite() and hidden.grad.isfinite().all()


@pytest.mark.parametrize(
    "options",
    [
        {"rate": 0.0},
        {"rate": 1.1},
        {"rate": float("nan")},
        {"final_rate": 0.0},
        {"final_rate": 1.1},
        {"final_rate": float("nan")},
        {"mask_share": -0.1},
        {"random_share": -0.1},
        {"mask_share": 0.95, "random_share": 0.1},
        {"mask_share": float("nan")},
    ],
)
def test_shares_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        MaskedLanguageModeling.Config(**options)


def test_rounding_does_not_refuse_shares_that_add_up_to_one():
    MaskedLanguageModeling.Config(mask_share=0.7, random_share=0.3)
    MaskedLanguageModeling.Config(mask_share=0.1 + 0.2, random_share=0.7)


@pytest.mark.parametrize("progress", [0.0, 0.3, 1.0])
def test_without_a_schedule_the_masks_are_plain_ones_at_every_point(
    encoder_spec, make_batch, progress
):
    batch = replace(make_batch(8, 40), progress=progress)
    objective = MaskedLanguageModeling(MaskedLanguageModeling.Config(rate=0.4), encoder_spec)
    corrupted = objective.corrupt(batch, Streams(5, 2, rows=8))
    streams = Streams(5, 2, rows=8)
    positions, used = select_positions(~batch.special, 0.4, streams)
    assert torch.equal(corrupted.positions, positions)
    assert torch.equal(corrupted.targets != IGNORE_INDEX, used)
    tokens = corrupted_tokens(
        batch.input_ids.gather(1, positions), encoder_spec.vocabulary, 0.8, 0.1, streams
    )
    assert torch.equal(corrupted.input_ids.gather(1, positions)[used], tokens[used])
    assert objective.slots(40) == positions.shape[1] == 17


@pytest.mark.parametrize("kind", [MaskedLanguageModeling, TokenAlignedMaskedLanguageModeling])
@pytest.mark.parametrize(("rates"), [(0.3, 0.15), (0.1, 0.4)])
def test_the_rate_goes_straight_from_the_first_to_the_final_one(
    encoder_spec, make_batch, kind, rates
):
    first, final = rates
    objective = kind(kind.Config(rate=first, final_rate=final), encoder_spec)
    batch = make_batch(400, 42)
    shapes = set()
    for progress in (0.0, 0.25, 0.5, 1.0):
        corrupted = objective.corrupt(replace(batch, progress=progress), Streams(0, rows=400))
        share = (corrupted.predicted.sum() / (~batch.special).sum()).item()
        # A count of 40 times the rate, rounded at random: half a token of 400 x 40 at most.
        assert share == pytest.approx(first + progress * (final - first), abs=0.002)
        shapes.add(corrupted.positions.shape)
    assert shapes == {(400, objective.slots(42))} == {(400, slot_count(max(rates), 42))}


def test_held_out_text_is_masked_at_the_final_rate(encoder_spec, make_batch):
    scheduled = MaskedLanguageModeling(
        MaskedLanguageModeling.Config(rate=0.3, final_rate=0.15), encoder_spec
    )
    plain = MaskedLanguageModeling(MaskedLanguageModeling.Config(), encoder_spec)
    batch = make_batch(8, 40)
    assert batch.progress == 1.0
    one, other = (o.corrupt(batch, Streams(0, rows=8)) for o in (scheduled, plain))
    assert torch.equal(one.predicted, other.predicted)
