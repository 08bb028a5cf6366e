"""What strangers wrote is shown as text: it commands no page, terminal, picture or file system."""

import json
import re
from xml.etree import ElementTree

import pytest
from foreign_study import (
    HOSTILE,
    MARKUP,
    step_comparison,
)
from markdown_it import MarkdownIt

from objbench.cli.leaderboard import write_and_print
from objbench.errors import ConfigError, RecordError
from objbench.leaderboard.across.page import compare_studies, write_across
from objbench.leaderboard.across.sections import MARK as ACROSS
from objbench.leaderboard.index import MARK as OWN
from objbench.leaderboard.index import write_index
from objbench.leaderboard.page import MARK, write_leaderboard
from objbench.results.run_folder import RunFolder

CLAIMS = """
summary = "S"
objective = "taco"
baseline = "mlm"
source = {paper = "S", url = "https://example.org/a)![x](javascript:alert(1))<b>", read = "paper", measured = "S"}
scale = {parameters = 1, steps = 1, tokens = 1, note = "S"}
score = {suite = "S", protocol = "S", average = "S"}
[[claims]]
id = "a"
kind = "speedup"
axis = "steps"
value = 2.0
where = "S"
wording = "S"
"""
FIGURES = {
    "source": "S",
    "model": "S",
    "claims": ["S"],
    "average": "S",
    "columns": ["S"],
    "validation": {"mlm-1k": [1.0], "taco-1k": [2.0]},
    "figure_1": {"note": "S", "mlm": {"1": 1.0}, "taco": {"1": 2.0}},
}


def require_harmless(text, pictures=()):
    """Nothing in a page is markup but its own."""
    assert all(line.isprintable() for line in text.split("\n"))
    before = ""
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        for token in [block, *(block.children or ())]:
            if token.type in ("html_block", "html_inline"):
                left = re.sub(r"</?(details|summary|sub|br)>", "", token.content)
                for mark in (MARK, OWN, ACROSS):
                    left = left.replace(f"<!-- {mark} -->", "")
                assert "<" not in left
            for name in ("href", "src"):
                address = token.attrs.get(name, "")
                assert re.match(r"(https://|[^:]*$)", address)
                assert ".." not in address
            assert token.type != "image" or token.attrs["src"] in pictures
        assert block.type != "fence" or block.info in ("sh", "json")
        assert before != "heading_open" or not re.match(r"(h|pwned)\b", block.content)
        before = block.type
    listings = re.compile(r"(````*)(sh|json)\n.*?\n\1", re.DOTALL)
    assert not re.search(r"(?<!\\)\$x", listings.sub("", text))


def tree(folder):
    return {p: p.lstat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_page_terminal_pictures_and_files(hostile, tmp_path, capsys):
    run, taken = hostile
    assert {"command", "summary", "reference", "reason", "device", "project", "study"} <= {
        name for _, name in taken
    }
    before = tree(tmp_path)
    out = tmp_path / "out" / "a"
    write_and_print(run, out, with_records=True)
    after = tree(tmp_path)
    assert {p for p in after if out not in p.parents} == {*before}
    assert all(after[p] == before[p] for p in before)
    pictures = [path.name for path in out.glob("*.svg")]
    assert pictures
    require_harmless((out / "README.md").read_text(), pictures)
    shown = capsys.readouterr().out
    assert all(line.isprintable() for line in shown.split("\n"))
    for name in pictures:
        for element in ElementTree.parse(out / name).iter():
            kind = element.tag.rpartition("}")[2]
            assert kind not in ("script", "image", "foreignObject", "a")
            assert not any(attribute.startswith("on") for attribute in element.attrib)


def test_the_index_over_studies_claims_and_figures(hostile, tmp_path):
    run, _ = hostile
    root = run.parent
    quoted = json.dumps(HOSTILE.replace("\0", "").replace("\x9b", ""))
    for folder in ("claims", "figures", "selftest"):
        (root / folder).mkdir()
    text = json.dumps(HOSTILE)
    (root / "claims" / "javascript:a.toml").write_text(CLAIMS.replace('"S"', quoted))
    (root / "figures" / "a b](x.json").write_text(json.dumps(FIGURES).replace('"S"', text))
    (root / "selftest" / "a.md").write_text(f"# {MARKUP}\n")
    run.rename(root / "javascript:alert(1)")
    page = write_index(root, tmp_path / "out")
    require_harmless(page.read_text())


def test_a_page_across_studies(hostile, hostile_run, tmp_path):
    run, _ = hostile
    other, _ = hostile_run(run.parent / "$x$ <b>[a](b) `", seeds=(3, 4), declared=((3,), (4,)))
    plans = [json.loads((folder / "plan.json").read_text()) for folder in (run, other)]
    for folder, plan in zip((run, other), plans, strict=True):
        plan["study"]["encoder"] = {"model_type": MARKUP}
        plan["data"] = {"vocabulary": MARKUP, "train_tokens": [HOSTILE]}
        (folder / "plan.json").write_text(json.dumps(plan))
        (folder / "lines.json").unlink(missing_ok=True)  # They are of another text.
    before = tree(tmp_path)
    out = tmp_path / "out" / "javascript:alert(1)"
    write_across([run, other], out, compare_studies([run, other]))
    after = tree(tmp_path)
    assert {p for p in after if out not in p.parents} == {*before}
    names = [path.name for path in out.glob("*.svg")]
    require_harmless((out / "README.md").read_text(), names)
    for name in names:
        for element in ElementTree.parse(out / name).iter():
            assert element.tag.rpartition("}")[2] not in ("script", "image", "foreignObject", "a")


@pytest.mark.parametrize(
    "name", ["NOTES.md", "leaderboard", "plan.json", "records", "overhead.json"]
)
def test_no_link_out_of_a_study_is_followed(make_study, tmp_path, name):
    study = make_study(points=1)
    run = study.write(tmp_path / "run")
    RunFolder(run).write_step_comparison(step_comparison(study))
    outside = tmp_path / "outside"
    if (run / name).exists():
        (run / name).rename(outside)
    elif name == "leaderboard":
        outside.mkdir()
    else:
        outside.write_text("secret")
    (run / name).symlink_to(outside)
    before = tree(tmp_path)
    with pytest.raises((ConfigError, RecordError), match="a link leads out of its folder"):
        write_leaderboard(run, RunFolder(run).leaderboard if name == "leaderboard" else run)
    assert tree(tmp_path) == before


def test_pages_and_pictures_replace_links(make_study, tmp_path):
    study = make_study(points=2)
    out, outside = tmp_path / "out", tmp_path / "outside"
    out.mkdir()
    outside.write_text("mine")
    names = ("README.md", "convergence-glue.svg", "speedup-glue.svg", "convergence-old.svg")
    for name in (*names, "evaluation.jsonl", "sources.json"):
        (out / name).symlink_to(outside)
    (out / "plan.json").unlink(missing_ok=True)
    write_leaderboard(study.write(tmp_path / "run"), out, with_records=True)
    assert outside.read_text() == "mine"
    assert not any(path.is_symlink() for path in out.iterdir())
