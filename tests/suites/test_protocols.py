"""Protocols: the shipped files, the averages they define, and malformed ones."""

import json
from pathlib import Path

import pytest

from objbench.contract.suite import Average
from objbench.errors import ConfigError, UnknownNameError
from objbench_suites.protocol import load_protocol, overridden, parse_protocol, protocols

FIGURES = json.loads((Path(__file__).parents[1] / "data/figures/taco-2022.json").read_text())
GOOD = """
suite = "glue"
summary = "a test"
seeds = [3, 5]
[recipe]
learning_rate = 1e-3
batch = 8
epochs = 1
length = 16
[columns]
cola = ["matthews_correlation"]
rte = ["accuracy"]
[average]
label = "mean of two"
of = "tasks"
groups = [["cola"], ["rte"]]
"""


def _average(name):
    rule = load_protocol(name, "glue").average
    return Average(rule.label, rule.groups)


def _printed(split, run):
    return dict(zip(FIGURES["columns"], FIGURES[split][run], strict=True))


def test_the_shipped_protocols():
    assert protocols("glue") == ("default", "small-encoder", "taco-2022", "taco-2022-base")
    assert protocols("toy") == ("toy",)
    for name in protocols("glue"):
        assert load_protocol(name, "glue").name == name


@pytest.mark.parametrize(
    ("split", "run", "printed"),
    [
        ("validation", "mlm-250k", 75.0),
        ("validation", "taco-50k", 74.9),
        ("validation", "taco-250k", 76.2),
        ("test", "mlm-250k", 71.7),
        ("test", "taco-250k", 72.2),
    ],
)
def test_nine_columns_give_the_papers_averages(split, run, printed):
    columns = _printed(split, run)
    assert round(_average("taco-2022").score(columns), 1) == printed
    assert round(_average("taco-2022-base").score(columns), 1) == printed


def test_eight_tasks_give_another_average():
    # 74.74 in the notes on the paper: MNLI counts once.
    assert _average("default").score(_printed("validation", "mlm-250k")) == pytest.approx(
        74.74, abs=0.01
    )


def test_the_papers_recipe():
    recipe = load_protocol("taco-2022", "glue").recipe
    found = (recipe.learning_rate, recipe.batch, recipe.epochs, recipe.warmup_steps, recipe.length)
    assert found == (5e-5, 32, 4, 100, 128)
    base = load_protocol("taco-2022-base", "glue").recipe
    assert (base.learning_rate, base.epochs) == (3e-5, 6)


def test_seeds_count_on():
    protocol = parse_protocol(GOOD, "x", "glue", "x")
    assert protocol.seeds_of(0) == (3, 5)
    assert protocol.seeds_of(1) == (3,)
    assert protocol.seeds_of(4) == (3, 5, 6, 7)


def test_a_file_of_ones_own(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(GOOD)
    assert load_protocol(str(file), "glue").name == "mine"
    file.write_text(GOOD, encoding="utf-8-sig")  # as Windows does
    assert load_protocol(str(file), "glue").name == "mine"
    with pytest.raises(ConfigError, match=r"mine\.toml is for the suite glue, not toy"):
        load_protocol(str(file), "toy")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_protocol(str(tmp_path / "absent.toml"), "glue")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch = 8", "batch = 0", r"recipe\.batch = 0"),
        ("batch = 8", "batches = 8", r"recipe\.batches = 8: Extra inputs"),
        ("seeds = [3, 5]", "seeds = [3, 3]", "lists a seed twice"),
        ("seeds = [3, 5]", "seeds = []", "seeds"),
        ('[["cola"], ["rte"]]', '[["cola"], ["cola"]]', "named twice"),
        ('[["cola"], ["rte"]]', '[["cola"], ["wnli"]]', "column wnli, which columns lacks"),
        ('rte = ["accuracy"]', "rte = []", "column rte has no metric"),
        ('of = "tasks"', 'of = "apples"', r"average\.of = 'apples'"),
        ("[recipe]", "[recipe", "is not TOML"),
    ],
)
def test_a_malformed_protocol(old, new, message):
    with pytest.raises(ConfigError, match=message) as found:
        parse_protocol(GOOD.replace(old, new), "x", "glue", "x.toml")
    assert str(found.value).startswith("x.toml") and "\n" not in str(found.value)


def test_an_unknown_protocol():
    with pytest.raises(UnknownNameError, match="did you mean 'default'"):
        load_protocol("defalt", "glue")


def test_overrides_are_checked():
    recipe = load_protocol("default", "glue").recipe
    assert overridden(recipe, {"epochs": 1}, "glue").epochs == 1
    with pytest.raises(ConfigError, match=r"options of glue: learning_rate = -1"):
        overridden(recipe, {"learning_rate": -1}, "glue")
