"""Embedding sharing of rtd: which loss trains what, steps in plain loops, exports, families."""

import math

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModel

from objbench.contract.random_streams import Streams
from objbench.engine.encoder.plain_weights import with_plain_weights
from objbench.engine.training.flops import count_training_flops
from objbench.engine.training.parameter_groups import parameter_groups
from objbench.engine.training.trainer import pretrain
from objbench.errors import ConfigError
from objbench.study.settings import EncoderSection
from objbench_objectives.rtd import ReplacedTokenDetection

SHARINGS = ("shared", "gdes", "none")
TABLES = ("word_embeddings", "position_embeddings", "token_type_embeddings")


def streams(step=1, rows=6):
    return Streams(0, step, rows=rows)


def trained_by(step, batch, term):
    step.zero_grad()
    totals, _ = step(batch, streams())
    totals[term].backward()
    return {name for name, p in step.named_parameters() if p.grad is not None and p.grad.any()}


def tables_of(step):
    """(E_G, E_delta, E_D) of each table."""
    own, layer = step.objective.generator.encoder.embeddings.own, step.encoder.embeddings
    for name in TABLES:
        table = getattr(layer, name)
        yield getattr(own, name).weight, table.parametrizations.weight.original, table.weight


def test_one_layer_is_shared_unless_something_else_is_asked_for(build):
    assert ReplacedTokenDetection.Config().sharing == "shared"
    assert build().objective.generator.encoder.embeddings.own is None
    with pytest.raises(ConfigError, match="sharing"):
        ReplacedTokenDetection.Config(sharing="tied")


def test_the_encoder_starts_the_same_and_the_difference_is_zero(build, batch_of):
    ids = batch_of().input_ids
    steps = [build(sharing=sharing).eval() for sharing in SHARINGS]
    with torch.no_grad():
        states = [step.encoder(input_ids=ids).last_hidden_state for step in steps]
    assert torch.equal(states[0], states[1]) and torch.equal(states[0], states[2])
    for generator, delta, table in tables_of(steps[1]):
        assert not delta.any() and torch.equal(generator, table)
        assert generator.data_ptr() != delta.data_ptr()


def test_each_loss_trains_the_tables_of_its_own_network(build, batch_of):
    batch = batch_of()
    for sharing in ("gdes", "none"):
        step = build(sharing=sharing)
        mlm, detection = trained_by(step, batch, 0), trained_by(step, batch, 1)
        assert all(name.startswith("objective.generator.") for name in mlm)
        assert not any("generator" in name for name in detection)
        ending = ".parametrizations.weight.original" if sharing == "gdes" else ".weight"
        for table in TABLES:
            assert f"objective.generator.encoder.embeddings.own.{table}.weight" in mlm
            assert f"encoder.embeddings.{table}{ending}" in detection


def test_the_gradient_of_the_difference_is_that_of_the_sum(build, batch_of):
    """By finite differences in float64, of L_RTD with the samples held fixed."""
    step = build(sharing="gdes").eval().double()
    for generator, delta, _ in tables_of(step):
        for table in (generator, delta):
            table.data += torch.randn_like(table) * 0.1
    readings = step.corrupt(batch_of(), streams())

    def detection():
        return step.losses(step.encode(readings), streams())[0][1]

    detection().double().backward()
    for generator, delta, table in tables_of(step):
        assert torch.equal(table, generator + delta)
        row = int(delta.grad.abs().sum(dim=1).argmax())
        for column in (0, 7):
            gradient = float(delta.grad[row, column])
            sides = []
            for sign in (1, -1):
                with torch.no_grad():
                    delta[row, column] += sign * 1e-3
                    sides.append(float(detection()))
                    delta[row, column] -= sign * 1e-3
            # Losses are float32.
            assert (sides[0] - sides[1]) / 2e-3 == pytest.approx(gradient, rel=0.05, abs=0.02)
        assert generator.grad is None or not generator.grad.any()


def test_adamw_steps_are_those_of_two_tables_in_loops(build, batch_of):
    """E_G moves by its own gradients, E_delta by its own, and what the encoder reads by both."""
    step, rate, decay = build(sharing="gdes").double(), 1e-2, 0.1
    optimizer = torch.optim.AdamW(step.parameters(), lr=rate, weight_decay=decay)
    tables = [(own, delta) for own, delta, _ in tables_of(step)]
    row, columns = 5, (0, 3)
    kept = [[float(table.detach()[row, column]) for column in columns] for table in tables[0]]
    moments = [[[0.0, 0.0] for _ in columns] for _ in range(2)]
    for number in range(1, 4):
        totals, counts = step(batch_of(), streams(number))
        (totals / counts * torch.tensor([1.0, 50.0])).sum().backward()
        for side, table in enumerate(tables[0]):
            for place, column in enumerate(columns):
                g = float(table.grad[row, column])
                first, second = moments[side][place]
                first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
                moments[side][place] = [first, second]
                mean, square = first / (1 - 0.9**number), second / (1 - 0.999**number)
                moved = rate * mean / (math.sqrt(square) + 1e-8)
                kept[side][place] = kept[side][place] * (1 - rate * decay) - moved
        optimizer.step()
        optimizer.zero_grad()
    read = step.encoder.get_input_embeddings().weight.detach()[row]
    for place, column in enumerate(columns):
        assert kept[1][place] != 0
        assert float(read[column]) == pytest.approx(kept[0][place] + kept[1][place], rel=1e-9)


def test_word_logits_are_of_the_generators_own_table(build, batch_of, masks_of):
    for sharing in ("gdes", "none"):
        step, masked = build(sharing=sharing).eval(), masks_of(batch_of(), streams())
        generator = step.objective.generator
        before = generator(masked)
        with torch.no_grad():
            for parameter in step.encoder.parameters():
                parameter += 1.0
        assert torch.equal(generator(masked), before)
        unseen = next(word for word in range(5, 65) if not (masked.input_ids == word).any())
        with torch.no_grad():
            generator.encoder.embeddings.own.word_embeddings.weight[unseen] += torch.randn(16)
        moved = (generator(masked) - before).abs().amax(dim=(0, 1)) > 1e-6
        assert moved.nonzero().flatten() == unseen


@pytest.mark.parametrize("sharing", ["gdes", "none"])
def test_tables_are_owned_once_and_grouped_as_embeddings(build, sharing):
    step, shared = build(sharing=sharing), build()
    groups = parameter_groups(step)
    assert sum(map(len, groups.values())) == len(list(step.parameters()))
    assert len(groups["embeddings"]) == 2 * len(TABLES)
    assert not {id(p) for p in step.encoder.parameters()} & {
        id(p) for p in step.objective.parameters()
    }

    def size(module):
        return sum(p.numel() for p in module.parameters())

    assert size(step.encoder) == size(shared.encoder)
    layer = size(shared.encoder.embeddings)
    assert size(step.objective) == size(shared.objective) + layer


@pytest.mark.parametrize("sharing", ["gdes", "none"])
def test_runs_resume_and_export_what_the_encoder_computes(tiny, tmp_path, build, sharing):
    def stopping_at(stop):
        def report(done, total, text):
            if done == stop:
                raise KeyboardInterrupt

        return report

    runs = tmp_path / "whole", tmp_path / "cut"
    options = {"steps": 8, "export_steps": (4, 8), "log_every": 2, "sharing": sharing}
    whole = pretrain(tiny.tiny_job(runs[0], "rtd", **options), stopping_at(-1))
    with pytest.raises(KeyboardInterrupt):
        pretrain(tiny.tiny_job(runs[1], "rtd", checkpoint_every=0, **options), stopping_at(6))
    again = pretrain(tiny.tiny_job(runs[1], "rtd", **options), stopping_at(-1))
    assert [point.terms for point in whole.log] == [point.terms for point in again.log]
    for point, other in zip(whole.points, again.points, strict=True):
        assert point.heldout == other.heldout
        one, two = (load_file(run / point.encoder / "model.safetensors") for run in runs)
        assert one.keys() == two.keys() == build().encoder.state_dict().keys()
        assert all(torch.equal(one[name], two[name]) for name in one)
    assert (one["embeddings.word_embeddings.weight"] != 0).any()


def test_an_export_holds_the_sum_and_training_goes_on(build, batch_of, tmp_path):
    step, ids = build(sharing="gdes").eval(), batch_of().input_ids
    with torch.no_grad():
        for generator, delta, _ in tables_of(step):
            generator += torch.randn_like(generator)
            delta += torch.randn_like(delta)
    names = set(step.state_dict())
    plain = with_plain_weights(step.encoder)
    assert plain is not step.encoder and set(step.state_dict()) == names
    plain.save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path, add_pooling_layer=False)
    assert torch.equal(
        loaded.get_input_embeddings().weight, step.encoder.get_input_embeddings().weight
    )
    with torch.no_grad():
        expected = step.encoder(input_ids=ids).last_hidden_state
        found = loaded.eval()(input_ids=ids).last_hidden_state
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    untouched = build()
    assert with_plain_weights(untouched.encoder) is untouched.encoder


def test_both_cost_the_same_flops(build, batch_of):
    found = [
        count_training_flops(build(sharing=sharing), batch_of(), streams()).flops
        for sharing in SHARINGS
    ]
    assert found[0] == found[1] == found[2]


SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SMALL["intermediate_size"] = 32


@pytest.mark.parametrize("sharing", ["gdes", "none"])
@pytest.mark.parametrize(
    ("model_type", "fields"),
    [
        ("roberta", SMALL),
        ("modernbert", SMALL),
        ("electra", {**SMALL, "embedding_size": 8}),
        ("deberta-v2", SMALL),
        ("albert", {**SMALL, "embedding_size": 8}),
        ("mpnet", SMALL),
        ("nomic_bert", SMALL),
        ("distilbert", {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32}),
    ],
)
def test_families_of_encoders(model_type, fields, build, batch_of, sharing):
    section = EncoderSection(model_type=model_type, config=fields)
    step, shared = build(section=section, sharing=sharing), build(section=section)
    words = step.encoder.get_input_embeddings()
    assert torch.equal(words.weight, shared.encoder.get_input_embeddings().weight)
    assert isinstance(words, nn.Embedding)
    counted = count_training_flops(step, batch_of(), streams())
    assert not [name for name in counted.unused if "generator" in name or "original" in name]
    totals, counts = step(batch_of(padded=True), streams())
    (totals / counts).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in step.parameters())
    names = set(with_plain_weights(step.encoder).state_dict())
    assert names == set(shared.encoder.state_dict())
