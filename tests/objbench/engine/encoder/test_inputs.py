"""The longest input and the token types of every family, by really running it."""

from __future__ import annotations

import logging

import pytest
import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from objbench.engine.encoder.build import build_encoder
from objbench.engine.encoder.inputs import longest_input, require_readable, takes_token_types
from objbench.errors import ConfigError
from objbench.study.settings import EncoderSection
from objbench.study.study import build_study

SIZE = build_study(
    [
        {"objectives": ["mlm"], "budget": "1-steps"},
        {"encoder": {"width": 48, "layers": 1, "heads": 4}},
    ],
    "the test",
).encoder.config | {"max_position_embeddings": 20}
OWN = {
    "luke": {"entity_vocab_size": 10, "entity_emb_size": 16},
    "roc_bert": {"shape_vocab_size": 9},
}
ROTARY = {"esmc", "eurobert", "gte", "jina_embeddings_v3", "modernbert", "neomme", "nomic_bert"} | {
    "ultrabert"
}
FROM_PADDING = {
    *("camembert", "data2vec-text", "esm", "ibert", "longformer", "luke", "mpnet", "roberta"),
    *("roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl"),
}
NOT_HERE = {
    *("bart", "mbart", "mvp", "modernvbert", "ultravbert", "perceiver"),  # no plain text encoders
    *("funnel", "reformer"),  # other sizes
    "xmod",  # needs a language
    "tapas",  # begins a new position in every cell of a table
}


def built(family, tiny, length=12):
    config = {**SIZE, **OWN.get(family, {})}
    section = EncoderSection(model_type=family, config=config)
    return build_encoder(section, tiny.VOCABULARY, length, seed=0).eval()


def runs(encoder, length):
    try:
        with torch.no_grad():
            encoder(input_ids=torch.full((1, length), 9))
    except (IndexError, RuntimeError):
        return False
    return True


@pytest.mark.parametrize("family", sorted({*MODEL_FOR_MASKED_LM_MAPPING_NAMES} - NOT_HERE))
def test_the_longest_input_is_the_longest_that_runs(family, tiny, caplog):
    caplog.set_level(logging.CRITICAL)
    encoder = built(family, tiny)
    longest = longest_input(encoder)
    if family in ROTARY:
        assert longest is None and runs(encoder, 40)
        return
    pad = 1 if family == "mpnet" else tiny.VOCABULARY.pad
    assert longest == 20 - (pad + 1) * (family in FROM_PADDING)
    assert runs(encoder, longest) and not runs(encoder, longest + 1)
    # As many positions are made as the sequences need.
    assert longest_input(built(family, tiny, length=24)) == 24


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        *[(name, True) for name in ("bert", "electra", "albert", "nomic_bert", "big_bird")],
        *[(name, False) for name in ("roberta", "xlm-roberta", "camembert", "distilbert")],
        *[(name, False) for name in ("deberta-v2", "modernbert", "eurobert", "mpnet", "gte")],
    ],
)
def test_who_has_token_types(family, expected, tiny):
    assert takes_token_types(built(family, tiny)) == expected


def test_no_token_types_where_there_is_one(tiny):
    section = EncoderSection(model_type="bert", config={**SIZE, "type_vocab_size": 1})
    assert not takes_token_types(build_encoder(section, tiny.VOCABULARY, 12, seed=0))


def test_an_encoder_that_needs_more_than_token_ids_is_refused(tiny):
    config = {**SIZE, "languages": ["en_XX"]}
    for language in (None, "en_XX"):
        section = EncoderSection(model_type="xmod", config={**config, "default_language": language})
        with torch.device("meta"):
            encoder = build_encoder(section, tiny.VOCABULARY, 12, seed=0)
        if language:
            require_readable(encoder, 12)
            continue
        with pytest.raises(ConfigError, match="encoder 'xmod' does not read token ids alone") as no:
            require_readable(encoder, 12)
        assert "\n" not in str(no.value)


def test_relative_positions_alone_set_no_limit(tiny):
    section = EncoderSection(
        model_type="deberta-v2",
        config={**SIZE, "relative_attention": True, "position_biased_input": False},
    )
    encoder = build_encoder(section, tiny.VOCABULARY, 12, seed=0).eval()
    assert longest_input(encoder) is None and runs(encoder, 40)
