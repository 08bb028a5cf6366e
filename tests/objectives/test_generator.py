"""RTD's generator: what is tied and trained by what, its sizes and cost, encoders of any kind."""

import math
from dataclasses import replace

import pytest
import torch
from transformers import AutoConfig

from objbench.contract.random_streams import Streams
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.training.flops import count_training_flops
from objbench.engine.training.session import Session
from objbench.errors import ConfigError
from objbench.study.settings import EncoderSection
from objbench_objectives.generator import generator_fields
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.rtd import ReplacedTokenDetection

D, LAYERS, G = 16, 2, 4
"""Widths of the tiny encoder, two heads of 8, and of its generator at a quarter."""


# -- gradients and tied weights


def gradients(step, batch, term):
    step.zero_grad()
    totals, _ = step(batch, Streams(0, 1, rows=len(batch.input_ids)))
    totals[term].backward()
    return {name for name, p in step.named_parameters() if p.grad is not None and p.grad.any()}


def test_each_loss_trains_its_own_network_and_the_embeddings(build, batch_of):
    step, batch = build(), batch_of()
    embeddings = {name for name, _ in step.named_parameters() if "encoder.embeddings." in name}
    embeddings = {name for name in embeddings if name.startswith("encoder.")}
    words = "encoder.embeddings.word_embeddings.weight"
    mlm, detection = gradients(step, batch, 0), gradients(step, batch, 1)
    own = {name for name in mlm if not name.startswith("objective.generator.")}
    assert words in own and own == embeddings
    assert not any("generator" in name for name in detection)
    assert embeddings < detection and "objective._terms.1.logit.weight" in detection
    assert any("encoder.layer.0" in name for name in detection)


def test_word_logits_and_inputs_are_tied(build, batch_of, masks_of):
    step, batch = build().eval(), batch_of()
    embeddings, generator = step.encoder.embeddings, step.objective.generator
    masked = masks_of(batch, Streams(0, rows=6))
    unseen = next(word for word in range(5, 65) if not (masked.input_ids == word).any())

    def change(weight):
        before = generator(masked)
        with torch.no_grad():
            weight += torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
        return (generator(masked) - before).abs().amax(dim=(0, 1)) > 1e-6

    # A word that is nowhere in the input changes its own logit and no other.
    assert change(embeddings.word_embeddings.weight[unseen]).nonzero().flatten() == unseen
    assert change(embeddings.word_embeddings.weight[4]).sum() > 60  # [MASK]
    assert change(embeddings.position_embeddings.weight).sum() > 60


def test_tied_weights_are_stored_counted_and_trained_once(tiny, tmp_path):
    session = Session(tiny.tiny_job(tmp_path, "rtd"))
    module = session.module
    shared = {id(p) for p in module.encoder.parameters()}
    own = [p for p in module.objective.parameters()]
    assert not shared & {id(p) for p in own}
    state = module.state_dict()
    assert len({tensor.data_ptr() for tensor in state.values()}) == len(state)
    layer = 4 * (G * G + G) + (G * 8 + 8) + (8 * G + G) + 4 * G
    head = (G * D + D) + 2 * D + 65
    detection = (D * D + D) + (D + 1)
    assert sum(p.numel() for p in own) == (D * G + G) + LAYERS * layer + head + detection
    optimized = [p for group in session.optimizer.param_groups for p in group["params"]]
    assert len({id(p) for p in optimized}) == len(optimized)
    assert {id(p) for p in optimized} == {id(p) for p in module.parameters()}
    # The norm that clips is of each weight once, with the gradient of both its uses.
    session.gradients(0)
    squares = sum(float(p.grad.double().square().sum()) for p in {*module.parameters()})
    assert session.update.apply(0.0).item() == pytest.approx(math.sqrt(squares), rel=1e-5)


def test_a_generator_without_an_encoder_says_so(tiny, batch_of):
    encoder = build_encoder(tiny.encoder_section(), tiny.VOCABULARY, tiny.LENGTH, seed=0)
    encoder_spec = encoder_spec_of(encoder, tiny.VOCABULARY)
    objective = ReplacedTokenDetection(ReplacedTokenDetection.Config(), encoder_spec)
    with pytest.raises(LookupError, match="tie"):
        objective.corrupt(batch_of(), Streams(0, rows=6))


# -- size and cost


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((768, 12, 3072), 0.25, (192, 3, 768)),  # ELECTRA's sizes for BERT-Base ...
        ((768, 12, 3072), 1 / 3, (256, 4, 1024)),
        ((256, 4, 1024), 0.25, (64, 1, 256)),  # ... and for ELECTRA-Small
        ((64, 4, 256), 0.25, (16, 1, 64)),
        ((128, 2, 512), 0.25, (32, 1, 128)),
        ((128, 2, 512), 1.0, (128, 2, 512)),
        ((60, 3, 50), 0.1, (6, 1, 5)),
        ((8, 4, 3), 0.01, (2, 1, 1)),
    ],
)
def test_sizes_of_the_generator(shape, size, expected):
    names = ("hidden_size", "num_attention_heads", "intermediate_size")
    plain = {"model_type": "bert", "num_hidden_layers": 7, **dict(zip(names, shape, strict=True))}
    scaled = generator_fields(plain, size)
    assert tuple(scaled[name] for name in names) == expected
    assert scaled["num_hidden_layers"] == 7


def test_the_extra_flops_are_those_of_the_generator_and_the_head(tiny, build, batch_of):
    batch, length, slots = batch_of(rows=4), tiny.LENGTH, 2
    counts = [
        count_training_flops(build(kind), batch, Streams(0, 0, rows=4)).flops
        for kind in (MaskedLanguageModeling, ReplacedTokenDetection)
    ]
    tokens = 4 * length
    projections = tokens * (D * G + LAYERS * (4 * G * G + 2 * G * 8))
    attention = LAYERS * 2 * tokens * length * G
    generator = projections + attention + 4 * slots * (G * D + D * 65)
    detection = tokens * (D * D + D)
    mlm_head = 4 * slots * (D * D + D * 65)
    # 2 FLOPs a multiply-add; each product once forward and twice backward.
    assert counts[1] - counts[0] == 2 * 3 * (generator + detection - mlm_head)


SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SMALL["intermediate_size"] = 32


@pytest.mark.parametrize(
    ("model_type", "fields"),
    [
        ("roberta", SMALL),
        ("modernbert", SMALL),
        ("electra", {**SMALL, "embedding_size": 8}),
        ("electra", {**SMALL, "embedding_size": 4}),
        ("deberta-v2", SMALL),
        ("albert", {**SMALL, "embedding_size": 8}),
        ("mpnet", SMALL),
        ("distilbert", {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32}),
    ],
)
def test_the_generator_is_of_the_encoders_kind(model_type, fields, build, batch_of):
    section = EncoderSection(model_type=model_type, config=fields)
    step = build(section=section, generator_size=0.5)
    counted = count_training_flops(step, batch_of(), Streams(0, 0, rows=6))
    assert not [name for name in counted.unused if "generator" in name]
    assert step.objective.generator.encoder.config.hidden_size == 8
    assert step.objective.generator.encoder.config.model_type == model_type


@pytest.mark.parametrize("model_type", ["fnet", "eurobert", "bart"])
def test_other_kinds_are_refused_by_name(tiny, model_type, build):
    encoder_spec = encoder_spec_of(build().encoder, tiny.VOCABULARY)
    config = AutoConfig.for_model(model_type).to_dict()
    with pytest.raises(ConfigError, match=f"{model_type}.*'bert'") as caught:
        build_objective(
            ReplacedTokenDetection,
            ReplacedTokenDetection.Config(generator_size=0.02),
            replace(encoder_spec, encoder_config={**config, "num_hidden_layers": 1}),
            seed=0,
        )
    assert "\n" not in str(caught.value)
