"""Every preset is a complete study but for what only the user can say, and its encoder builds."""

import pytest

from objbench.study.files import preset_layer, presets
from objbench.study.study import build_study

STATED = {
    "demo": (2, 64, 32, 32),
    "demo-bert": (2, 64, 32, 32),
    "tiny": (2, 128, 64, 32),
    "tiny-bert": (2, 128, 64, 32),
    "mini": (4, 256, 128, 256),
    "mini-bert": (4, 256, 128, 256),
    "small": (4, 512, 256, 1024),
    "base": (12, 768, 256, 2048),
}


def study_of(name):
    return build_study([preset_layer(name), {"objectives": ["mlm"]}], name)


def test_the_presets_are_those_stated():
    assert set(presets()) == set(STATED)


@pytest.mark.parametrize("name", STATED)
def test_a_preset_is_a_study_of_the_stated_size(name):
    study = study_of(name)
    config = study.encoder.config
    sizes = (
        config["num_hidden_layers"],
        config["hidden_size"],
        study.data.length,
        study.training.batch,
    )
    assert sizes == STATED[name]
    assert study.preset == name
    assert study.data.length <= config["max_position_embeddings"]
    assert "convergence" in study.evaluation.suites


def test_small_is_the_papers():
    study = study_of("small")
    training = study.training
    assert study.budget == "250k-steps"
    assert (training.learning_rate, training.schedule) == (1e-4, "linear")
    assert training.warmup * 250_000 == 2_500
    assert training.optimizer.weight_decay == 0.01
    assert study.encoder.config["num_attention_heads"] == 8
    assert study.data.tokenizer == "bert-base-uncased"


@pytest.mark.parametrize("name", STATED)
def test_the_encoder_builds(name):
    import torch
    from transformers import AutoConfig, AutoModel

    section = study_of(name).encoder
    config = AutoConfig.for_model(
        section.model_type, vocab_size=99, pad_token_id=0, **section.config
    )
    # An unknown field would be taken in silence.
    assert set(section.config) <= set(AutoConfig.for_model(section.model_type).to_dict())
    with torch.device("meta"):
        model = AutoModel.from_config(config)
    assert model.config.num_hidden_layers == STATED[name][0]


def test_only_demo_brings_its_corpus():
    brought = [name for name in presets() if "corpus" in preset_layer(name).get("data", {})]
    assert brought == ["demo", "demo-bert"]


@pytest.mark.parametrize("name", ["demo", "tiny", "mini"])
def test_a_recipe_and_its_bert_have_about_as_many_weights(name):
    import torch
    from transformers import AutoConfig, AutoModel

    counts = []
    for preset in (name, f"{name}-bert"):
        section = study_of(preset).encoder
        config = AutoConfig.for_model(
            section.model_type, vocab_size=99, pad_token_id=0, **section.config
        )
        with torch.device("meta"):
            model = AutoModel.from_config(config)
        layers = [p for n, p in model.named_parameters() if "layer" in n]
        counts.append(sum(p.numel() for p in layers))
    assert 0.95 < counts[0] / counts[1] < 1.1
