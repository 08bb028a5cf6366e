"""Width, layers and heads, whatever the model type; other settings stay with their own type."""

import pytest

from objbench.errors import ConfigError
from objbench.study.files import preset_layer
from objbench.study.study import build_study

LEAST = {"objectives": ["mlm"], "budget": "10-steps"}
BERT = {
    "encoder": {
        "model_type": "bert",
        "config": {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 100,
            "hidden_dropout_prob": 0.0,
        },
    }
}
SIZE = {name: v for name, v in BERT["encoder"]["config"].items() if "dropout" not in name}


def encoder(*layers):
    return build_study([LEAST, *({"encoder": layer} for layer in layers)], "the test").encoder


def test_another_model_type_keeps_the_size_and_nothing_else():
    assert encoder(BERT["encoder"], {"model_type": "modernbert"}).config == SIZE
    assert encoder(BERT["encoder"], {"model_type": "bert"}).config == BERT["encoder"]["config"]
    assert encoder({"config": {"hidden_size": 8, "x": 1}}, {"model_type": "electra"}).config == {
        "hidden_size": 8
    }


def test_a_familys_own_name_replaces_the_shared_one_and_the_other_way_round():
    own = encoder(BERT["encoder"], {"model_type": "distilbert", "config": {"dim": 32}})
    assert own.config == {**{n: v for n, v in SIZE.items() if n != "hidden_size"}, "dim": 32}
    again = encoder(
        {"model_type": "distilbert", "config": {"dim": 32, "n_layers": 3}}, {"width": 8}
    )
    assert again.config == {"n_layers": 3, "hidden_size": 8, "intermediate_size": 32}
    back = encoder(
        {"model_type": "distilbert", "config": {"dim": 32, "dropout": 0.5}}, BERT["encoder"]
    )
    assert back.config == BERT["encoder"]["config"]


def test_width_layers_and_heads_are_the_configurations_size():
    assert encoder({"width": 8, "layers": 1, "heads": 2}) == encoder(
        {
            "config": {
                "hidden_size": 8,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 32,
            }
        }
    )
    assert encoder(BERT["encoder"], {"width": 8}).config["intermediate_size"] == 32
    assert (
        encoder({"width": 8, "config": {"intermediate_size": 9}}).config["intermediate_size"] == 9
    )
    # The other settings of a preset stay, and the study is the one that names them at length.
    demo = preset_layer("demo-bert")["encoder"]
    assert encoder(demo, {"layers": 1}).config == {**demo["config"], "num_hidden_layers": 1}


def test_what_each_layer_is_goes_on_in_its_order():
    kinds = ["full_attention", "sliding_attention"]
    below = {"model_type": "modernbert", "config": {"num_hidden_layers": 2, "layer_types": kinds}}
    for words in ({"layers": 3}, {"config": {"num_hidden_layers": 3}}):
        assert encoder(below, words).config["layer_types"] == [*kinds, kinds[0]]
    assert encoder(below, {"layers": 1}).config["layer_types"] == kinds[:1]
    assert encoder(below, {"width": 8}).config["layer_types"] == kinds
    own = {"num_hidden_layers": 1, "layer_types": kinds[1:]}
    assert encoder(below, {"config": own}).config == own
    assert "layer_types" not in encoder(below, {"model_type": "bert", "layers": 3}).config


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"width": 0}, "encoder.width = 0 is not a positive whole number"),
        ({"heads": "four"}, "encoder.heads = 'four' is not a positive whole number"),
        ({"layers": True}, "encoder.layers = True is not a positive"),
        ({"layers": 10**9}, "encoder.layers = 1,000,000,000 is too large: at most 1,000"),
        ({"width": 10**12}, "encoder.width = 1,000,000,000,000 is too large"),
        ({"config": {"num_hidden_layers": -1}}, "encoder.config.num_hidden_layers = -1 is not a"),
        ({"config": {"n_layers": 10**9}}, "encoder.config.n_layers = 1,000,000,000 is too large"),
        ({"config": {"intermediate_size": 0}}, "encoder.config.intermediate_size = 0 is not a"),
        ({"config": {"num_attention_heads": 0}}, "encoder.config.num_attention_heads = 0 is not"),
        (
            {"width": 8, "config": {"dim": 8}},
            "encoder.width and encoder.config.dim are the same: leave one of them out",
        ),
    ],
)
def test_a_size_that_cannot_be_meant_is_refused(table, message):
    with pytest.raises(ConfigError, match=message):
        encoder(table)
    # Nothing is made of it where it stands over a list of what each layer is, nor in a grid.
    kinds = {"num_hidden_layers": 1, "layer_types": ["full_attention"]}
    with pytest.raises(ConfigError, match=message):
        encoder({"model_type": "modernbert", "config": kinds}, table)
    for place, value in table.get("config", {}).items() if len(table) == 1 else ():
        with pytest.raises(ConfigError, match=message):
            build_study([LEAST], "the test").for_objective(
                "mlm", {f"encoder.config.{place}": value}
            )


def test_the_options_of_one_optimizer_are_not_those_of_another():
    layers = [
        LEAST,
        {"training": {"optimizer": {"name": "adamw", "beta1": 0.5}}},
        {"training": {"optimizer": {"name": "lion"}}},
    ]
    with pytest.raises(ConfigError, match=r"optimizer.name = 'lion'") as refused:
        build_study(layers, "the test")
    assert "beta1" not in str(refused.value)
