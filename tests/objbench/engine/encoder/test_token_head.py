"""The token head beside an exported encoder: what is written, what is read back, what is refused."""

import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModel

from objbench.blocks.heads import TokenHead
from objbench.contract.objective import TokenReading
from objbench.engine.encoder.build import build_encoder, encoder_spec_of
from objbench.engine.encoder.export import export_encoder
from objbench.engine.encoder.token_head import (
    MODEL_WEIGHTS,
    SETTINGS,
    WEIGHTS,
    has_token_head,
    load_token_head,
    save_token_head,
)
from objbench.errors import CheckpointError
from objbench_objectives.clm import CausalLanguageModeling
from objbench_objectives.hybrid import HybridLanguageModeling
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.rtd import ReplacedTokenDetection


@pytest.fixture
def encoder(tiny):
    return build_encoder(tiny.encoder_section(), tiny.VOCABULARY, tiny.LENGTH, seed=0)


@pytest.fixture
def export(tiny, encoder, tmp_path):
    """(objective class) -> (folder, the objective)."""

    def make(kind):
        objective = kind(kind.Config(), encoder_spec_of(encoder, tiny.VOCABULARY))
        folder = tmp_path / kind.name
        export_encoder(encoder, tiny.tokenizer(tmp_path), folder, objective)
        return folder, objective

    return make


def test_the_head_that_is_read_back_says_what_the_trained_one_says(export, encoder, tiny):
    folder, objective = export(MaskedLanguageModeling)
    before = torch.random.get_rng_state()
    head, reading = load_token_head(folder, tiny.VOCABULARY)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert reading == TokenReading("own", "bidirectional") and not reading.is_left_to_right
    states, words = torch.randn(3, 5, 16), encoder.get_input_embeddings().weight
    assert torch.equal(head(states, words), objective.token_head(states, words))


@pytest.mark.parametrize("kind", [CausalLanguageModeling, HybridLanguageModeling])
def test_what_was_trained_under_a_causal_mask_is_loaded_seeing_both_ways(export, tiny, kind):
    folder, _ = export(kind)
    loaded = AutoModel.from_pretrained(folder).eval()
    ids = torch.arange(5, 5 + tiny.LENGTH).unsqueeze(0)
    other = ids.clone()
    other[0, -1] += 1
    with torch.no_grad():
        one, changed = (loaded(input_ids=x).last_hidden_state[0, 0] for x in (ids, other))
    assert not torch.allclose(one, changed)


IN_MODEL = {
    "dense.weight": "cls.predictions.transform.dense.weight",
    "dense.bias": "cls.predictions.transform.dense.bias",
    "norm.weight": "cls.predictions.transform.LayerNorm.weight",
    "norm.bias": "cls.predictions.transform.LayerNorm.bias",
    "bias": "cls.predictions.bias",
}


def test_the_settings_say_how_to_rebuild_and_read_it(export, encoder, tmp_path):
    folder, objective = export(MaskedLanguageModeling)
    expected = {
        "version": 2,
        "width": 16,
        "embedding_width": 16,
        "words": 65,
        "activation": "gelu",
        "norm_epsilon": 1e-12,
        "reads": "own",
        "attention": "bidirectional",
    }
    assert json.loads((folder / SETTINGS).read_text()) == {**expected, "in_model": IN_MODEL}
    assert not (folder / WEIGHTS).exists()
    save_token_head(objective, tmp_path)
    assert json.loads((tmp_path / SETTINGS).read_text()) == {**expected, "in_model": {}}
    assert set(load_file(tmp_path / WEIGHTS)) == set(IN_MODEL)


def test_an_objective_without_a_head_exports_none(export, tiny):
    folder, _ = export(ReplacedTokenDetection)
    assert not has_token_head(folder) and not (folder / WEIGHTS).exists()
    with pytest.raises(CheckpointError, match="holds no token head: its objective predicts no"):
        load_token_head(folder, tiny.VOCABULARY)


def test_a_head_of_another_class_stays_behind(encoder, tiny, tmp_path):
    class Other(TokenHead):
        pass

    encoder_spec = encoder_spec_of(encoder, tiny.VOCABULARY)
    for head in (nn.Linear(16, 65), Other(encoder_spec)):
        objective = SimpleNamespace(
            token_head=head, token_reading=TokenReading(), encoder_spec=encoder_spec
        )
        save_token_head(objective, tmp_path)
        assert not list(tmp_path.iterdir())


def test_only_causal_from_the_position_before_is_left_to_right():
    assert TokenReading("previous", "causal").is_left_to_right
    assert not TokenReading("previous", "bidirectional").is_left_to_right
    assert not TokenReading("own", "causal").is_left_to_right


def _other_activation(folder):
    path = folder / SETTINGS
    path.write_text(path.read_text().replace('"gelu"', '"no such"'))


def _cut(folder):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:50])


def _other_width(folder):
    weights = load_file(folder / WEIGHTS)
    name = next(name for name in weights if name.endswith("predictions.bias") or name == "bias")
    save_file({**weights, name: weights[name][:10].clone()}, folder / WEIGHTS)


def _another_name(folder):
    path = folder / SETTINGS
    path.write_text(path.read_text().replace("cls.predictions.bias", "cls.bias"))


@pytest.mark.parametrize("layout", ["of its own", "in the model"])
@pytest.mark.parametrize(
    "damage",
    [
        _cut,
        _other_width,
        _another_name,
        _other_activation,
        lambda folder: (folder / WEIGHTS).unlink(),
        lambda folder: (folder / SETTINGS).write_text("{}"),
    ],
)
def test_a_damaged_head_is_named_in_one_line(damage, layout, export, tiny, monkeypatch):
    folder, objective = export(MaskedLanguageModeling)
    if layout == "of its own" and damage is not _another_name:
        save_token_head(objective, folder)
    else:
        monkeypatch.setitem(globals(), "WEIGHTS", MODEL_WEIGHTS)
    damage(folder)
    with pytest.raises(CheckpointError, match="token head that cannot be read") as caught:
        load_token_head(folder, tiny.VOCABULARY)
    assert "\n" not in str(caught.value)
