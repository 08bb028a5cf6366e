"""What is known of plugins without importing them: what loading them says, or nothing."""

import json
import subprocess
import sys
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.contract.options import configure, option_types
from objbench.errors import ConfigError, ObjbenchError, UnknownNameError, WrongKindError
from objbench.plugins.known_plugins import KnownPlugins
from objbench.plugins.loading import load_plugins

PLAIN = """\
from dataclasses import dataclass, field
from typing import Literal
from objbench import Objective, hookimpl
from objbench_x_y import Limits

class Plain(Objective):
    name, summary, reference = "x", "plain", "none"

    @dataclass(frozen=True, kw_only=True)
    class Config(Limits):
        rate: float = 0.5
        count: int | None = None
        kind: Literal["a", "b"] | None = None
        many: list[int] = field(default_factory=list)

    def corrupt(self, batch, streams): ...

@hookimpl
def register_objectives(register):
    register(Plain)
"""
LIMITS = """\
from dataclasses import dataclass

@dataclass(frozen=True, kw_only=True)
class Limits:
    limit: bool = True
"""
OPTIONS = {"limit": bool, "rate": float, "count": int | None, "kind": Literal["a", "b"] | None}


@pytest.fixture
def plain(projects, tmp_path):
    """(plugins known after x has been loaded, the folder of their cache)."""
    projects.add("objbench-x", x=PLAIN)
    (projects.folder / "objbench_x_y.py").write_text(LIMITS)
    known = KnownPlugins(tmp_path / "cache", tuple(projects.entry_points()))
    known.remember(load_plugins(known.entry_points))
    return known


def said_by(check):
    """What the one-line error of ``check`` says; None if it raises none."""
    try:
        check()
    except ObjbenchError as error:
        return str(error)
    return None


def test_nothing_is_known_of_a_plugin_that_was_never_loaded(projects, tmp_path):
    projects.add("objbench-x", x="raise RuntimeError('imported')")
    known = KnownPlugins(tmp_path / "cache", tuple(projects.entry_points()))
    assert known.names == ("x",)
    assert known.describe("x") is None
    known.require("suite", "x")
    known.check_options(["x"], [], {"x": {"any": 1}})
    assert not (tmp_path / "cache").exists()


def test_kind_and_options_are_known_after_loading_and_without_importing(plain):
    for name in [name for name in sys.modules if name.startswith("objbench_x_")]:
        del sys.modules[name]
    found = plain.describe("x")
    options = dict(found.options)
    options.pop("many")
    assert (found.kind, options) == ("objective", OPTIONS)
    assert "objbench_x_x" not in sys.modules
    with pytest.raises(UnknownNameError, match="unknown option 'raet' of x; did you mean 'rate'"):
        plain.check_options(["x"], [], {"x": {"raet": 1}})
    with pytest.raises(ConfigError, match=r"x\.rate = 'hot' does not fit"):
        plain.check_options(["x"], [], {"x": {"rate": "hot"}})
    with pytest.raises(UnknownNameError, match="unknown option 'raet' of x; did you mean 'rate'"):
        plain.check_options(["x@1"], [], {"x@1": {"x": {"raet": 1}}})
    plain.require("objective", "x@1")
    # A list is no type that the cache holds: any value is left to the plugin.
    plain.check_options(["x"], [], {"x": {"many": "?", "kind": "none", "count": "3"}})


@pytest.mark.parametrize("module", ["x", "y"])
def test_what_is_known_goes_stale_with_the_sources(plain, projects, module):
    path = projects.folder / f"objbench_x_{module}.py"
    path.write_text(path.read_text() + "# edited\n")
    assert plain.describe("x") is None
    path.unlink()
    assert plain.describe("x") is None


def test_a_plugin_that_changed_is_described_again(plain, projects):
    path = projects.folder / "objbench_x_x.py"
    path.write_text(PLAIN.replace("rate: float", "share: float"))
    for name in [name for name in sys.modules if name.startswith("objbench_x_")]:
        del sys.modules[name]
    plain.remember(load_plugins(plain.entry_points))
    assert "share" in plain.describe("x").options


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "\x00",
        '{"kind": "suite", "options": {}, "sources": {}}',
        '{"kind": "suite", "options": {"a": "nothing"}, "sources": {"/nowhere": ""}}',
        '{"kind": "suite", "options": 3, "sources": 4}',
    ],
)
def test_a_cache_that_cannot_be_read_says_nothing_and_is_written_again(plain, text):
    (path,) = plain.cache.iterdir()
    before = path.read_text()
    path.write_text(text)
    assert plain.describe("x") is None
    plain.remember(load_plugins(plain.entry_points))
    assert json.loads(path.read_text()) == json.loads(before)


def test_a_cache_that_cannot_be_written_is_no_error(projects, objective_source, tmp_path):
    projects.add("objbench-x", x=objective_source("x"))
    (tmp_path / "file").write_text("")
    known = KnownPlugins(tmp_path / "file", tuple(projects.entry_points()))
    known.remember(load_plugins(known.entry_points))
    assert known.describe("x") is None


def test_two_copies_of_a_project_do_not_share_what_is_known(plain, projects, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "objbench_x_x.py").write_text(PLAIN)
    for name in [name for name in sys.modules if name.startswith("objbench_x_")]:
        del sys.modules[name]
    monkeypatch.syspath_prepend(copy)
    assert plain.describe("x") is None


def test_a_name_that_two_projects_claim_is_left_to_loading(projects, objective_source, tmp_path):
    projects.add("objbench-first", x=objective_source("x"))
    projects.add("objbench-second", x=objective_source("x"))
    known = KnownPlugins(tmp_path / "cache", tuple(projects.entry_points()))
    known.remember(load_plugins(known.entry_points))
    known.check_options(["x"], [], {"x": {"neither": 1}})


def test_an_unknown_name_lists_the_plugins_of_its_kind(plain):
    with pytest.raises(UnknownNameError, match=r"unknown objective 'y'.*\(known: x\)"):
        plain.require("objective", "y")
    with pytest.raises(UnknownNameError, match=r"unknown suite 'y' \(known: none\)"):
        plain.require("suite", "y")
    with pytest.raises(UnknownNameError, match=r"unknown plugin 'y'.*\(known: x\)"):
        plain.require("plugin", "y")
    with pytest.raises(WrongKindError, match="'x' is an objective, not a term"):
        plain.require("objective", "x+x")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    known = KnownPlugins(tmp_path_factory.mktemp("plugins"))
    registry = load_plugins()
    known.remember(registry)
    return known, registry


def test_all_plugins_of_this_repository_are_known_with_all_their_options(installed):
    known, registry = installed
    for kind, classes in registry.by_kind.items():
        for name, cls in classes.items():
            if registry.origin(name).project == "objbench":
                found = known.describe(name)
                assert (found.kind, set(found.options)) == (kind, set(option_types(cls))), name


@pytest.mark.parametrize(
    ("objectives", "suites"),
    [(["mlm", "glue"], []), (["mlm", "convergence"], []), (["mlm"], ["taco"]), (["mlm+toy"], [])],
)
def test_the_wrong_kind_is_reported_as_the_registry_reports_it(installed, objectives, suites):
    known, registry = installed
    early = said_by(
        lambda: (
            [known.require("objective", name) for name in objectives]
            + [known.require("suite", name) for name in suites]
        )
    )
    late = said_by(
        lambda: (
            [registry.objective(name) for name in objectives]
            + [registry.suite(name) for name in suites]
        )
    )
    assert early is not None
    assert early == late


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.lists(st.integers(), max_size=2)
)  # fmt: skip
TACO_OPTIONS = st.sampled_from(["rate", "window", "anchors", "negatives", "weigth", "temperature"])


@settings(deadline=None, max_examples=40)  # a first call imports pydantic
@given(st.dictionaries(TACO_OPTIONS, VALUES, max_size=3))
def test_the_early_check_says_what_the_late_one_says(installed, options):
    known, registry = installed
    early = said_by(lambda: known.check_options(["taco"], [], {"taco": options}))
    late = said_by(lambda: configure(registry.objective("taco"), options))
    assert early == late or (early is None and late.startswith("options of taco: "))


COLD_THEN_WARM = """
import sys
from objbench.cli.main import main
assert main(["run", "--objectives", "mlm", "--preset", "demo", "--mlm-raet", "1"]) == 2
print("torch" in sys.modules)
"""


def test_a_slip_is_reported_cold_after_loading_and_warm_without_torch(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ended = [
        subprocess.run(
            [sys.executable, "-c", COLD_THEN_WARM],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        for _ in range(2)
    ]
    assert [one.returncode for one in ended] == [0, 0], ended[0].stderr
    assert [one.stdout.strip() for one in ended] == ["True", "False"]
    assert ended[0].stderr == ended[1].stderr
    assert "unknown option 'raet' of mlm; did you mean 'rate'?" in ended[0].stderr


def test_an_unknown_objective_is_answered_with_objectives_only_on_a_new_machine(tmp_path):
    with pytest.raises(UnknownNameError) as refused:
        KnownPlugins(tmp_path / "empty").require("objective", "typo")
    listed = str(refused.value).partition("(known: ")[2].partition(")")[0].split(", ")
    assert {"mlm", "taco"} <= set(listed)
    assert not {"glue", "toy", "blimp", "convergence"} & set(listed)
