"""What a plugin's source tells without importing it: the truth, or nothing."""

import dataclasses
import importlib
import sys
import typing
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.contract.options import configure
from objbench.errors import ConfigError, ObjbenchError, WrongKindError
from objbench.plugins.registry import load_plugins, plugin_entry_points
from objbench.plugins.source_reading.options import check_plugins, static_plugin

IN_TREE = ("mlm", "taco", "glue", "toy", "convergence")
PLAIN_TYPES = {float, int, bool, str, float | None, int | None, bool | None, str | None}

PLAIN = '''\
from dataclasses import dataclass, field
from typing import ClassVar
from objbench import Objective, hookimpl

class Plain(Objective):
    """An objective that is written plainly."""

    name = "x"
    summary = "plain"
    reference = "none"

    @dataclass(frozen=True, kw_only=True)
    class Config(Objective.Config):
        """Its options."""

        rate: float = 0.5
        count: int | None = None
        many: list[int] = field(default_factory=list)

    def corrupt(self, batch, streams):
        return Plain.other(batch)

@hookimpl
def register_objectives(register):
    """Called once."""
    register(Plain)
'''
PLAIN_OPTIONS = {"rate": float, "count": int | None, "many": typing.Any}

OTHER = """
@dataclass(frozen=True)
class Other:
    rat: str = ""
"""

# Each turns PLAIN into a source that means the same: (old, new).
AS_PLAIN = {
    "postponed annotations": ("from dataclasses", "from __future__ import annotations\nfrom dataclasses"),
    "annotated name": ('name = "x"', 'name: ClassVar[str] = "x"'),
    "homes of the names": (
        "from objbench import Objective, hookimpl",
        "from objbench.contract.objective import Objective\nfrom objbench.contract.hooks import hookimpl",
    ),
    "names of modules": (
        "from objbench import Objective, hookimpl",
        "import objbench\nfrom objbench import Objective, hookimpl",
    ),
    "no base of Config": ("class Config(Objective.Config)", "class Config"),
    "a property": ("    def corrupt", "    @property\n    def half(self): return 0.5\n\n    def corrupt"),
    "harmless code": ("@hookimpl", "import logging\nlog = logging.getLogger(__name__)\n\n@hookimpl"),
    "a method's call": ("return Plain.other(batch)", "return Plain.Config.__eq__(batch, streams)"),
    "derived": ("@hookimpl", "class Second(Plain):\n    summary = 'two'\n\n@hookimpl"),
}  # fmt: skip

# Each makes PLAIN a source that cannot be read for certain, most with other options: (old, new).
NO_PLUGIN = {
    "Config is replaced": ("@hookimpl", f"{OTHER}\nPlain.Config = Other\n\n@hookimpl"),
    "by name": ("@hookimpl", f"{OTHER}\nsetattr(Plain, 'Config', Other)\n\n@hookimpl"),
    "by code in a text": ("@hookimpl", f"{OTHER}\nexec('Plain.Config = Other')\n\n@hookimpl"),
    "by another name for it": ("@hookimpl", f"{OTHER}\ne = exec\ne('Plain.Config = Other')\n\n@hookimpl"),
    "by type": ("@hookimpl", f"{OTHER}\ntype.__setattr__(Plain, 'Config', Other)\n\n@hookimpl"),
    "by a function": (
        "@hookimpl",
        f"{OTHER}\ndef change(cls):\n    type.__setattr__(cls, 'Config', Other)\nchange(Plain)\n\n@hookimpl",
    ),
    "by an alias": ("@hookimpl", f"{OTHER}\nalias = Plain\nalias.Config = Other\n\n@hookimpl"),
    "by a method": (
        "@hookimpl",
        f"{OTHER}\nclass Second(Plain):\n    def change():\n        type.__setattr__(Plain, 'Config', Other)"
        + "\nSecond.change()\n\n@hookimpl",
    ),
    "by its own method": (
        "@hookimpl",
        f"{OTHER}\nclass Second(Plain):\n    @classmethod\n    def change(cls):\n"
        + "        cls.__base__.Config = Other\n\ndef change():\n    Second.change()\nchange()\n\n@hookimpl",
    ),
    "by its own method at once": (
        "    def corrupt(self, batch, streams):\n        return Plain.other(batch)\n",
        "    def corrupt(self, batch, streams): ...\n\n    @classmethod\n    def change(cls):\n"
        + f"        type.__setattr__(cls, 'Config', Other)\n{OTHER}\nPlain.change()\n",
    ),
    "Config loses a field": (
        "@hookimpl",
        "def change(config):\n    del config.__dataclass_fields__['rate']\nchange(Plain.Config)\n\n@hookimpl",
    ),
    "two names": ('name = "x"', 'name = "x"\n    name = "z"'),
    "a hook that stops": ("    register(Plain)", "    raise RuntimeError\n    register(Plain)"),
    "in its hook": ("    register(Plain)", "    register(Plain)\n    Plain.Config = Objective.Config"),
    "by a decorator": (
        "class Plain(",
        f"{OTHER}\ndef change(cls):\n    type.__setattr__(cls, 'Config', Other)\n    return cls\n\n@change\nclass Plain(",
    ),
    "by its base": (
        "class Plain(Objective)",
        f"{OTHER}\nclass Base(Objective):\n    def __init_subclass__(cls):\n"
        + "        type.__setattr__(cls, 'Config', Other)\n\nclass Plain(Base)",
    ),
    "the class is another": ("@hookimpl", f"{OTHER}\nclass Plain(Plain):\n    Config = Other\n\n@hookimpl"),
    "the class depends": ("class Plain(Objective)", "class Plain(Objective if dataclass else object)"),
    "two bases": ("class Plain(Objective)", "class Mixin: ...\n\nclass Plain(Mixin, Objective)"),
    "a metaclass": ("class Plain(Objective)", "from abc import ABCMeta\nclass Plain(Objective, metaclass=ABCMeta)"),
    "a name computed": ('name = "x"', 'name = "X".lower()'),
    "a name that depends": ('    name = "x"', '    if True:\n        name = "x"'),
    "another name": ('name = "x"', 'name = "z"'),
    "a base shadowed": ("class Plain", "def Objective(): ...\n\nclass Plain"),
    "imports everything": ("@hookimpl", "from json import *\n\n@hookimpl"),
    "registers in a loop": ("    register(Plain)", "    for cls in [Plain]:\n        register(cls)"),
    "registers what is made": ("    register(Plain)", "    register(type('Made', (Plain,), {}))"),
    "an option of the hook": ("@hookimpl", "@hookimpl(tryfirst=True)"),
    "a hook unmarked": ("@hookimpl", ""),
    "no hook": ("def register_objectives", "def register_objectivs"),
    "a suite's hook": ("def register_objectives", "def register_suites"),
    "not Python": ("class Plain", "klass Plain"),
}  # fmt: skip

# Here the kind is certain and the options are not.
NO_OPTIONS = {
    "no dataclass": ("    @dataclass(frozen=True, kw_only=True)\n", ""),
    "another decorator": (
        "class Plain(Objective)",
        "def dataclass(**_):\n    return lambda cls: cls\n\nclass Plain(Objective)",
    ),
    "a class attribute": ("rate: float", "limit: ClassVar[int] = 1\n        rate: float"),
    "not an option": ("rate: float = 0.5", "rate: float = 0.5\n        own: int = field(init=False, default=1)"),
    "a field that depends": ("rate: float", "if True:\n            rat: str = ''\n        rate: float"),
    "fields written by hand": ("rate: float", "__annotations__ = {'rat': str}\n        rat = ''\n        rate: float"),
    "two bases": ("Config(Objective.Config)", "Config(Objective.Config, object)"),
    "a base from nowhere": ("Config(Objective.Config)", "Config(typing.Any)"),
    "of itself": ("Config(Objective.Config)", "Config(Plain.Config)"),
    "from elsewhere": ("    @dataclass(", "    Config = None\n\n    @dataclass("),
}  # fmt: skip

CHANGES = {**AS_PLAIN, **NO_PLUGIN, **NO_OPTIONS}
SOME_OPTIONS = ({}, {"rat": "a"}, {"rate": "hot"}, {"rate": 1}, {"count": "2.5"}, {"many": "1,b"})


def changed(old, new):
    assert old in PLAIN
    return PLAIN.replace(old, new)


def read(projects, source):
    projects.add("objbench-x", x=source)
    (entry,) = projects.entry_points()
    return static_plugin(entry)


def said_by(check):
    """What the one-line error of ``check`` says; None if it raises none."""
    try:
        check()
    except ObjbenchError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", IN_TREE)
def test_the_source_of_an_in_tree_plugin_tells_what_importing_it_tells(name):
    (entry,) = [entry for entry in plugin_entry_points() if entry.name == name]
    registry = load_plugins(only=[name])
    kind = "objective" if name in registry.objectives else "suite"
    config = (registry.objectives if kind == "objective" else registry.suites)[name].Config
    hints = typing.get_type_hints(config)
    expected = {
        field.name: hints[field.name] if hints[field.name] in PLAIN_TYPES else typing.Any
        for field in dataclasses.fields(config)
        if field.init
    }
    found = static_plugin(entry)
    assert (found.kind, dict(found.options)) == (kind, expected)


def test_the_source_of_a_foreign_plugin_is_read_as_well(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[3] / "example_plugin")
    found = static_plugin(EntryPoint("shuffled", "objbench_shuffled", "objbench"))
    assert (found.kind, found.options) == ("objective", {"rate": float})
    assert "objbench_shuffled" not in sys.modules


def test_the_roots_have_no_options():
    from objbench import CurveSuite, Objective, Suite

    for root in (Objective, Suite, CurveSuite):
        assert dataclasses.fields(root.Config) == ()


@pytest.mark.parametrize("change", AS_PLAIN.values(), ids=AS_PLAIN)
def test_plain_sources_are_read_however_they_are_spelt(projects, change):
    found = read(projects, changed(*change))
    assert (found.kind, found.options) == ("objective", PLAIN_OPTIONS)


@pytest.mark.parametrize("change", NO_PLUGIN.values(), ids=NO_PLUGIN)
def test_nothing_is_said_of_a_plugin_that_may_be_another(projects, change):
    assert read(projects, changed(*change)) is None


@pytest.mark.parametrize("change", NO_OPTIONS.values(), ids=NO_OPTIONS)
def test_nothing_is_said_of_options_that_may_be_others(projects, change):
    found = read(projects, changed(*change))
    assert (found.kind, found.options) == ("objective", None)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_no_error_is_false(projects, change):
    projects.add("objbench-x", x=changed(*change))
    entries = projects.entry_points()
    registry = load_plugins(entries)
    for options in SOME_OPTIONS:
        early = said_by(lambda o=options: check_plugins(["x"], [], {"x": o}, entries))
        late = said_by(lambda o=options: configure(registry.objective("x"), o))
        assert early is None or early == late or late.startswith("plugin 'x'")
    early = said_by(lambda: check_plugins([], ["x"], {}, entries))
    late = said_by(lambda: registry.suite("x"))
    assert early is None or early == late or late.startswith("plugin 'x'")


@pytest.mark.parametrize("annotation", ["float", "int", "bool", "str", "float | None"])
def test_a_builtin_that_is_shadowed_is_not_believed(projects, annotation):
    shadow = annotation.partition(" ")[0]
    source = PLAIN.replace("rate: float = 0.5", f"rate: {annotation} = 1")
    found = read(projects, f"from decimal import Decimal as {shadow}\n{source}")
    assert found.options["rate"] is typing.Any


def test_neither_the_module_nor_its_packages_are_imported(projects):
    package = projects.folder / "objbench_far" / "deep"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (package / "plain.py").write_text(f"raise RuntimeError('imported')\n{PLAIN}")
    (package / "own.py").write_text(
        "from ..deep import plain\nfrom .plain import Plain, dataclass\nfrom objbench import hookimpl\n\n"
        'class Own(Plain):\n    name = "own"\n\n'
        "    @dataclass(frozen=True)\n    class Config(Plain.Config):\n        depth: int = 1\n\n"
        "@hookimpl\ndef register_objectives(register):\n    register(Own)\n"
    )
    importlib.invalidate_caches()
    found = static_plugin(EntryPoint("own", "objbench_far.deep.own", "objbench"))
    assert (found.kind, found.options) == ("objective", {**PLAIN_OPTIONS, "depth": int})
    assert not [name for name in sys.modules if name.startswith("objbench_far")]


@pytest.mark.parametrize(
    "value", ["nowhere", "nowhere.at.all", "sys", "math", "json.nothing", "objbench_x_x:Plain"]
)
def test_an_entry_point_without_a_source_says_nothing(projects, value):
    projects.add("objbench-x", x=PLAIN)
    assert static_plugin(EntryPoint("x", value, "objbench")) is None


def test_bases_that_go_round_in_a_circle_say_nothing(projects):
    projects.add(
        "objbench-x",
        x=PLAIN.replace("class Plain(Objective)", "from objbench_x_y import Y\nclass Plain(Y)"),
        y="from objbench_x_x import Plain\nclass Y(Plain): ...\n",
    )
    assert [static_plugin(entry) for entry in projects.entry_points()] == [None, None]


def test_a_base_that_another_plugins_hook_changes_says_nothing(projects):
    own = PLAIN.replace("class Plain(Objective)", "from objbench_x_y import Y\nclass Plain(Y)")
    base = PLAIN.replace('"x"', '"y"').replace("Plain", "Y")
    changing = base.replace(
        "    register(Y)", "    register(Y)\n    type.__setattr__(Y, 'Config', None)"
    )
    projects.add("objbench-x", x=own, y=base)
    assert all(static_plugin(entry) for entry in projects.entry_points())
    (projects.folder / "objbench_x_y.py").write_text(changing)
    assert [static_plugin(entry) for entry in projects.entry_points()] == [None, None]


def test_a_name_that_two_projects_claim_is_left_to_loading(projects):
    projects.add("objbench-first", x=PLAIN)
    projects.add("objbench-second", x=PLAIN.replace("rate", "rat"))
    check_plugins(["x"], [], {"x": {"neither": 1}}, projects.entry_points())


def test_options_of_plugins_that_have_no_part_are_not_looked_at():
    check_plugins(["mlm"], ["toy"], {"taco": {"temprature": 1}, "glue": {"seeds": "many"}})


@pytest.mark.parametrize(
    ("objectives", "suites", "message"),
    [
        (["mlm", "glue"], [], "'glue' is one of the suites, not of the objectives: name it with --suites"),
        (["mlm", "convergence"], [], "'convergence' is one of the suites"),
        (["mlm"], ["taco"], "'taco' is one of the objectives, not of the suites: name it with --objectives"),
    ],
)  # fmt: skip
def test_the_wrong_kind_is_told_as_the_registry_tells_it(objectives, suites, message):
    with pytest.raises(WrongKindError, match=message) as early:
        check_plugins(objectives, suites, {})
    registry = load_plugins(only=[*objectives, *suites])
    with pytest.raises(WrongKindError) as late:
        [registry.objective(name) for name in objectives] + [registry.suite(n) for n in suites]
    assert str(early.value) == str(late.value)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("taco", {"temprature": 1}, "unknown option of taco 'temprature'; did you mean 'temperature'"),
        ("taco", {"rate": "hot"}, "taco.rate = 'hot' does not fit: Input should be a valid number"),
        ("taco", {"window": 2.5}, "taco.window = 2.5 does not fit: Input should be a valid integer"),
        ("taco", {"weight": "nan"}, "taco.weight = 'nan' does not fit: Input should be a finite"),
        ("glue", {"epochs": "many"}, "glue.epochs = 'many' does not fit: Input should be a valid int"),
        ("glue", {"dir": 3}, "glue.dir = 3 does not fit: Input should be a valid string"),
        ("glue", {"protocoll": "x"}, "unknown option of glue 'protocoll'; did you mean 'protocol'"),
        ("toy", {"dropout": []}, r"toy.dropout = \[\] does not fit"),
    ],
)  # fmt: skip
def test_a_slip_is_told_with_its_place_and_the_closest_option(name, options, message):
    kinds = ([name], []) if name == "taco" else ([], [name])
    with pytest.raises(ConfigError, match=message):
        check_plugins(*kinds, {name: options})


@pytest.mark.parametrize("value", ["none", "None", None, 0.5, "0.5", 1])
def test_what_fits_is_let_through(value):
    check_plugins(["taco"], ["glue"], {"glue": {"learning_rate": value}, "taco": {"rate": 1}})


@pytest.fixture(scope="module")
def taco():
    entries = [entry for entry in plugin_entry_points() if entry.name == "taco"]
    return entries, load_plugins(entries).objective("taco")


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.lists(st.integers(), max_size=2)
)  # fmt: skip
OPTIONS = st.sampled_from(["rate", "window", "anchors", "negatives", "weigth", "temperature"])


@settings(deadline=None, max_examples=40)  # a first call imports pydantic
@given(st.dictionaries(OPTIONS, VALUES, max_size=3))
def test_the_early_check_says_what_the_late_one_says(taco, options):
    entries, cls = taco
    early = said_by(lambda: check_plugins(["taco"], [], {"taco": options}, entries))
    late = said_by(lambda: configure(cls, options))
    if early is not None:
        # The values of "anchors" are a Literal's, which only the plugin knows.
        assert early == late or late.startswith("taco.anchors = ")
    elif late is not None:
        assert late.startswith(("taco.anchors = ", "options of taco: "))
