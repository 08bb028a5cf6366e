"""MAE-LM: what the encoder reads, the decoder in plain loops, its size, and families of encoders."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from objbench.contract.batch import IGNORE_INDEX
from objbench.contract.random_streams import Streams
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.training.flops import count_training_flops
from objbench.engine.training.step import TrainingStep
from objbench.errors import ConfigError
from objbench.study.settings import EncoderSection
from objbench_objectives.mae import HIDDEN, MaskedAutoencoder, decoder_shape, sinusoids
from objbench_objectives.mlm import MaskedLanguageModeling

FAMILIES = (
    *("bert", "electra", "distilbert", "nomic_bert", "roberta", "xlm-roberta", "albert"),
    *("deberta-v2", "modernbert", "eurobert"),
)


def streams(step=0, rows=6):
    return Streams(0, step, rows=rows)


def test_the_masks_are_those_of_mlm_and_are_hidden_from_attention(build, batch_of, tiny):
    objective, mlm = (
        build(kind, rate=0.3).objective for kind in (MaskedAutoencoder, MaskedLanguageModeling)
    )
    for padded in (False, True):
        batch = batch_of(padded=padded)
        made, theirs = objective.corrupt(batch, streams()), mlm.corrupt(batch, streams())
        assert torch.equal(made.positions, theirs.positions)
        assert torch.equal(made.targets, theirs.targets)
        hidden = made.extras[HIDDEN]
        assert torch.equal(hidden, theirs.predicted) and hidden.any()
        assert torch.equal(made.attention, batch.real & ~hidden)
        assert (made.input_ids[hidden] == tiny.VOCABULARY.mask).all()
        assert torch.equal(made.input_ids[~hidden], batch.input_ids[~hidden])


def test_predicted_tokens_that_are_not_masked_are_read(build, batch_of, tiny):
    objective = build(MaskedAutoencoder, rate=0.5, mask_share=0.5, random_share=0.2).objective
    made = objective.corrupt(batch_of(), streams())
    read = made.predicted & made.attention
    assert read.any() and (made.input_ids[read] != tiny.VOCABULARY.mask).all()
    assert (made.input_ids[made.extras[HIDDEN]] == tiny.VOCABULARY.mask).all()


def test_the_states_are_those_of_the_visible_tokens_alone(build, batch_of):
    """As if the masked tokens had been removed and the others had kept their positions."""
    step = build(MaskedAutoencoder, rate=0.4).eval()
    made = step.objective.corrupt(batch_of(padded=True), streams())
    with torch.no_grad():
        states = step.encode(step.with_views(made, made, streams())).last_hidden_state
        for row in range(6):
            visible = made.attention[row].nonzero().squeeze(1)
            alone = step.encoder(
                input_ids=made.input_ids[row, visible][None], position_ids=visible[None]
            ).last_hidden_state[0]
            torch.testing.assert_close(states[row, visible], alone, rtol=1e-4, atol=1e-5)


def layer_in_loops(layer, position, context):
    """(D,) of one position, from all of the (k, D) context, in the precision of the weights."""
    query = layer.query(context[position])
    keys, values = layer.key_value(context).chunk(2, dim=-1)
    width = len(query) // layer.heads
    mixed = torch.zeros_like(query)
    for head in range(layer.heads):
        part = slice(head * width, (head + 1) * width)
        scores = [float(query[part] @ key[part]) / math.sqrt(width) for key in keys]
        normaliser = sum(math.exp(score) for score in scores)
        for score, value in zip(scores, values, strict=True):
            mixed[part] += math.exp(score) / normaliser * value[part]
    first, second = layer.norms
    state = first(context[position] + layer.joined(mixed))
    return second(state + layer.narrow(functional.gelu(layer.widen(state))))


@pytest.mark.parametrize("depth", [0.5, 1.0])
@pytest.mark.parametrize("padded", [False, True])
def test_the_loss_is_that_of_plain_loops(build, batch_of, depth, padded):
    step = build(MaskedAutoencoder, rate=0.3, decoder_depth=depth).eval()
    batch = batch_of(padded=padded)
    with torch.no_grad():
        (total,), (count,) = step(batch, streams())
    made = step.objective.corrupt(batch, streams())
    step = step.double()
    (term,) = step.objective.terms
    decoder, words = term.decoder, step.encoder.get_input_embeddings().weight
    places = sinusoids(12, 16, torch.device("cpu"))
    expected, items = 0.0, 0
    for row in range(6):
        length = int(batch.real[row].sum())
        hidden = made.extras[HIDDEN][row, :length]
        visible = (~hidden).nonzero().squeeze(1)
        with torch.no_grad():
            states = step.encoder(
                input_ids=batch.input_ids[row, visible][None], position_ids=visible[None]
            ).last_hidden_state[0]
            context = decoder.gap.repeat(length, 1)
            context[visible] = states
            for position in range(length):
                context[position] = decoder.norm(context[position] + places[position])
            for layer in decoder.layers:
                context = torch.stack(
                    [layer_in_loops(layer, position, context) for position in range(length)]
                )
            for position in hidden.nonzero().squeeze(1).tolist():
                logits = term.words(context[position], words)
                target = int(batch.input_ids[row, position])
                expected -= float(logits[target] - logits.exp().sum().log())
                items += 1
    assert len(decoder.layers) == round(2 * depth)
    assert count == items > 6
    assert total == pytest.approx(expected, rel=1e-5)


def test_positions_are_the_sinusoids_of_a_formula():
    found = sinusoids(5, 6, torch.device("cpu"))
    for place in range(5):
        for channel in range(3):
            angle = place / 10_000 ** (channel / 3)
            assert found[place, channel] == pytest.approx(math.sin(angle), abs=1e-6)
            assert found[place, 3 + channel] == pytest.approx(math.cos(angle), abs=1e-6)
    assert sinusoids(5, 7, torch.device("cpu")).shape == (5, 7)


@pytest.mark.parametrize(("layers", "expected"), [(1, 1), (2, 1), (6, 2), (12, 4), (24, 8)])
def test_the_decoder_has_a_third_of_the_layers(encoder_spec, layers, expected):
    fields = {"num_hidden_layers": layers, "num_attention_heads": 4, "intermediate_size": 48}
    shape = decoder_shape(replace(encoder_spec, encoder_config=fields), 1 / 3)
    assert (shape.layers, shape.heads, shape.inner) == (expected, 4, 48)


def test_an_encoder_without_a_number_of_layers_is_refused(encoder_spec):
    with pytest.raises(ConfigError, match="how many layers"):
        decoder_shape(encoder_spec, 0.5)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_without_reading_what_is_hidden(family, tiny, batch_of):
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    extra = {"embedding_size": 8} if family in ("electra", "albert") else {}
    section = EncoderSection(
        model_type=family,
        config={**size, "intermediate_size": 32, "max_position_embeddings": 16, **extra},
    )
    encoder = build_encoder(section, tiny.VOCABULARY, tiny.LENGTH, seed=0)
    spec = encoder_spec_of(encoder, tiny.VOCABULARY)
    config = MaskedAutoencoder.Config(rate=0.3)
    step = TrainingStep(encoder, build_objective(MaskedAutoencoder, config, spec, seed=0)).eval()
    batch = batch_of(padded=True)
    made = step.objective.corrupt(batch, streams())
    hidden = made.extras[HIDDEN]
    # The largest difference that another token at a hidden place makes to any visible state.
    with torch.no_grad():
        one, other = (
            step.encode(step.with_views(read, read, streams())).last_hidden_state
            for read in (made, replace(made, input_ids=made.input_ids.masked_fill(hidden, 7)))
        )
    assert torch.equal(one[made.attention], other[made.attention])
    totals, _ = step.train()(batch, streams())
    totals.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in step.parameters())
    assert all(
        p.grad is not None and p.grad.any() for p in step.objective.parameters() if p.dim() > 1
    )


def test_the_decoder_is_not_exported_and_no_head_is(build):
    objective = build(MaskedAutoencoder).objective
    assert objective.token_head is None


def test_its_flops_are_those_of_mlm_and_the_decoder(build, batch_of):
    """Three times the forward products of the decoder's layer, whose queries are the slots alone."""

    def flops(kind):
        return count_training_flops(build(kind), batch_of(), streams()).flops

    rows, length, slots, width, inner = 6, 12, 2, 16, 32
    linear = slots * width * width * 2 + length * width * 2 * width + 2 * slots * width * inner
    attention = 2 * slots * length * width
    expected = 3 * 2 * rows * (linear + attention)
    shape = decoder_shape(build(MaskedAutoencoder).objective.encoder_spec, 1 / 3)
    assert (shape.layers, shape.inner) == (1, inner)
    assert flops(MaskedAutoencoder) - flops(MaskedLanguageModeling) == expected


def test_bfloat16_autocast_gives_finite_float32_losses(build, batch_of):
    step = build(MaskedAutoencoder)
    for attention in ("sdpa", "eager"):
        step.encoder.set_attn_implementation(attention)
        with torch.autocast("cpu", torch.bfloat16):
            totals, counts = step(batch_of(padded=True), streams())
        totals.sum().backward()
        assert totals.dtype == counts.dtype == torch.float32
        assert totals.isfinite().all()
        assert all(p.grad.isfinite().all() for p in step.parameters() if p.grad is not None)


def test_everything_may_be_masked(build, batch_of):
    step, batch = build(MaskedAutoencoder, rate=1.0).eval(), batch_of(padded=True)
    totals, counts = step(batch, streams())
    assert counts.item() == int((~batch.special).sum()) and totals.isfinite().all()
    made = step.objective.corrupt(batch, streams())
    assert ((made.targets != IGNORE_INDEX).sum(dim=1) == (~batch.special).sum(dim=1)).all()


@pytest.mark.parametrize("options", [{"decoder_depth": 0.0}, {"decoder_depth": 1.5}, {"rate": 2.0}])
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        MaskedAutoencoder.Config(**options)
