"""Plugins are found without loading them, and a broken one spoils nothing but itself."""

import sys

import pytest

from objbench.errors import PluginError, UnknownNameError, WrongKindError
from objbench.plugins.loading import load_plugins, plugin_entry_points

IN_TREE = {"mlm", "taco", "glue", "toy", "probe", "convergence"}


def with_line(source, old, new):
    assert old in source
    return source.replace(old, new)


def names(entry_points=None):
    return [entry.name for entry in plugin_entry_points(entry_points)]


def reasons(registry):
    return {(broken.name, broken.origin.project): broken.reason for broken in registry.broken}


def test_names_are_known_without_importing_the_plugins(projects):
    projects.add("objbench-x", x="raise RuntimeError('imported')")
    assert names(projects.entry_points()) == ["x"]
    assert "objbench_x_x" not in sys.modules


def test_the_plugins_of_this_repository_are_installed():
    assert set(names()) >= IN_TREE


def test_many_faults_at_once_are_each_named_and_the_good_plugins_load(projects, objective_source):
    good = objective_source
    projects.add("objbench", "9.9", first=good("first"))
    projects.add(
        "objbench-faults",
        "2.0",
        absent="import nowhere_to_be_found",
        dies="import sys; sys.exit('no GPU')",
        argument=with_line(good("argument"), "(register):", "(registrar):"),
        misspelt=with_line(good("misspelt"), "def register_objectives", "def register_objectivs"),
        unmarked=with_line(good("unmarked"), "@hookimpl", ""),
        raises=with_line(good("raises"), "register(Good)", "1 / 0"),
        instance=with_line(good("instance"), "register(Good)", "register(Good(None, None))"),
        silent=with_line(good("silent"), 'summary = "a good objective"', ""),
        loose=with_line(
            good("loose"),
            "def corrupt",
            "@dataclass\n        class Config: ...\n        def corrupt",
        ),
        abstract=with_line(good("abstract"), "def corrupt", "def corrupts"),
        other=good("stranger"),
    )
    projects.add("objbench-late", first=good("first"), second=good("second"))

    registry = load_plugins(projects.entry_points())

    assert sorted(registry.objectives) == ["first", "second"]
    assert str(registry.origin("first")) == "objbench 9.9"
    assert registry.origin("second").project == "objbench-late"
    found = reasons(registry)
    assert {name for name, _ in found} == {
        "absent", "dies", "argument", "misspelt", "unmarked", "raises", "instance", "silent",
        "loose", "abstract", "other", "first",
    }  # fmt: skip
    fault = {name: reason for (name, project), reason in found.items()}
    assert "nowhere_to_be_found" in fault["absent"]
    assert "no GPU" in fault["dies"]
    assert "registrar" in fault["argument"]
    assert "register_objectivs" in fault["misspelt"]
    assert "@hookimpl" in fault["unmarked"]
    assert "ZeroDivisionError" in fault["raises"]
    assert "not a subclass of Objective" in fault["instance"] or "corrupt" in fault["instance"]
    assert "declares no summary" in fault["silent"]
    assert "not frozen" in fault["loose"]
    assert "does not define corrupt" in fault["abstract"]
    assert "'stranger'" in fault["other"]
    assert "taken by objbench 9.9" in found["first", "objbench-late"]
    assert all("\n" not in reason for reason in fault.values())


def test_what_a_broken_plugin_registered_before_its_fault_is_taken_back(projects, objective_source):
    source = with_line(objective_source("half"), "register(Good)", "register(Good); 1 / 0")
    projects.add("objbench-half", half=source)
    registry = load_plugins(projects.entry_points())
    assert not registry.objectives
    with pytest.raises(PluginError, match=r"'half' \(objbench-half 1.0\).*ZeroDivisionError"):
        registry.objective("half")


def test_only_what_is_asked_for_is_loaded(projects, objective_source):
    projects.add("objbench-y", a=objective_source("a"), b="raise RuntimeError('loaded')")
    registry = load_plugins(projects.entry_points(), only=["a"])
    assert list(registry.objectives) == ["a"]
    assert not registry.broken


def test_the_environment_limits_loading(projects, objective_source, monkeypatch):
    projects.add("objbench-y", a=objective_source("a"), b=objective_source("b"))
    monkeypatch.setenv("OBJBENCH_PLUGINS", " b ,")
    assert names(projects.entry_points()) == ["b"]
    assert list(load_plugins(projects.entry_points()).objectives) == ["b"]
    monkeypatch.setenv("OBJBENCH_PLUGINS", "bb")
    with pytest.raises(
        UnknownNameError, match=r"unknown plugin 'bb'; did you mean 'b'.*OBJBENCH_P"
    ):
        plugin_entry_points(projects.entry_points())


def test_two_entry_points_may_share_a_module(projects, objective_source):
    source = objective_source("a") + (
        "    class Second(Good):\n"
        "        name = 'b'\n"
        "    @hookimpl(specname='register_objectives')\n"
        "    def again(register):\n"
        "        register(Second)\n"
    )
    projects.add("objbench-pair", a=source, b="")
    entries = [
        type(entry)(entry.name, "objbench_pair_a", entry.group)._for(entry.dist)
        for entry in projects.entry_points()
    ]
    registry = load_plugins(entries)
    assert sorted(registry.objectives) == ["a", "b"]
    assert not registry.broken


def test_unknown_names_come_with_a_guess_and_the_wrong_kind_is_told(projects, objective_source):
    projects.add("objbench-y", shuffled=objective_source("shuffled"))
    registry = load_plugins(projects.entry_points())
    with pytest.raises(UnknownNameError, match=r"did you mean 'shuffled'.*pip install -e"):
        registry.objective("shufled")
    with pytest.raises(WrongKindError, match=r"'shuffled' is an objective, not a suite"):
        registry.suite("shuffled")


def test_suites_are_checked_too(projects):
    suite = """
        from objbench import CurveSuite, hookimpl

        class Bad(CurveSuite):
            name = "bad"
            summary = "no version, methods missing"

        @hookimpl
        def register_suites(register):
            register(Bad)
    """
    projects.add("objbench-z", bad=suite)
    (reason,) = reasons(load_plugins(projects.entry_points())).values()
    assert "does not define columns, follows, measure, seeds_per_point" in reason


def test_a_broken_plugin_is_named_with_the_line_that_fails(projects):
    projects.add("faulty", attr="import math\n\nmath.HIDDEN\n", syntax="x = 1\ny = = 2\n")
    attr, syntax = load_plugins(projects.entry_points()).broken
    assert attr.reason.startswith("AttributeError: module 'math' has no attribute 'HIDDEN'")
    assert attr.reason.endswith("faulty_attr.py:3)")
    assert syntax.reason.startswith("SyntaxError: invalid syntax (")
    assert syntax.reason.count("faulty_syntax.py") == 1  # Python's own words end with the place too
    assert syntax.reason.endswith("faulty_syntax.py:2)")
