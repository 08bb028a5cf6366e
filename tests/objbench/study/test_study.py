"""A study is put together from layers, and every fault names its field."""

from datetime import date

import pytest

from objbench.errors import ConfigError, UnknownNameError
from objbench.study.files import file_layer, merge, preset_layer
from objbench.study.settings import WITHOUT_EFFECT_ON_NUMBERS, TrainingSection
from objbench.study.study import Study, build_study

LEAST = {"objectives": ["mlm"], "budget": "10-steps"}


def study(*layers):
    return build_study([LEAST, *layers], "the test")


def test_later_layers_win_leaf_by_leaf():
    below = {"data": {"length": 8, "corpus": "toy"}, "seeds": [1, 2]}
    above = {"data": {"length": 16}, "seeds": [3]}
    assert merge(below, above) == {"data": {"length": 16, "corpus": "toy"}, "seeds": [3]}
    assert below["data"]["length"] == 8


def test_the_least_study_is_complete():
    found = study()
    assert found.objectives == ("mlm",)
    assert found.seeds == (0,)
    assert found.equalize == "flops"


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"objectives": []}, "objectives"),
        ({"objectives": ["mlm", "mlm"]}, "objectives.*mlm is listed twice"),
        ({"seeds": [1, 1]}, "seeds.*1 is listed twice"),
        ({"looks": [5, 10, 10]}, "looks = .5, 10, 10.: looks are numbers of seeds, each larger"),
        ({"looks": [2, 10]}, "2 seeds give no interval: look from 3 seeds on"),
        ({"looks": [0]}, "looks.0 = 0"),
        ({"equalize": "flop"}, "equalize = 'flop'"),
        ({"training": {"lr": 1}}, "training.lr: unknown setting 'lr'"),
        ({"training": {"learning_rat": 1}}, "did you mean 'learning_rate'"),
        ({"trainin": {}}, "unknown setting 'trainin'; did you mean 'training'"),
        ({"training": {"batch": 0}}, "training.batch = 0"),
        ({"training": {"batch": 8, "micro_batches": 3}}, "does not divide batch = 8"),
        (
            {"training": {"compile": True, "activation_checkpointing": True}},
            "activation_checkpointing does not go with compile",
        ),
        (
            {"training": {"optimizer": {"beta3": 1}}},
            "training.optimizer.beta3: .*did you mean 'beta",
        ),
        ({"training": {"optimizer": {"name": "lion"}}}, "training.optimizer.name = 'lion'"),
        ({"training": {"optimizer": 1}}, "training.optimizer = 1"),
        (
            {"training": {"optimizer": {"groups": {"norms": {"rate": 0.5}}}}},
            r"training.optimizer.groups.norms: Input should be 'matrices', 'embeddings',",
        ),
        ({"tuning": {"seed": 7}}, "tuning.seed: unknown setting 'seed'; did you mean 'seeds'"),
        ({"data": {"length": "long"}}, "data.length = 'long'"),
        ({"training": 3}, "training = 3: Input should be a table$"),
        ({"objectives": "mlm"}, "objectives = 'mlm': Input should be a list$"),
        ({"objectives": [1]}, "objectives.0 = 1: Input should be a valid string$"),
        ({"training": {"batch": True}}, "training.batch = True"),
        (
            {"tuning": {"grid": {"training.learning_rate": []}}},
            "training.learning_rate = .*least 1",
        ),
        ({"tuning": {"grid": {"training.clip": [1, 1]}}}, "1 is listed twice"),
        # What a study file may hold but no stored plan.
        ({"seeds": [-1]}, "seeds.0 = -1"),
        ({"seeds": [0, 10**30]}, "seeds.1 = 10000"),
        ({"tuning": {"seeds": [-1]}}, "tuning.seeds.0 = -1"),
        ({"training": {"clip": float("inf")}}, "training.clip = inf"),
        ({"training": {"learning_rate": float("nan")}}, "training.learning_rate = nan"),
        ({"training": {"optimizer": {"weight_decay": float("inf")}}}, "weight_decay = inf"),
        ({"encoder": {"config": {"eps": float("nan")}}}, "encoder.config: numbers must be finite"),
        ({"encoder": {"config": {"day": date(2026, 1, 1)}}}, "encoder.config: .*no value a date"),
        ({"evaluation": {"points": 2**40}}, "evaluation.points = 1099511627776"),
    ],
)
def test_a_fault_names_the_field(layer, message):
    with pytest.raises(ConfigError, match=f"the test: .*{message}") as caught:
        study(layer)
    assert "\n" not in str(caught.value)


def test_a_budget_that_cannot_be_read_is_told_how_to_write_it():
    with pytest.raises(ConfigError, match=r"'ten-steps' cannot be read; .*100k-steps"):
        study({"budget": "ten-steps"})


def test_all_faults_are_told_at_once():
    with pytest.raises(ConfigError, match=r"data.length.*training.batch"):
        study({"data": {"length": 1}, "training": {"batch": 0}})


def test_a_study_can_be_stored_and_read_back():
    found = study({"options": {"mlm": {"rate": 0.3}}})
    assert Study.model_validate_json(found.model_dump_json()) == found


def test_a_study_file_may_start_from_a_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('preset = "demo"\nobjectives = ["mlm"]\n[data]\nlength = 32\n')
    found = build_study([file_layer(path)], "mine")
    assert found.data.length == 32
    assert found.data.corpus == "toy"
    assert found.preset == "demo"


def test_a_study_file_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "study.toml"
    path.write_bytes(b"\xef\xbb\xbfseeds = [1]\r\n")
    assert file_layer(path) == {"seeds": [1]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"objectives = [", "is not TOML"),
        ('seeds = "é"'.encode("latin-1"), r"is not UTF-8 \(at byte 9\)"),
        ("seeds = 2".encode("utf-16"), r"is not UTF-8 \(at byte 0\): save it as UTF-8"),
        (b"x = " + b"[" * 5000 + b"]" * 5000, "is nested too deeply"),
        (b"x = 1" + b"0" * 5000, "is not TOML"),
        (b'preset = "dmo"', "unknown preset 'dmo'; did you mean 'demo'"),
    ],
)
def test_a_bad_study_file_is_told_in_one_line(tmp_path, content, message):
    path = tmp_path / "study.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        file_layer(path)
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_is_refused():
    with pytest.raises(UnknownNameError, match="known: base, demo"):
        preset_layer("huge")


def test_an_objective_may_have_another_family_of_encoders_and_nothing_else_of_the_data():
    found = study({"objectives": ["mlm", "mlm@bert"], "overrides": {"mlm@bert": OTHER_FAMILY}})
    assert found.for_objective("mlm@bert").encoder.model_type == "roformer"
    assert found.for_objective("mlm").encoder.model_type == "bert"
    for place in ("encoder.model_types", "encoder.model_type.x", "data.length", "encoder"):
        with pytest.raises(ConfigError, match="cannot be overridden for mlm"):
            study({"overrides": {"mlm": {place: "roformer"}}})


OTHER_FAMILY = {"encoder.model_type": "roformer"}


def test_what_no_number_depends_on_is_in_no_key():
    plain = TrainingSection()
    again = TrainingSection(activation_checkpointing=True, log_every=3, checkpoint_every=1.0)
    left_out = set(WITHOUT_EFFECT_ON_NUMBERS)
    assert plain.model_dump(exclude=left_out) == again.model_dump(exclude=left_out)
    # A study that does not ask for it is stored as before there was such a setting.
    assert "activation_checkpointing" not in plain.model_dump(mode="json")
    assert again.model_dump(mode="json")["activation_checkpointing"] is True
