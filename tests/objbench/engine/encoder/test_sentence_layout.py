"""`sentence-transformers` loads an export, and its vectors are the means that suites compute."""

import json

import numpy as np
import pytest
import torch

from objbench.engine.encoder.build import build_encoder, encoder_spec_of
from objbench.engine.encoder.checkpoint_source import read_checkpoint_source
from objbench.engine.encoder.export import export_encoder
from objbench.engine.encoder.load import load_encoder, load_tokenizer
from objbench.results.sealed_folder import damage
from objbench.study.settings import EncoderSection
from objbench_objectives.mlm import MaskedLanguageModeling

TEXTS = ["the red dog sees a house .", "a cat", "the bird"]


@pytest.fixture(params=["bert", "modernbert", "roberta"])
def exported(request, make_checkpoint, tmp_path):
    """(folder of an export of one family, its digest)."""
    first = make_checkpoint(request.param)
    source = read_checkpoint_source(str(first))
    section = EncoderSection(
        model_type=source.model_type, init=str(first), init_digest=source.digest
    )
    tokenizer = load_tokenizer(first)
    encoder = build_encoder(section, tokenizer.vocabulary(), 16, seed=0)
    spec = encoder_spec_of(encoder, tokenizer.vocabulary())
    objective = MaskedLanguageModeling(MaskedLanguageModeling.Config(), spec)
    folder = tmp_path / "step-1"
    return folder, export_encoder(encoder, tokenizer.hf, folder, objective)


def means(folder):
    """(N, D), by the definition: the mean over the tokens that are not padding, one text at a time."""
    encoder, tokenizer = load_encoder(folder).eval(), load_tokenizer(folder).hf
    with torch.no_grad():
        return np.stack(
            [
                encoder(input_ids=tokenizer(text, return_tensors="pt").input_ids)
                .last_hidden_state[0]
                .mean(dim=0)
                .numpy()
                for text in TEXTS
            ]
        )


def test_the_files_say_mean_pooling_over_the_encoder(exported):
    folder, digest = exported
    modules = json.loads((folder / "modules.json").read_text())
    assert [(one["idx"], one["path"], one["type"]) for one in modules] == [
        (0, "", "sentence_transformers.models.Transformer"),
        (1, "1_Pooling", "sentence_transformers.models.Pooling"),
    ]
    pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
    assert pooling["word_embedding_dimension"] == 16
    assert [name for name, on in pooling.items() if on is True] == ["pooling_mode_mean_tokens"]
    assert damage(folder, digest) == ""
    assert "SentenceTransformer(folder)" in (folder / "README.md").read_text()


def test_sentence_transformers_gives_the_means_of_the_states(exported):
    library = pytest.importorskip(
        "sentence_transformers", reason="needs pip install -e '.[sentences]'"
    )
    folder, _ = exported
    model = library.SentenceTransformer(str(folder), device="cpu")
    found = model.encode(TEXTS, batch_size=3, show_progress_bar=False)
    np.testing.assert_allclose(found, means(folder), atol=1e-5)
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling"]
    assert getattr(model[0].auto_model, "pooler", None) is None
    assert len({tuple(np.round(row, 3)) for row in found}) == len(TEXTS)
