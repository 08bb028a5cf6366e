"""The digest of a plugin's source changes with the code behind it and with nothing else."""

import importlib
import sys
import textwrap

import pytest

from objbench.plugins.source_digest import source_digest


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a small plugin package and gives the digest of its class, freshly imported."""
    folder = tmp_path / "plug"
    folder.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    files = {
        "__init__.py": "",
        "objective.py": """
            from objbench.blocks.masking import slot_count
            from plug.parent import Parent

            class Child(Parent):
                def loss(self):
                    from . import lazily
        """,
        "parent.py": "import json\nfrom plug.constants import RATE\nclass Parent: ...",
        "constants.py": "RATE = 1",
        "lazily.py": "",
        "unrelated.py": "",
    }

    def digest(**changes):
        for name, text in (files | {f"{k}.py": v for k, v in changes.items()}).items():
            (folder / name).write_text(textwrap.dedent(text))
        for name in [name for name in sys.modules if name.partition(".")[0] == "plug"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        return source_digest(importlib.import_module("plug.objective").Child)

    yield digest
    for name in [name for name in sys.modules if name.partition(".")[0] == "plug"]:
        del sys.modules[name]


def test_it_follows_parents_constants_and_imports_inside_functions(package):
    first = package()
    assert package() == first
    assert len(first) == 64
    for module in ("parent", "constants", "lazily"):
        changed = "RATE = 2\nfrom plug.constants import RATE\nclass Parent: ..."
        assert package(**{module: changed if module == "parent" else "RATE = 3"}) != first
    assert package(unrelated="x = 1") == first


def test_a_building_block_of_the_core_enters_by_name(package, monkeypatch):
    first = package()
    read = (
        importlib.import_module("objbench.plugins.source_digest")
        ._path("objbench.blocks.masking")
        .read_text()
    )
    original = importlib.import_module("pathlib").Path.read_text

    def edited(path, *arguments, **settings):
        text = original(path, *arguments, **settings)
        return text + "# edited" if text == read else text

    monkeypatch.setattr("pathlib.Path.read_text", edited)
    assert package() != first


def test_a_class_without_source_is_refused():
    made = type("Made", (), {"__module__": "made_up_module"})
    with pytest.raises(LookupError, match="made_up_module has no source file"):
        source_digest(made)
