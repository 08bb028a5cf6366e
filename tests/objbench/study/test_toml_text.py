"""A study written as TOML is the same study when it is read back, whatever was chosen."""

import tomllib
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.study.files import file_layer, presets, setting_layer
from objbench.study.study import build_study
from objbench.study.toml_text import settings_toml, study_toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PLAIN = st.one_of(
    st.booleans(), TEXT, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
)  # fmt: skip
VALUES = st.one_of(PLAIN, st.lists(PLAIN, max_size=3), st.dictionaries(TEXT, PLAIN, max_size=2))
OPTIONS = st.dictionaries(TEXT, st.dictionaries(TEXT, VALUES, max_size=3), max_size=3)
OVERRIDES = st.dictionaries(
    st.sampled_from(["mlm", "taco@a b"]),
    st.dictionaries(TEXT.map("options.{}".format), PLAIN, max_size=2),
    max_size=2,
)
CHOICES = {
    "training.learning_rate": st.floats(1e-9, 10),
    "training.optimizer": st.sampled_from(
        [
            {"name": "muon", "momentum": 0.9, "groups": {"embeddings": {"rate": 0.5}}},
            {"groups": {"heads": {"weight_decay": 0.0}}},
        ]
    ),
    "training.schedule": st.sampled_from(["linear", "trunk"]),
    "encoder.model_type": st.sampled_from(["bert", "modernbert", "electra"]),
    "encoder.layers": st.integers(1, 9),
    "encoder.config": st.dictionaries(TEXT, VALUES, max_size=2),
    "data.corpus": TEXT,
    "evaluation.max_train_samples": st.integers(1, 9),
    "seeds": st.lists(st.integers(0, 10**18), min_size=1, max_size=3, unique=True),
    "looks": st.just([3, 5]),
    "tuning": st.just({"grid": {"training.learning_rate": [1e-3, 3e-3]}, "seeds": [10**18]}),
    "equalize": st.sampled_from(["steps", "seconds"]),
}


@st.composite
def layers(draw):
    """A preset and settings of all kinds over it."""
    found = [
        {"objectives": ["mlm", "taco@a b"], "options": draw(OPTIONS), "overrides": draw(OVERRIDES)}
    ]
    for place in draw(st.lists(st.sampled_from(sorted(CHOICES)), max_size=5, unique=True)):
        value = draw(CHOICES[place])
        if place == "seeds" and 10**18 in value:
            continue
        found.append(setting_layer(place, value))
    return draw(st.sampled_from(presets())), found


@pytest.mark.parametrize("preset", presets())
def test_a_preset_with_its_objectives_comes_back(preset, tmp_path):
    check(preset, [{"objectives": ["mlm"]}], tmp_path / "study.toml")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(layers())
def test_any_study_comes_back(tmp_path_factory, chosen):
    preset, own = chosen
    check(preset, own, tmp_path_factory.mktemp("studies") / "study.toml")


def check(preset, own, path):
    path.write_text(f'preset = "{preset}"')
    study = build_study([file_layer(path), *own], "the test")
    path.write_text(study_toml(study), encoding="ascii")
    assert build_study([file_layer(path)], "the file") == study


def test_it_reads_like_a_study_file():
    found = settings_toml(
        {
            "seeds": (0, 1),
            "preset": None,
            "data": {"corpus": 'a "b"\n\x7f', "length": 8},
            "options": {"mlm": {"rate": 0.3, "since": date(2026, 1, 2), "no": True}},
            "overrides": {"a+b": {"training.clip": 1e-5}, "c": {}},
        }
    )
    assert found == (
        "seeds = [0, 1]\n\n"
        '[data]\ncorpus = "a \\"b\\"\\U0000000a\\U0000007f"\nlength = 8\n\n'
        "[options.mlm]\nrate = 0.3\nsince = 2026-01-02\nno = true\n\n"
        '[overrides."a+b"]\n"training.clip" = 1e-05\n\n[overrides.c]\n'
    )
    assert tomllib.loads(found)["data"]["corpus"] == 'a "b"\n\x7f'
