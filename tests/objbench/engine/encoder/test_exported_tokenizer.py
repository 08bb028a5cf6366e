"""The exported tokenizer fits its encoder, also where the two are of different families."""

from __future__ import annotations

import json

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from tokenizers.processors import ByteLevel, Sequence, TemplateProcessing
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from objbench.data.tokenizer import TokenizerHandle
from objbench.engine.encoder.build import build_encoder
from objbench.engine.encoder.exported_tokenizer import exported_tokenizer, save_tokenizer
from objbench.study.settings import EncoderSection

SIZE = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 24,
}


def exported(tiny, family, tokenizer, folder):
    """(the encoder, its exported tokenizer as a user loads it)."""
    vocabulary = TokenizerHandle(name="t", fingerprint="", hf=tokenizer).vocabulary()
    section = EncoderSection(model_type=family, config=SIZE)
    encoder = build_encoder(section, vocabulary, 12, seed=0).eval()
    encoder.config.save_pretrained(folder)
    save_tokenizer(tokenizer, encoder, folder)
    return encoder, AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "modernbert", "mpnet"])
def test_any_family_takes_a_pair_that_berts_tokenizer_makes(family, tiny, tmp_path):
    tokenizer = tiny.tokenizer(tmp_path)
    # What a study's tokenizer may come with, and what no encoder here was pretrained with.
    tokenizer.padding_side = tokenizer.truncation_side = "left"
    tokenizer("w1 w2 w3", truncation=True, max_length=3, padding="max_length")
    encoder, loaded = exported(tiny, family, tokenizer, tmp_path)
    texts = ["w1 w2 " * 30, "w3"], ["w4", "w5 w6"]
    encoded = loaded(*texts, truncation=True, padding=True, return_tensors="pt")
    assert encoded["input_ids"][1].tolist()[:7] == [2, 8, 3, 10, 11, 3, 0]
    assert encoded["input_ids"][0, 1:4].tolist() == [6, 7, 6]
    assert encoded["input_ids"].shape[1] == loaded.model_max_length
    assert ("token_type_ids" in encoded) == (family == "bert")
    with torch.no_grad():
        assert encoder(**encoded).last_hidden_state.isfinite().all()


@pytest.mark.parametrize(
    "step",
    [
        ByteLevel(trim_offsets=True),
        # Of another family: types of its own, and the trimming is one of two steps.
        Sequence([ByteLevel(trim_offsets=True), TemplateProcessing("$A", "$A $B", [])]),
    ],
    ids=["alone", "among others"],
)
def test_a_template_is_added_and_byte_level_offsets_stay_trimmed(tiny, tmp_path, step):
    words = ["<pad>", "<s>", "</s>", "<mask>", "<unk>", "\u0120", "a", "b", "\u0120a"]
    backend = Tokenizer(models.BPE({w: i for i, w in enumerate(words)}, [("\u0120", "a")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.post_processor = step
    names = dict(zip(("pad", "cls", "sep", "mask", "unk"), words[:5], strict=True))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, **{f"{role}_token": token for role, token in names.items()}
    )
    _, loaded = exported(tiny, "bert", tokenizer, tmp_path)
    encoded = loaded("a a", "b", return_offsets_mapping=True)
    assert encoded["input_ids"] == [1, 6, 8, 2, 7, 2]
    assert encoded["token_type_ids"] == [0, 0, 0, 0, 1, 1]
    assert encoded["offset_mapping"][2] == (2, 3)


def test_further_tokens_and_the_study_s_own_tokenizer_are_kept(tiny, tmp_path):
    tokenizer = tiny.tokenizer(tmp_path)
    tokenizer.add_special_tokens({"extra_special_tokens": [AddedToken("<note>", lstrip=True)]})
    tokenizer.add_tokens(["two words"])
    before = tokenizer.backend_tokenizer.to_str()
    encoder, loaded = exported(tiny, "bert", tokenizer, tmp_path)
    text = "w1 <note> two words w2"
    assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert loaded.extra_special_tokens == ["<note>"]
    assert tokenizer.backend_tokenizer.to_str() == before
    again = exported_tokenizer(loaded, encoder)
    assert again.backend_tokenizer.to_str() == loaded.backend_tokenizer.to_str()


def test_earlier_versions_of_transformers_know_its_class(tiny, tmp_path):
    exported(tiny, "bert", tiny.tokenizer(tmp_path), tmp_path)
    written = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert written["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert written["model_max_length"] == 24
