"""TACO: the public reference's numbers, the sampler's distribution, and any number of processes."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from objbench.blocks.heads import word_logits
from objbench.blocks.masking import slot_count
from objbench.contract.batch import Corrupted, Rows
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need
from objbench.errors import ConfigError
from objbench.plugins.option_docs import plugin_options
from objbench_objectives.alignment import (
    alignment_loss,
    anchor_positions,
    draw_negatives,
    draw_positives,
)
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.taco import (
    TokenAlignedMaskedLanguageModeling as Taco,
)
from objbench_objectives.tc import TokenAlignment

VARIANTS = {"taco": "all", "unmasked_only": "unmasked", "masked_only": "masked"}


def oracle_candidates(oracle, columns):
    """The reference's drawn indices in the form that the loss takes, for the given anchors."""
    tensors, length = oracle.tensors, oracle.numbers["length"]
    rows = torch.arange(oracle.numbers["batch"]).unsqueeze(1)
    positive = (rows * length + tensors["positive_column"]).unsqueeze(-1)
    negative = tensors["negative_row"] * length + tensors["negative_column"]
    candidates = torch.cat([positive, negative], dim=-1)
    return candidates if columns is None else candidates[rows, columns]


@pytest.mark.parametrize("variant", VARIANTS)
def test_losses_and_every_gradient_are_the_references(oracle, variant):
    config = Taco.Config(
        anchors=VARIANTS[variant],
        window=oracle.numbers["window"],
        negatives=oracle.numbers["negatives"],
        temperature=oracle.numbers["temperature"],
    )
    objective = Taco(config, oracle.encoder_spec)
    prediction, alignment = objective.terms
    ours = {f"bert.{name}": p for name, p in oracle.encoder.named_parameters()}
    head = objective.token_head
    theirs = "cls.predictions."
    ours |= {f"{theirs}transform.dense.{n}": p for n, p in head.dense.named_parameters()}
    ours |= {f"{theirs}transform.LayerNorm.{n}": p for n, p in head.norm.named_parameters()}
    ours[f"{theirs}bias"] = head.bias
    with torch.no_grad():
        for name, parameter in ours.items():
            parameter.copy_(oracle.tensors[f"model.{name}"])

    output = oracle.encoder(oracle.corrupted.input_ids, output_hidden_states=True)
    encoder_pass = EncoderPass(
        batch=oracle.corrupted,
        last_hidden_state=output.last_hidden_state,
        embedding_output=output.hidden_states[0],
        word_embeddings=oracle.encoder.get_input_embeddings().weight,
    )
    encoder_pass = replace(encoder_pass, word_logits=word_logits(head, encoder_pass))
    mlm = prediction(encoder_pass, Streams(0, rows=oracle.numbers["batch"]))
    columns, valid = anchor_positions(oracle.corrupted, config.anchors)
    candidates = oracle_candidates(oracle, columns)
    tc = alignment_loss(encoder_pass, columns, valid, candidates, config.temperature)
    losses = mlm.total / mlm.count, tc.total / tc.count
    total = prediction.weight * losses[0] + alignment.weight * losses[1]
    for value, key in zip((*losses, total), ("mlm", "tc", "total"), strict=True):
        expected = oracle.numbers[f"{variant}.{key}_loss"]
        assert value.item() == pytest.approx(expected, rel=1e-5), key

    total.backward()
    prefix = f"grad.{variant}."
    expected = {
        k.removeprefix(prefix): v for k, v in oracle.tensors.items() if k.startswith(prefix)
    }
    assert expected.keys() == ours.keys()
    for name, gradient in expected.items():
        error = torch.linalg.vector_norm(ours[name].grad - gradient)
        # 1e-7: the exact gradient of a key bias is zero, what is there is rounding.
        assert error <= 1e-5 * torch.linalg.vector_norm(gradient) + 1e-7, name


def test_the_loss_equals_the_formula_in_loops(make_batch):
    generator = torch.Generator().manual_seed(3)
    h, e = (torch.randn(3, 5, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    batch = Corrupted.of(make_batch(3, 5, lengths=[5, 3, 4]))
    candidates = torch.randint(15, (3, 5, 4), generator=generator)
    g = (h - e) / (h - e).norm(dim=-1, keepdim=True)
    flat = g.flatten(0, 1)
    total = 0.0
    for row, length in enumerate([5, 3, 4]):
        for column in range(length):
            logits = [float(g[row, column] @ flat[i]) / 0.07 for i in candidates[row, column]]
            total -= logits[0] - math.log(sum(math.exp(x) for x in logits))
    columns, valid = anchor_positions(batch, "all")
    loss = alignment_loss(EncoderPass(batch, h, e), columns, valid, candidates, 0.07)
    assert loss.count.item() == 12
    assert loss.total.item() == pytest.approx(total, rel=1e-5)


def frequencies(columns, length, reach, draws=20_000):
    anchors = torch.tensor(columns).expand(draws, -1)
    lengths = torch.full((draws,), length)
    drawn = draw_positives(anchors, lengths, reach, Streams(0, rows=draws))
    return [torch.bincount(drawn[:, i], minlength=length) / draws for i in range(len(columns))]


def test_positives_follow_the_reference_at_the_borders_too():
    """Offsets -2..2 without 0, each 1/4; what lies outside goes to the 11 other positions."""
    length, columns = 12, [0, 1, 5, 10, 11]
    for column, share in zip(columns, frequencies(columns, length, reach=2), strict=True):
        near = [column + d for d in (-2, -1, 1, 2) if 0 <= column + d < length]
        expected = torch.full((length,), (4 - len(near)) / 4 / (length - 1))
        expected[near] += 1 / 4
        expected[column] = 0
        assert share[column] == 0
        assert torch.allclose(share, expected, atol=0.013)  # 4 standard deviations at 1/4
        # A random position half the time at the border, a quarter next to it.
        assert (4 - len(near)) / 4 == {0: 0.5, 1: 0.25, 5: 0, 10: 0.25, 11: 0.5}[column]


def test_the_papers_window_reaches_further():
    assert Taco.Config(window_rule="paper").alignment.reach == 4
    assert Taco.Config().alignment.reach == 2
    (share,) = frequencies([6], 13, reach=4)
    expected = torch.zeros(13)
    expected[[2, 3, 4, 5, 7, 8, 9, 10]] = 1 / 8
    assert torch.allclose(share, expected, atol=0.01)


def test_a_window_wider_than_the_sequence_falls_back_on_its_other_tokens():
    (share,) = frequencies([1], 3, reach=50)
    assert torch.allclose(share, torch.tensor([0.5, 0.0, 0.5]), atol=0.015)


def test_negatives_are_uniform_over_the_other_rows_and_their_real_positions():
    lengths = torch.tensor([4, 1, 3, 6])
    streams = Streams(0, rows=4, first=1, count=2)
    row, column = draw_negatives(500, 60, lengths, Rows(first=1, total=4), streams)
    assert row.shape == column.shape == (2, 60, 500)
    for index, own in enumerate((1, 2)):
        counts = torch.zeros(4, 6)
        places = (row[index].flatten(), column[index].flatten())
        counts.index_put_(places, torch.ones(30_000), accumulate=True)
        expected = (torch.arange(6) < lengths[:, None]) / lengths[:, None] / 3
        expected[own] = 0
        assert torch.equal(counts > 0, expected > 0)
        # 5 standard deviations of the most likely place.
        assert torch.allclose(counts / 30_000, expected, atol=0.014)


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=2, max_size=6),
    width=st.integers(0, 4),
    reach=st.integers(1, 12),
    seed=st.integers(0, 2**31),
)
def test_padding_is_never_drawn(lengths, width, reach, seed):
    rows, length = len(lengths), max(2, max(lengths) + width)
    real = torch.tensor(lengths)
    columns = torch.arange(length).expand(rows, length)
    streams = Streams(seed, rows=rows)
    positive = draw_positives(columns, real, reach, streams)
    row, column = draw_negatives(7, length, real, Rows.alone(rows), streams)
    anchors = (columns < real[:, None]) & (real[:, None] >= 2)
    assert (positive < real[:, None])[anchors].all()
    assert (positive != columns)[anchors].all()
    assert (column < real[row]).all() and (column >= 0).all()
    assert (row != torch.arange(rows).view(-1, 1, 1)).all()
    assert ((positive >= 0) & (positive < length)).all()  # void anchors still index the pool


def pass_over(objective, batch, streams, width=16, seed=5):
    generator = torch.Generator().manual_seed(seed)
    whole = torch.randn(2, batch.rows.total, batch.input_ids.shape[1], width, generator=generator)
    own = slice(batch.rows.first, batch.rows.first + len(batch.input_ids))
    hidden, embedded = (state[own].clone().requires_grad_() for state in whole)
    corrupted = objective.corrupt(batch, streams)
    return EncoderPass(corrupted, hidden, embedded, word_embeddings=torch.randn(97, width))


@pytest.mark.parametrize("sampling", ["drawn", "all"])
@pytest.mark.parametrize("anchors", VARIANTS.values())
def test_which_positions_are_anchors(encoder_spec, make_batch, anchors, sampling):
    objective = Taco(Taco.Config(anchors=anchors, sampling=sampling), encoder_spec)
    batch = make_batch(4, 20, lengths=[20, 13, 1, 2])
    encoder_pass = pass_over(objective, batch, streams := Streams(0, rows=4))
    loss = objective.terms[1](encoder_pass, streams)
    loss.total.backward()
    touched = encoder_pass.last_hidden_state.grad.abs().sum(-1) > 0
    predicted = encoder_pass.batch.predicted
    able = batch.attention.clone()
    able[2] = False  # one token: nothing to be aligned with
    expected = {"all": able, "masked": able & predicted, "unmasked": able & ~predicted}[anchors]
    assert torch.equal(touched, expected)
    assert loss.count.item() == expected.sum().item()
    embedded = encoder_pass.embedding_output.grad
    torch.testing.assert_close(embedded, -encoder_pass.last_hidden_state.grad)


def test_the_same_masks_as_mlm(encoder_spec, make_batch):
    batch = make_batch(6, 30)
    before = batch.input_ids.clone()
    taco, mlm = (
        Taco(Taco.Config(), encoder_spec),
        MaskedLanguageModeling(MaskedLanguageModeling.Config(), encoder_spec),
    )
    streams = Streams(7, 11, rows=6)
    ours = taco.corrupt(batch, streams)
    # What taco draws besides moves no later mask.
    taco.terms[1](pass_over(taco, batch, Streams(7, 11, rows=6)), streams)
    plain = mlm.corrupt(batch, other := Streams(7, 11, rows=6))
    assert torch.equal(ours.input_ids, plain.input_ids)
    assert torch.equal(ours.positions, plain.positions)
    assert torch.equal(taco.corrupt(batch, streams).input_ids, mlm.corrupt(batch, other).input_ids)
    assert torch.equal(batch.input_ids, before)


@pytest.mark.parametrize("sampling", ["drawn", "all"])
@pytest.mark.parametrize("anchors", VARIANTS.values())
@pytest.mark.parametrize("lengths", [None, [12, 3, 7, 12, 1, 9]])
def test_any_number_of_processes_gives_the_same_loss(
    encoder_spec, make_batch, anchors, lengths, sampling
):
    objective = Taco(Taco.Config(anchors=anchors, sampling=sampling), encoder_spec)
    batch = make_batch(6, 12, lengths=lengths)
    whole_pass = pass_over(objective, batch, streams := Streams(3, 1, rows=6))
    whole = objective.terms[1](whole_pass, streams)
    whole.total.backward()

    generator = torch.Generator().manual_seed(5)
    states = torch.randn(2, 6, 12, 16, generator=generator)
    g = functional.normalize(states[0] - states[1], dim=-1)

    def gather(tensor):  # what the other processes would send
        return batch.real.sum(1) if tensor.dim() == 1 else g

    totals, gradients = [], []
    for first, count in ((0, 2), (2, 4)):
        own = slice(first, first + count)
        part = replace(
            batch,
            input_ids=batch.input_ids[own],
            special=batch.special[own],
            attention=None if lengths is None else batch.attention[own],
            rows=Rows(first, 6, gather),
        )
        streams = Streams(3, 1, rows=6, first=first, count=count)
        part_pass = pass_over(objective, part, streams)
        loss = objective.terms[1](part_pass, streams)
        loss.total.backward()
        totals.append(torch.stack([loss.total.detach(), loss.count]))
        gradients.append(part_pass.last_hidden_state.grad)
    expected = torch.stack([whole.total.detach(), whole.count])
    torch.testing.assert_close(sum(totals), expected)
    torch.testing.assert_close(torch.cat(gradients), whole_pass.last_hidden_state.grad)


@pytest.mark.parametrize("sampling", ["drawn", "all"])
def test_attention_without_padding_changes_nothing(encoder_spec, make_batch, sampling):
    objective = Taco(Taco.Config(sampling=sampling), encoder_spec)
    batch = make_batch(4, 10)
    told = replace(batch, attention=torch.ones(4, 10, dtype=torch.bool))
    losses = []
    for which in (batch, told):
        streams = Streams(0, rows=4)
        losses.append(objective.terms[1](pass_over(objective, which, streams), streams).total)
    assert torch.equal(*losses)


def test_same_streams_same_loss_and_the_global_generator_is_left_alone(encoder_spec, make_batch):
    objective = Taco(Taco.Config(), encoder_spec)
    encoder_pass = pass_over(objective, make_batch(4, 10), Streams(0, rows=4))
    state = torch.random.get_rng_state()
    first, again, other = (
        objective.terms[1](encoder_pass, Streams(seed, rows=4)).total for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("sampling", ["drawn", "all"])
@pytest.mark.parametrize("anchors", VARIANTS.values())
def test_bfloat16_states_give_a_finite_float32_loss(encoder_spec, make_batch, anchors, sampling):
    objective = Taco(Taco.Config(anchors=anchors, sampling=sampling), encoder_spec)
    full = pass_over(objective, make_batch(4, 20), streams := Streams(0, rows=4))
    hidden = full.last_hidden_state.detach().bfloat16().requires_grad_()
    embedded = full.embedding_output.detach().bfloat16()
    loss = objective.terms[1](EncoderPass(full.batch, hidden, embedded), streams)
    loss.total.backward()
    assert loss.total.dtype == torch.float32 and loss.total.isfinite()
    assert hidden.grad.isfinite().all() and hidden.grad.any()


def test_declared_flops_count_every_anchor_slot_twice(encoder_spec):
    for anchors, count in (("all", 128), ("unmasked", 128), ("masked", slot_count(0.15, 128))):
        objective = Taco(Taco.Config(anchors=anchors), encoder_spec)
        assert objective.extra_flops(32, 128) == 2 * (2 * 32 * count * 51 * 16)


def test_declared_flops_with_all_negatives_count_the_tokens_of_every_process(
    encoder_spec, monkeypatch
):
    for anchors, count in (("all", 128), ("masked", slot_count(0.15, 128))):
        objective = Taco(Taco.Config(anchors=anchors, sampling="all"), encoder_spec)
        assert objective.extra_flops(32, 128) == 2 * (2 * 32 * count * 32 * 128 * 16)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    assert objective.extra_flops(32, 128) == 2 * (2 * 32 * count * 3 * 32 * 128 * 16)


def test_all_negatives_are_the_real_positions_of_the_other_sequences(encoder_spec, make_batch):
    """In loops over the formula, at the positives that the drawn loss draws too."""
    lengths = [5, 3, 1, 4]
    batch = make_batch(4, 5, lengths=lengths)
    objective = Taco(Taco.Config(sampling="all"), encoder_spec)
    encoder_pass = pass_over(objective, batch, Streams(2, rows=4), width=6)
    loss = objective.terms[1](encoder_pass, Streams(2, rows=4))
    columns = torch.arange(5).expand(4, 5)
    positives = draw_positives(columns, torch.tensor(lengths), 2, Streams(2, rows=4))
    h, e = encoder_pass.last_hidden_state.double(), encoder_pass.embedding_output.double()
    g = ((h - e) / (h - e).norm(dim=-1, keepdim=True)).tolist()
    total, count = 0.0, 0
    for row, length in enumerate(lengths):
        for column in range(length if length > 1 else 0):
            others = [(r, c) for r in range(4) if r != row for c in range(lengths[r])]
            candidates = [(row, int(positives[row, column])), *others]
            logits = [
                sum(a * b for a, b in zip(g[row][column], g[r][c], strict=True)) / 0.07
                for r, c in candidates
            ]
            total += math.log(sum(math.exp(logit) for logit in logits)) - logits[0]
            count += 1
    assert loss.count.item() == count == 12
    assert loss.total.item() == pytest.approx(total, rel=1e-5)


def test_terms_have_names_weights_and_needs(encoder_spec):
    objective = Taco(Taco.Config(weight=0.5), encoder_spec)
    assert [(term.name, term.weight) for term in objective.terms] == [("mlm", 1.0), ("tc", 0.5)]
    assert Need.LABELS not in objective.terms[1].needs
    assert Need.LABELS in Taco(Taco.Config(anchors="masked"), encoder_spec).terms[1].needs
    assert Need.EMBEDDING_OUTPUT in objective.needs


def test_one_sequence_or_one_token_is_an_error_that_says_so(encoder_spec, make_batch):
    objective = Taco(Taco.Config(), encoder_spec)
    for rows, length, words in ((1, 8, "not 1 of length 8"), (3, 1, "not 3 of length 1")):
        batch = make_batch(rows, length)
        streams = Streams(0, rows=rows)
        with pytest.raises(ConfigError, match=words):
            objective.terms[1](pass_over(objective, batch, streams), streams)


@pytest.mark.parametrize(
    "options",
    [
        {"window": 4},
        {"window": 1},
        {"window": -3},
        {"window": 1, "window_rule": "paper"},
        {"window_rule": "half"},
        {"anchors": "some"},
        {"sampling": "some"},
        {"negatives": 0},
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"weight": -1.0},
        {"rate": 0.0},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        Taco.Config(**options)


def test_the_options_of_the_term_have_one_meaning_and_one_default(encoder_spec):
    """Written twice, because an objective's options are one list that its source tells."""
    config = TokenAlignment.Config()
    assert Taco.Config().alignment == config
    told, own = (
        {k.name: k.meaning for k in plugin_options(kind)} for kind in (Taco.Config, type(config))
    )
    assert {name: told[name] for name in own} == own | {"weight": told["weight"]}
    changed = {"window": 7, "sampling": "all", "negatives": 3, "temperature": 0.1, "weight": 2.0}
    assert Taco.Config(rate=0.2, **changed).alignment == TokenAlignment.Config(**changed)
