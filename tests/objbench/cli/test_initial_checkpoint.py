"""``--init``: encoder and tokenizer are the checkpoint's, and no other may be named."""

import pytest

from objbench.cli.initial_checkpoint import with_checkpoint
from objbench.engine.encoder.checkpoint_source import read_checkpoint_source
from objbench.errors import ConfigError
from objbench.study.files import merge, preset_layer
from objbench.study.study import build_study

RUN = ["run", "--objectives", "mlm", "--preset", "demo", "--budget", "4-steps", "--init"]


def study_of(*layers):
    whose = [f"layer {number}" for number in range(len(layers))]
    return build_study(with_checkpoint(layers, whose), "test")


@pytest.fixture
def flags(make_checkpoint):
    return {"objectives": ["mlm"], "encoder": {"init": str(make_checkpoint("bert"))}}


def test_encoder_and_tokenizer_of_a_preset_give_way(flags):
    preset, name = preset_layer("demo"), flags["encoder"]["init"]
    study = study_of(preset, flags)
    assert study.encoder.model_type == "bert" and study.encoder.config == {}
    assert study.encoder.init_digest == read_checkpoint_source(name).digest
    assert study.data.tokenizer == name
    assert study.data.length == preset["data"]["length"]
    # A study file that names its preset has that merged into it.
    assert study_of(merge(preset, {"budget": "9-steps"}), flags).encoder == study.encoder


def test_the_resolved_study_is_the_same_study(flags):
    study = study_of(preset_layer("demo"), flags)
    assert study_of(study.model_dump(mode="json")) == study


def test_without_a_checkpoint_nothing_changes():
    layers = [preset_layer("demo"), {"objectives": ["mlm"]}]
    assert with_checkpoint(layers, ["preset", "flags"]) == layers
    encoder = build_study(layers, "test").encoder
    assert encoder.identity == encoder.model_dump(mode="json")
    assert encoder.identity.keys() == {"model_type", "config"}


def test_the_place_of_a_checkpoint_is_no_part_of_its_identity(flags):
    encoder = study_of(preset_layer("demo"), flags).encoder
    assert encoder.identity.keys() == {"model_type", "config", "init_digest"}


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (
            {"data": {"tokenizer": "train:512"}},
            "layer 1: data.tokenizer = 'train:512': the tokeniz",
        ),
        ({"encoder": {"model_type": "roberta"}}, "encoder.model_type = 'roberta': the encoder is"),
        (
            {"encoder": {"layers": 3}},
            "size or configuration of the encoder: the encoder is that of",
        ),
        ({"encoder": {"config": {"hidden_dropout_prob": 0.0}}}, "size or configuration of the enc"),
        ({"encoder": {"init_digest": "0" * 64}}, "and checkpoint .* is another"),
        (
            {"overrides": {"mlm": {"encoder.config.hidden_dropout_prob": 0.0}}},
            "'encoder.config.hidden_dropout_prob' cannot be chosen: encoder.init sets the encoder",
        ),
        (
            {"tuning": {"grid": {"encoder.config.initializer_range": [0.1]}}},
            "'encoder.config.initializer_range' cannot be chosen",
        ),
    ],
)
def test_another_encoder_or_tokenizer_is_refused(layer, told, flags):
    with pytest.raises(ConfigError, match=told) as caught:
        study_of(preset_layer("demo"), merge(flags, layer))
    assert "\n" not in str(caught.value)


def test_a_digest_without_a_checkpoint_is_refused():
    with pytest.raises(ConfigError, match="belong together"):
        study_of(
            preset_layer("demo"), {"objectives": ["mlm"], "encoder": {"init_digest": "a" * 64}}
        )


def test_the_same_names_are_not_refused(flags):
    name = flags["encoder"]["init"]
    again = {"encoder": {"model_type": "bert"}, "data": {"tokenizer": name}}
    assert study_of(preset_layer("demo"), merge(flags, again)).data.tokenizer == name


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["./nowhere"], "checkpoint ./nowhere: no such folder: check the path"),
        (["some/where/deep"], "no such folder"),
        (
            ["an-org/a-name"],
            "checkpoint an-org/a-name: neither a local folder nor available from the hub",
        ),
    ],
)
def test_the_command_line_refuses_in_one_line(words, told, command_line, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert told in command_line.refusal([*RUN, *words])


def test_other_words_are_refused_before_the_checkpoint_is_read(command_line, make_checkpoint):
    folder = str(make_checkpoint("bert"))
    command_line.capsys.readouterr()  # transformers draws a bar
    line = command_line.refusal([*RUN, folder, "--tokenizer", "train:512"])
    assert f"the tokenizer is that of checkpoint {folder}; leave it out" in line
    line = command_line.refusal([*RUN, folder, "--encoder", "electra"])
    assert "encoder.model_type = 'electra': the encoder is that of checkpoint" in line
