"""The README is true: its objective is a working plugin, its table is what is installed."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from objbench.cli.plugins import plugins_table
from objbench.plugins.registry import load_plugins

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
OBJECTIVE = next(
    block
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    if "class Half" in block
)


def test_it_is_about_thirty_lines_of_code():
    lines = [line for line in OBJECTIVE.splitlines() if line.strip()]
    assert len(lines) <= 30


def test_it_loads_as_a_foreign_plugin(tmp_path, monkeypatch):
    metadata = tmp_path / "objbench_half_masked-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: objbench-half-masked\nVersion: 0.1\n"
    )
    (metadata / "entry_points.txt").write_text("[objbench]\nhalf_masked = half_masked\n")
    (tmp_path / "half_masked.py").write_text(OBJECTIVE)
    monkeypatch.syspath_prepend(tmp_path)
    registry = load_plugins(only={"half_masked"})
    assert registry.broken == ()
    assert registry.objective("half_masked").Config().rate == 0.5


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([\w./-]+)\)", README))))
def test_every_link_leads_somewhere(path):
    assert (Path(__file__).parents[2] / path).exists()


def test_the_table_is_what_this_project_registers():
    """To make it anew: objbench plugins --markdown."""
    registry = load_plugins()

    def ours(classes):
        return {n: cls for n, cls in classes.items() if registry.origin(n).project == "objbench"}

    kinds = {kind: ours(getattr(registry, kind)) for kind in ("objectives", "terms", "suites")}
    expected = plugins_table(replace(registry, **kinds))
    table = re.search(r"<!-- plugins -->\n(.*)\n<!-- end of plugins -->", README, re.DOTALL)
    assert table[1] == expected
