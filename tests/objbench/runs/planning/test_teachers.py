"""Which objectives learn from which: the order of training, and what is refused in one line."""

from dataclasses import dataclass

import pytest

from objbench.errors import ConfigError
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.teachers import generations, teachers_of, training_order


@dataclass(frozen=True)
class Config:
    teacher: str = ""
    also: str = ""


class Any:
    @classmethod
    def teachers(cls, config):
        return tuple(name for name in (config.teacher, config.also) if name)


def cast_of(**teachers):
    """Objective -> its teachers, separated by spaces."""
    configs = {name: Config(*own.split()) for name, own in teachers.items()}
    return ConfiguredPlugins({name: (Any, config) for name, config in configs.items()}, {}, {})


def test_without_teachers_the_order_is_the_studys():
    plugins = cast_of(mlm="", taco="", rtd="")
    assert training_order(plugins) == ("mlm", "taco", "rtd")
    assert generations(plugins, teachers_of(plugins)) == (("mlm", "taco", "rtd"),)


def test_teachers_come_before_those_who_learn_from_them():
    plugins = cast_of(mlm="", third="second rtd", second="mlm", taco="", rtd="")
    assert generations(plugins, teachers_of(plugins)) == (
        ("mlm", "taco", "rtd"),
        ("second",),
        ("third",),
    )


@pytest.mark.parametrize(
    ("teachers", "message"),
    [
        (
            {"taco": "", "tacl": "mlm"},
            (
                "tacl learns from mlm: add mlm to --objectives, "
                "or name another teacher with --set tacl.teacher=..."
            ),
        ),
        (
            {"mlm": "", "tacl": "tacl"},
            "tacl learns from itself: name another teacher with --set tacl.teacher=...",
        ),
        (
            {"mlm": "", "one": "two", "two": "mlm one"},
            (
                "one learns from two, which in turn learns from it: "
                "name another teacher with --set one.teacher=..."
            ),
        ),
        (
            {"tacl": "mlm", "mlm": "", "rtd": ""},
            (
                "tacl learns from mlm, whose cost is not counted in its budget, so it cannot be the baseline: "
                "name mlm or rtd first"
            ),
        ),
        (
            {"tacl": "mlm"},
            (
                "tacl learns from mlm, whose cost is not counted in its budget, so it cannot be the baseline: "
                "name one without a teacher first"
            ),
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(teachers, message):
    with pytest.raises(ConfigError) as caught:
        training_order(cast_of(**teachers))
    assert str(caught.value) == message
