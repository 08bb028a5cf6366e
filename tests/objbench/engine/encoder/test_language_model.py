"""An export is the language model that transformers has for its architecture, or says why not."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    pipeline,
)

from objbench.contract.batch import Batch, Rows
from objbench.engine.encoder import export, export_check
from objbench.engine.encoder.attention_mask import attention_mask
from objbench.engine.encoder.build import build_encoder, encoder_spec_of, word_embeddings
from objbench.engine.encoder.language_model import NoLanguageModelError, language_model
from objbench.engine.encoder.load import load_encoder, load_language_model
from objbench.engine.encoder.token_head import SETTINGS, WEIGHTS, load_token_head
from objbench.errors import CheckpointError
from objbench.study.settings import EncoderSection
from objbench_objectives.clm import CausalLanguageModeling
from objbench_objectives.coco_lm import CorrectingAndContrasting
from objbench_objectives.hybrid import HybridLanguageModeling
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.rtd import ReplacedTokenDetection
from objbench_objectives.taco import TokenAlignedMaskedLanguageModeling

SIZE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
NARROW = {"embedding_size": 8}
MASKED = {
    "bert": {},
    "roberta": {},
    "xlm-roberta": {},
    "distilbert": {},
    "electra": NARROW,
    "albert": NARROW,
    "deberta-v2": {},
    "modernbert": {},
    "nomic_bert": {},
    "squeezebert": {},
}
CAUSAL = {"bert": {}, "roberta": {}, "xlm-roberta": {}, "electra": NARROW}
IDS = torch.tensor([[2, 9, 4, 33, 64, 5, 12, 3], [2, 21, 4, 40, 3, 0, 0, 0]])
REAL = IDS != 0


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(export_check, "_known", {})


@pytest.fixture
def trained(tiny):
    """(model type, objective, configuration) -> encoder and objective, no weight as it began."""

    def make(family, kind=MaskedLanguageModeling, **config):
        section = EncoderSection(model_type=family, config={**SIZE, **config})
        encoder = build_encoder(section, tiny.VOCABULARY, tiny.LENGTH, seed=0).eval()
        objective = kind(kind.Config(), encoder_spec_of(encoder, tiny.VOCABULARY))
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in (*encoder.parameters(), *objective.parameters()):
                parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
        return encoder, objective

    return make


@pytest.fixture
def exported(tiny, tmp_path):
    def make(encoder, objective):
        folder = tmp_path / "step-1"
        export.export_encoder(encoder, tiny.tokenizer(tmp_path), folder, objective)
        return folder

    return make


def own_logits(encoder, objective, causal=False):
    """(B, T, V) of the modules that were trained."""
    batch = Batch(IDS, torch.zeros_like(REAL), REAL, Rows.alone(2))
    with torch.no_grad():
        mask = attention_mask(encoder, batch, causal)
        states = encoder(input_ids=IDS, attention_mask=mask).last_hidden_state
        return objective.token_head(states, word_embeddings(encoder))


def read_by(loader, folder, **options):
    """What a user of transformers gets, and the keys in the loader's report."""
    model, report = loader.from_pretrained(folder, output_loading_info=True, **options)
    kinds = ("missing_keys", "unexpected_keys", "mismatched_keys")
    return model, {kind: sorted(report[kind]) for kind in kinds if report[kind]}


def why_not(folder):
    text = (folder / "README.md").read_text()
    assert "It is the encoder alone." in text and "AutoModelFor" not in text
    return text


@pytest.mark.parametrize("family", MASKED)
def test_the_usual_loaders_compute_what_was_trained(trained, exported, tiny, family):
    encoder, objective = trained(family, **MASKED[family])
    folder = exported(encoder, objective)
    model, report = read_by(AutoModelForMaskedLM, folder)
    assert report == {}
    with torch.no_grad():
        found = model(input_ids=IDS, attention_mask=REAL.long()).logits
        again = load_encoder(folder)(input_ids=IDS, attention_mask=REAL.long()).last_hidden_state
    expected = own_logits(encoder, objective)
    torch.testing.assert_close(found[REAL], expected[REAL], rtol=1e-5, atol=1e-5)
    assert json.loads((folder / "config.json").read_text())["architectures"] == [
        type(model).__name__
    ]
    plain, report = read_by(AutoModel, folder)
    assert set(report) <= {"missing_keys", "unexpected_keys"}
    assert set(report["unexpected_keys"]) <= set(model.state_dict())
    assert all(name.startswith("pooler.") for name in report.get("missing_keys", ()))
    with torch.no_grad():
        states = plain(input_ids=IDS, attention_mask=REAL.long()).last_hidden_state
    assert torch.equal(states, again)
    # The suites' head is the trained one, bit for bit, also where the class has no place for a part.
    head, _ = load_token_head(folder, tiny.VOCABULARY)
    for name, tensor in objective.token_head.state_dict().items():
        assert torch.equal(head.state_dict()[name], tensor)
    assert (folder / WEIGHTS).exists() == (family == "modernbert")
    embeddings = word_embeddings(encoder).shape
    assert sum(t.shape == embeddings for t in load_file(folder / "model.safetensors").values()) == 1


@pytest.mark.parametrize("family", ["bert", "distilbert", "modernbert"])
def test_a_pipeline_fills_masks(trained, exported, tiny, family, caplog):
    encoder, objective = trained(family)
    folder = exported(encoder, objective)
    fill = pipeline("fill-mask", model=str(folder))
    best = fill("w1 [MASK] w5")[0]["token"]
    assert "LOAD REPORT" not in caplog.text
    ids = torch.tensor([[2, 6, 4, 10, 3]])
    with torch.no_grad():
        states = encoder(input_ids=ids).last_hidden_state[0, 2]
        assert best == int(objective.token_head(states, word_embeddings(encoder)).argmax())


def test_every_objective_with_such_a_head_is_exported_so(trained, exported):
    encoder, objective = trained("bert", TokenAlignedMaskedLanguageModeling)
    folder = exported(encoder, objective)
    with torch.no_grad():
        found = load_language_model(folder)(input_ids=IDS, attention_mask=REAL.long()).logits
    torch.testing.assert_close(found[REAL], own_logits(encoder, objective)[REAL])


@pytest.mark.parametrize("family", CAUSAL)
def test_a_causal_head_is_one_for_a_causal_loader(trained, exported, family):
    encoder, objective = trained(family, CausalLanguageModeling, **CAUSAL[family])
    folder = exported(encoder, objective)
    model, report = read_by(AutoModelForCausalLM, folder, is_decoder=True)
    assert report == {}
    with torch.no_grad():
        found = model(input_ids=IDS, attention_mask=REAL.long()).logits
    expected = own_logits(encoder, objective, causal=True)
    torch.testing.assert_close(found[REAL], expected[REAL], rtol=1e-5, atol=1e-5)
    assert (
        "AutoModelForCausalLM.from_pretrained(folder, is_decoder=True)"
        in (folder / "README.md").read_text()
    )


@pytest.mark.parametrize(
    ("family", "kind", "config", "reason"),
    [
        ("eurobert", MaskedLanguageModeling, {}, "EuroBertForMaskedLM has no head of one linear"),
        ("modernbert", CausalLanguageModeling, {}, "no causal language model for 'modernbert'"),
        ("bert", HybridLanguageModeling, {}, "from the state before it while every token sees"),
        ("bert", CorrectingAndContrasting, {}, "no token head in the form of BERT's"),
        ("bert", ReplacedTokenDetection, {}, "no token head in the form of BERT's"),
        ("roberta", MaskedLanguageModeling, {"hidden_act": "gelu_new"}, "its logits differ from"),
    ],
)
def test_where_no_class_fits_the_encoder_is_exported_alone(
    trained, exported, tiny, family, kind, config, reason
):
    encoder, objective = trained(family, kind, **config)
    folder = exported(encoder, objective)
    assert reason in why_not(folder)
    _, report = read_by(AutoModel, folder)
    assert "unexpected_keys" not in report
    _, report = read_by(AutoModelForMaskedLM, folder)
    assert report["missing_keys"]  # transformers says so itself
    with pytest.raises(CheckpointError, match="an encoder alone"):
        load_language_model(folder)
    if (folder / SETTINGS).exists():
        head, _ = load_token_head(folder, tiny.VOCABULARY)
        assert torch.equal(head.bias, objective.token_head.bias)


def test_another_activation_is_carried_by_a_class_that_can(trained, exported):
    encoder, objective = trained("modernbert", hidden_activation="relu")
    folder = exported(encoder, objective)
    assert json.loads((folder / "config.json").read_text())["classifier_activation"] == "relu"
    with torch.no_grad():
        found = load_language_model(folder)(input_ids=IDS, attention_mask=REAL.long()).logits
    expected = own_logits(encoder, objective)
    torch.testing.assert_close(found[REAL], expected[REAL], rtol=1e-5, atol=1e-5)


def test_no_weight_is_copied_and_nothing_is_drawn(trained, tiny):
    encoder, objective = trained("bert")
    before = torch.get_rng_state()
    made = language_model(encoder, objective)
    assert torch.equal(torch.get_rng_state(), before)
    trained_ones = [*encoder.parameters(), *objective.token_head.parameters()]
    held = {parameter.data_ptr() for parameter in made.model.parameters()}
    copied = [parameter for parameter in trained_ones if parameter.data_ptr() not in held]
    assert sum(map(torch.numel, copied)) <= tiny.VOCABULARY.size  # transformers pads the bias
    assert len(held) == len(trained_ones)
    assert made.places["bias"] == "cls.predictions.bias"


def test_an_encoder_with_another_activation_or_class_is_none(trained):
    encoder, objective = trained("bert")
    encoder.pooler = nn.Linear(16, 16)
    with pytest.raises(
        NoLanguageModelError, match=r"BertForMaskedLM has other weights: bert\.pooler"
    ):
        language_model(encoder, objective)


@pytest.mark.parametrize("part", ["dense.weight", "dense.bias", "norm.weight", "norm.bias", "bias"])
def test_a_weight_in_the_wrong_place_is_noticed(trained, exported, monkeypatch, part):
    def misplaced(encoder, objective):
        made = language_model(encoder, objective)
        place = made.places[part]
        owner, _, name = place.rpartition(".")
        wrong = nn.Parameter(made.model.get_parameter(place).detach().flip(0))
        setattr(made.model.get_submodule(owner), name, wrong)
        made.model.tie_weights()
        return made

    monkeypatch.setattr(export, "language_model", misplaced)
    folder = exported(*trained("bert"))
    assert "BertForMaskedLM does not fit: its logits differ from" in why_not(folder)


def test_what_was_exported_before_is_read_as_it_was(trained, exported, tiny):
    encoder, objective = trained("bert")
    new = exported(encoder, objective)
    head, reading = load_token_head(new, tiny.VOCABULARY)
    old = new.with_name("old")
    encoder.save_pretrained(old)
    settings = json.loads((new / SETTINGS).read_text())
    del settings["in_model"]
    (old / SETTINGS).write_text(json.dumps({**settings, "version": 1}))
    save_file(objective.token_head.state_dict(), old / WEIGHTS)
    old_head, old_reading = load_token_head(old, tiny.VOCABULARY)
    assert old_reading == reading
    for name, tensor in head.state_dict().items():
        assert torch.equal(tensor, old_head.state_dict()[name])
    states = [load_encoder(folder).state_dict() for folder in (new, old)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_answer_is_remembered_only_if_the_weights_could_have_shown_a_difference(
    trained, exported, tiny
):
    encoder, objective = trained("bert")
    with torch.no_grad():
        objective.token_head.bias.zero_()
    exported(encoder, objective)
    assert export_check._known == {}
    with torch.no_grad():
        objective.token_head.bias += torch.arange(tiny.VOCABULARY.size)
    exported(encoder, objective)
    assert list(export_check._known.values()) == [""]
