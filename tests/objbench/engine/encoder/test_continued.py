"""A checkpoint is continued with its own encoder and head, or refused in one line."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForMaskedLM

from objbench.data.tokenizer import TokenizerHandle
from objbench.engine.encoder import checkpoint_source, token_head
from objbench.engine.encoder.build import build_encoder, encoder_spec_of, word_embeddings
from objbench.engine.encoder.checkpoint_source import read_checkpoint_source
from objbench.engine.encoder.continued_head import continue_head
from objbench.engine.encoder.export import export_encoder
from objbench.engine.encoder.load import load_language_model, load_tokenizer
from objbench.errors import CheckpointError, ConfigError, ObjbenchError
from objbench.study.settings import EncoderSection
from objbench_objectives.clm import CausalLanguageModeling
from objbench_objectives.mae import MaskedAutoencoder
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.rtd import ReplacedTokenDetection

FAMILIES = ["bert", "modernbert", "roberta", "electra", "distilbert", "deberta-v2"]
LENGTH = 16


def section_of(folder):
    source = read_checkpoint_source(str(folder))
    return EncoderSection(model_type=source.model_type, init=str(folder), init_digest=source.digest)


def continued(folder, kind=MaskedLanguageModeling):
    """(encoder, objective, why its head is new) of the checkpoint in ``folder``."""
    section, vocabulary = section_of(folder), load_tokenizer(folder).vocabulary()
    encoder = build_encoder(section, vocabulary, LENGTH, seed=0).eval()
    objective = kind(kind.Config(), encoder_spec_of(encoder, vocabulary))
    return encoder, objective, continue_head(objective, section)


def a_batch(folder):
    made = load_tokenizer(folder).hf(["the red dog sees a house .", "a cat"], padding=True)
    return torch.tensor(made["input_ids"]), torch.tensor(made["attention_mask"])


def copied(folder, tmp_path):
    """A copy of a checkpoint, to be changed."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


@pytest.mark.parametrize("family", FAMILIES)
def test_encoder_and_head_give_the_logits_of_transformers(family, make_checkpoint):
    folder = make_checkpoint(family)
    encoder, objective, why = continued(folder)
    assert why == ""
    ids, mask = a_batch(folder)
    with torch.no_grad():
        states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        ours = objective.token_head(states, word_embeddings(encoder))
        model = AutoModelForMaskedLM.from_pretrained(folder, use_safetensors=True).eval()
        theirs = model(input_ids=ids, attention_mask=mask).logits
    assert float(theirs.std()) > 0.05
    torch.testing.assert_close(ours[mask.bool()], theirs[mask.bool()], atol=1e-5, rtol=1e-4)


def test_building_the_encoder_draws_nothing(make_checkpoint):
    folder = make_checkpoint("bert")
    state = torch.random.get_rng_state()
    build_encoder(section_of(folder), load_tokenizer(folder).vocabulary(), LENGTH, seed=0)
    assert torch.equal(state, torch.random.get_rng_state())


def test_what_objbench_exported_is_continued_with_its_head(make_checkpoint, tmp_path):
    first = make_checkpoint("bert")
    encoder, objective, _ = continued(first)
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter += torch.randn(parameter.shape)
    folder = tmp_path / "step-7"
    export_encoder(encoder, load_tokenizer(first).hf, folder, objective)
    again, head, why = continued(folder, CausalLanguageModeling)
    assert why == ""
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
    for name, tensor in objective.token_head.state_dict().items():
        assert torch.equal(tensor, head.token_head.state_dict()[name])
    # And the other way: what transformers reads of the export are the same logits.
    ids, mask = a_batch(folder)
    with torch.no_grad():
        states = again(input_ids=ids, attention_mask=mask).last_hidden_state
        ours = head.token_head(states, word_embeddings(again))
        theirs = load_language_model(folder)(input_ids=ids, attention_mask=mask).logits
    torch.testing.assert_close(ours[mask.bool()], theirs[mask.bool()], atol=1e-5, rtol=1e-4)


def test_an_encoder_without_its_head_is_continued_with_a_new_one(make_checkpoint, tmp_path):
    folder = copied(make_checkpoint("bert"), tmp_path)
    AutoModel.from_pretrained(folder, use_safetensors=True).save_pretrained(folder)
    encoder, objective, why = continued(folder)
    assert why.startswith("the checkpoint has no head (no cls.predictions.")
    assert torch.equal(objective.token_head.bias, torch.zeros_like(objective.token_head.bias))
    assert torch.equal(
        word_embeddings(encoder),
        load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"],
    )


def test_a_head_that_computes_something_else_stays_new(make_checkpoint):
    folder = make_checkpoint("modernbert", classifier_activation="relu")
    _, _, why = continued(folder)
    assert why == "the head of ModernBertForMaskedLM computes something else"


def test_untied_embeddings_have_no_head_of_ours(make_checkpoint):
    _, _, why = continued(make_checkpoint("bert", tie_word_embeddings=False))
    assert why.startswith("BertForMaskedLM has no head of one linear layer")


@pytest.mark.parametrize("kind", [ReplacedTokenDetection, MaskedAutoencoder])
def test_other_heads_are_new(kind, make_checkpoint):
    _, objective, why = continued(make_checkpoint("bert"), kind)
    assert bool(why) == (type(objective.token_head) is not token_head.TokenHead)


def test_on_no_device_it_has_shapes_alone(make_checkpoint):
    folder = make_checkpoint("roberta")
    section, vocabulary = section_of(folder), load_tokenizer(folder).vocabulary()
    with torch.device("meta"):
        shapes = build_encoder(section, vocabulary, LENGTH, seed=0).state_dict()
    real = build_encoder(section, vocabulary, LENGTH, seed=0).state_dict()
    assert {name: t.shape for name, t in shapes.items()} == {n: t.shape for n, t in real.items()}
    assert all(tensor.is_meta for name, tensor in shapes.items() if "position_ids" not in name)


# -- what identifies it


def test_the_digest_is_of_weights_and_configuration_and_not_of_the_place(make_checkpoint, tmp_path):
    folder = make_checkpoint("bert")
    copy = copied(folder, tmp_path)
    digest = read_checkpoint_source(str(folder)).digest
    assert read_checkpoint_source(str(copy)).digest == digest
    (copy / "notes.txt").write_text("of no matter")
    assert read_checkpoint_source(str(copy)).digest == digest
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "hidden_dropout_prob": 0.0}))
    other = read_checkpoint_source(str(copy)).digest
    weights = load_file(copy / "model.safetensors")
    name = min(weights)
    save_file({**weights, name: weights[name] + 1}, copy / "model.safetensors")
    assert len({digest, other, read_checkpoint_source(str(copy)).digest}) == 3


def test_a_checkpoint_that_has_changed_is_refused(make_checkpoint, tmp_path):
    folder = copied(make_checkpoint("bert"), tmp_path)
    section, vocabulary = section_of(folder), load_tokenizer(folder).vocabulary()
    weights = load_file(folder / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in weights.items()}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="is not the one that the study began with"):
        build_encoder(section, vocabulary, LENGTH, seed=0)


def test_the_name_of_the_exported_head_is_that_of_the_digest():
    assert checkpoint_source.TOKEN_HEAD == token_head.SETTINGS
    assert token_head.WEIGHTS in checkpoint_source._WANTED


# -- what is refused


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def without_weights(folder):
    (folder / "model.safetensors").unlink()


def without_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def an_adapter(folder):
    (folder / "adapter_config.json").write_text("{}")


def without_a_layer(folder):
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if "intermediate" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def changed_config(**changes):
    def change(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))

    change.__name__ = min(changes)
    return change


def broken_config(folder):
    (folder / "config.json").write_text("{")


def shards_elsewhere(folder):
    (folder / "model.safetensors").rename(folder.parent / "far.safetensors")
    index = {"weight_map": {"bert.x": "../far.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def damaged(folder):
    (folder / "model.safetensors").write_bytes(b"\xff" * 64)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            pickled,
            "has its weights in pytorch_model.bin only, and reading that format can run code",
        ),
        (without_weights, "holds no weights: model.safetensors is missing"),
        (without_tokenizer, "holds no tokenizer"),
        (an_adapter, "is an adapter"),
        (without_a_layer, "lacks 2 weights of its encoder"),
        (changed_config(quantization_config={"bits": 4}), "is quantized"),
        (changed_config(model_type=3), "config.json names no model_type"),
        (changed_config(model_type="gpt2"), "is a 'gpt2', which is not a text encoder"),
        (
            changed_config(model_type="their-own", auto_map={"AutoModel": "x.Y"}),
            "not a text encoder",
        ),
        (changed_config(hidden_size=24), "that transformers can load"),
        (changed_config(max_position_embeddings=8), "that transformers can load|at most 8 tokens"),
        (broken_config, r"config.json cannot be read"),
        (
            shards_elsewhere,
            "../far.safetensors, of model.safetensors.index.json, is not in its folder",
        ),
        (damaged, "that transformers can load"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_cannot_be_continued_is_refused_in_one_line(change, told, make_checkpoint, tmp_path):
    folder = copied(make_checkpoint("bert"), tmp_path)
    vocabulary = load_tokenizer(folder).vocabulary()
    change(folder)
    with pytest.raises(ObjbenchError, match=told) as caught:
        build_encoder(section_of(folder), vocabulary, LENGTH, seed=0)
    assert "\n" not in str(caught.value)


def test_sequences_are_no_longer_than_its_positions(make_checkpoint):
    folder = make_checkpoint("roberta")
    section, vocabulary = section_of(folder), load_tokenizer(folder).vocabulary()
    assert build_encoder(section, vocabulary, 62, seed=0)
    with pytest.raises(ConfigError, match="takes at most 62 tokens, and sequences have 63"):
        build_encoder(section, vocabulary, 63, seed=0)


def test_a_tokenizer_of_another_model_is_refused(make_checkpoint, families):
    section = section_of(make_checkpoint("bert"))
    other = TokenizerHandle(name="other", fingerprint="", hf=families.roberta()).vocabulary()
    with pytest.raises(ConfigError, match="they do not belong together"):
        build_encoder(section, other, LENGTH, seed=0)
