"""Encoders: same start for every objective, any model type, clear errors, loadable exports."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from objbench.engine.encoder.build import (
    build_encoder,
    build_objective,
    encoder_spec_of,
    word_embeddings,
)
from objbench.engine.encoder.export import export_encoder
from objbench.engine.encoder.inputs import require_readable
from objbench.engine.training.session import Session
from objbench.errors import ConfigError
from objbench.study.settings import EncoderSection
from objbench.study.study import build_study

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def same(left, right) -> bool:
    return all(torch.equal(left[name], right[name]) for name in left) and set(left) == set(right)


def test_two_objectives_start_from_the_same_encoder(tiny, tmp_path):
    one = Session(tiny.tiny_job(tmp_path, "tiny")).module
    torch.rand(7)
    two = Session(tiny.tiny_job(tmp_path, "tiny-both")).module
    assert same(one.encoder.state_dict(), two.encoder.state_dict())
    other = Session(tiny.tiny_job(tmp_path, "tiny", seed=1)).module
    assert not same(one.encoder.state_dict(), other.encoder.state_dict())
    assert torch.equal(one.objective.terms[0].dense.weight, two.objective.terms[0].dense.weight)


def test_building_leaves_the_global_generator_alone(tiny):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    encoder = build_encoder(tiny.encoder_section(), tiny.VOCABULARY, 12, seed=0)
    encoder_spec = encoder_spec_of(encoder, tiny.VOCABULARY)
    build_objective(tiny.TinyMlm, tiny.TinyMlm.Config(), encoder_spec, seed=0)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("model_type", "extra"),
    [
        ("bert", {}),
        ("roberta", {}),
        ("modernbert", {}),
        ("electra", {"embedding_size": 8}),
        ("deberta-v2", {}),
        ("albert", {"embedding_size": 8}),
        ("distilbert", {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32}),
        ("mpnet", {}),
    ],
)
def test_any_text_encoder_runs_at_full_length(tiny, model_type, extra):
    plain = {} if model_type == "distilbert" else SMALL
    section = EncoderSection(
        model_type=model_type, config={**plain, **extra, "max_position_embeddings": 8}
    )
    encoder = build_encoder(section, tiny.VOCABULARY, length=20, seed=0)
    ids = torch.full((2, 20), 9)
    assert encoder(input_ids=ids).last_hidden_state.shape == (2, 20, 16)
    assert encoder.config.pad_token_id == 0
    assert not any("pooler" in name for name, _ in encoder.named_parameters())
    encoder_spec = encoder_spec_of(encoder, tiny.VOCABULARY)
    assert (encoder_spec.width, encoder_spec.embedding_width) == (
        16,
        extra.get("embedding_size", 16),
    )
    assert word_embeddings(encoder).shape[0] == tiny.VOCABULARY.size


def test_more_positions_than_the_length_are_kept(tiny):
    encoder = build_encoder(tiny.encoder_section(), tiny.VOCABULARY, length=12, seed=0)
    assert encoder.config.max_position_embeddings == 16


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (EncoderSection(model_type="brt"), "did you mean 'bert'"),
        (EncoderSection(model_type="gpt2"), "not a text encoder"),
        (EncoderSection(model_type="bart"), "has a decoder"),
        (EncoderSection(config={"hiden_size": 16}), "did you mean 'hidden_size'"),
        (EncoderSection(config={"vocab_size": 16}), "set from the tokenizer"),
        (EncoderSection(config={"hidden_size": "wide"}), "not a positive whole number"),
        (EncoderSection(config={"hidden_size": 10, "num_attention_heads": 3}), "multiple"),
        (
            EncoderSection(config={"hidden_act": "gelo"}),
            r"does not fit 'bert': .*'gelo'.* \(encoder.config.hidden_act = 'gelo'\)",
        ),
        (
            EncoderSection(model_type="modernbert", config={"hidden_activation": "nope"}),
            r"'nope' \(encoder.config.hidden_activation = 'nope'\)",
        ),
        (
            EncoderSection(
                model_type="modernbert", config={"hidden_size": 24, "num_attention_heads": 8}
            ),
            "encoder.heads = 8: each is 3 wide, and rotary positions turn pairs",
        ),
        (EncoderSection(config={"layer_norm_eps": -1}), "layer_norm_eps = -1 is negative"),
        (
            EncoderSection(model_type="modernbert", config={"local_attention": -3}),
            "local_attention = -3 is negative; transformers' own value is 128",
        ),
        (
            EncoderSection(config={"num_hidden_layers": 10**9}),
            "num_hidden_layers = 1,000,000,000 is too large: at most 1,000",
        ),
        (
            EncoderSection(model_type="distilbert", config={"n_layers": 10**9}),
            "n_layers = 1,000,000,000 is",
        ),
    ],
)
def test_a_bad_section_is_one_clear_line(tiny, section, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build_encoder(section, tiny.VOCABULARY, 12, seed=0)
    assert "\n" not in str(caught.value)


def test_an_export_is_an_ordinary_folder(tiny, tmp_path):
    encoder = build_encoder(tiny.encoder_section(), tiny.VOCABULARY, 12, seed=0).eval()
    folder = tmp_path / "encoders" / "step-3"
    for _ in range(2):
        # A second export replaces the first.
        export_encoder(encoder, tiny.tokenizer(tmp_path), folder)
    loaded, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert all("pooler" in name for name in info["missing_keys"])
    ids = torch.randint(5, 60, (2, 12))
    with torch.no_grad():
        expected = encoder(input_ids=ids).last_hidden_state
        torch.testing.assert_close(loaded.eval()(input_ids=ids).last_hidden_state, expected)
    assert AutoTokenizer.from_pretrained(folder)("w1 w2")["input_ids"] == [2, 6, 7, 3]
    assert [path.name for path in folder.parent.iterdir()] == ["step-3"]


def test_a_failed_export_leaves_nothing(tiny, tmp_path):
    encoder = build_encoder(tiny.encoder_section(), tiny.VOCABULARY, 12, seed=0)
    with pytest.raises(AttributeError):
        export_encoder(encoder, None, tmp_path / "step-1")
    assert list(tmp_path.iterdir()) == []


# What transformers lists beside plain text encoders: several networks, or sizes that must fit
# together in ways of their own.
NOT_SIZED_BY_THREE_NUMBERS = {
    *("bart", "mbart", "mvp"),  # with a decoder
    *("modernvbert", "ultravbert", "perceiver"),
    "funnel",  # blocks of layers, each on half as many tokens
    "reformer",  # axial position embeddings
}


def test_every_family_is_built_in_the_size_asked_for(tiny):
    size = build_study(
        [
            {"objectives": ["mlm"], "budget": "1-steps"},
            {"encoder": {"width": 48, "layers": 2, "heads": 4}},
        ],
        "the test",
    ).encoder.config
    for family in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        if family in NOT_SIZED_BY_THREE_NUMBERS:
            continue
        section = EncoderSection(model_type=family, config=size)
        with torch.device("meta"):
            encoder = build_encoder(section, tiny.VOCABULARY, 12, seed=0)
        if family != "xmod":  # which needs a language
            require_readable(encoder, 12)
        assert encoder.config.hidden_size == 48, family
        assert encoder.config.num_hidden_layers == 2, family
        if family != "fnet":  # which has no attention
            assert encoder.config.num_attention_heads == 4, family
        # No family keeps a feed-forward layer, a table or a stack of its default size.
        assert sum(p.numel() for p in encoder.parameters()) < HUGE.get(family, 2_000_000), family


# Tables of entities, shapes and hashes that are no part of the encoder's size.
HUGE = {"luke": 2e8, "roc_bert": 2e7}
