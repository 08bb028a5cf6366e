"""An encoder is read once for all that evaluates it in turn, and every evaluation has its own."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from objbench.contract.suite import EvaluationContext
from objbench.engine.encoder import load as exported_encoder
from objbench.engine.encoder.load import fresh_encoder, load_encoder, load_tokenizer
from objbench.engine.evaluation.embed import embed
from objbench.engine.evaluation.examples import Examples, Source
from objbench.engine.evaluation.finetune import finetune
from objbench.engine.evaluation.recipe import Recipe
from objbench.errors import CheckpointError

RECIPE = Recipe(learning_rate=1e-2, batch=8, epochs=1, length=12)
TASKS = {
    "first": Examples(["good dog", "bad cat", "the bird runs"] * 8, None, np.arange(24) % 3),
    "second": Examples(["a house", "red bird sees"] * 8, ["one", "two"] * 8, np.arange(16) % 2),
}


@pytest.fixture(autouse=True)
def nothing_kept():
    exported_encoder._kept.clear()
    yield
    exported_encoder._kept.clear()


@pytest.fixture
def reads(monkeypatch):
    """The folders that were read, in order."""
    seen = []
    whole = AutoModel.from_pretrained

    def counted(folder, **options):
        seen.append(str(folder))
        return whole(folder, **options)

    monkeypatch.setattr(AutoModel, "from_pretrained", counted)
    return seen


class Tokenised:
    """Sources of the tasks that count how often their sentences are asked for."""

    def __init__(self):
        self.asked = dict.fromkeys(TASKS, 0)

    def source(self, name):
        def load():
            self.asked[name] += 1
            return TASKS[name]

        return Source(TASKS[name].fingerprint, load)


def evaluate(encoder, tokenised, task, seed, cache):
    sources = tokenised.source(task), {"held": tokenised.source(task)}
    context = EvaluationContext(cache=cache)
    return finetune(encoder, *sources, 3, RECIPE, seed, context).logits["held"]


def test_all_cells_of_an_encoder_read_it_once_and_tokenise_each_set_once(
    tiny_encoder, make_encoder, reads, tmp_path
):
    tokenised = Tokenised()
    other = make_encoder(seed=5)
    for encoder in (tiny_encoder, other):
        for task in TASKS:
            for seed in (0, 1):
                evaluate(encoder, tokenised, task, seed, tmp_path)
        embed(encoder, {"held": tokenised.source("first")}, 12, EvaluationContext(cache=tmp_path))
    assert reads == [str(tiny_encoder), str(other)]
    assert tokenised.asked == {"first": 1, "second": 1}


def test_what_is_measured_does_not_depend_on_what_was_measured_before(tiny_encoder, tmp_path):
    cells = [("first", 0), ("second", 1), ("first", 1)]
    in_turn = [evaluate(tiny_encoder, Tokenised(), *cell, tmp_path) for cell in cells]
    for cell, logits in zip(cells, in_turn, strict=True):
        exported_encoder._kept.clear()
        np.testing.assert_array_equal(evaluate(tiny_encoder, Tokenised(), *cell, tmp_path), logits)


def test_the_weights_are_those_of_the_file_whatever_became_of_an_earlier_copy(tiny_encoder):
    spoilt = fresh_encoder(tiny_encoder)
    spoilt.config.hidden_size = 1
    with torch.no_grad():
        for parameter in spoilt.parameters():
            parameter.zero_()
    again, read = fresh_encoder(tiny_encoder), load_encoder(tiny_encoder)
    assert again.config.to_dict() == read.config.to_dict()
    assert again.state_dict().keys() == read.state_dict().keys()
    for name, tensor in read.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


def test_another_dropout_or_another_export_into_the_folder_is_read_again(
    tiny_encoder, reads, tmp_path
):
    folder = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, folder)
    fresh_encoder(folder)
    fresh_encoder(folder)
    assert len(reads) == 1
    assert fresh_encoder(folder, 0.3).config.hidden_dropout_prob == 0.3
    assert len(reads) == 2
    weights = {n: torch.ones_like(t) for n, t in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "new", metadata={"format": "pt"})
    (folder / "new").replace(folder / "model.safetensors")
    assert all((tensor == 1).all() for tensor in fresh_encoder(folder, 0.3).parameters())
    assert len(reads) == 3


def test_it_draws_nothing_and_a_broken_folder_keeps_nothing(tiny_encoder, tmp_path):
    before = torch.get_rng_state()
    fresh_encoder(tiny_encoder)
    assert torch.equal(torch.get_rng_state(), before)
    for _ in range(2):
        with pytest.raises(CheckpointError, match="not a folder"):
            fresh_encoder(tmp_path / "absent")
    assert not exported_encoder._kept


class Planted:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_weights_are_never_read(tiny_encoder, tmp_path):
    folder, mark = shutil.copytree(tiny_encoder, tmp_path / "encoder"), tmp_path / "mark"
    weights = load_file(folder / "model.safetensors")
    with (folder / "pytorch_model.bin").open("wb") as file:
        pickle.dump(Planted(mark), file)
    found = dict(load_encoder(folder).named_parameters())
    assert all(torch.equal(found[name], weights[name]) for name in found)
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_encoder(folder)
    assert not mark.exists()


@pytest.mark.parametrize("load", [load_encoder, load_tokenizer])
def test_code_in_the_folder_is_never_run(tiny_encoder, tmp_path, load):
    folder, mark = shutil.copytree(tiny_encoder, tmp_path / "encoder"), tmp_path / "mark"
    (folder / "planted.py").write_text(f"open({str(mark)!r}, 'w')\nclass C: pass\n")
    classes = {
        "config.json": {"AutoConfig": "planted.C", "AutoModel": "planted.C"},
        "tokenizer_config.json": {"AutoTokenizer": ["planted.C", "planted.C"]},
    }
    for name, auto_map in classes.items():
        fields = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**fields, "auto_map": auto_map}))
    load(folder)  # By transformers' own classes; of an architecture it lacks, nothing is loaded.
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "planted"}))
    fields = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(
        json.dumps({**fields, "tokenizer_class": "Planted"})
    )
    with pytest.raises(CheckpointError):
        load_encoder(folder)
    assert not mark.exists()
