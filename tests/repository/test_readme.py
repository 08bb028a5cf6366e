"""The README is true: its commands, study files, formats, plugin and table are what is there."""

import bz2
import gzip
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import BertTokenizer

import objbench
from objbench.cli.main import main, parse
from objbench.cli.plugins import plugins_table
from objbench.contract.encoder_spec import Vocabulary
from objbench.data.corpus import open_corpus
from objbench.engine.encoder.build import build_encoder, encoder_spec_of
from objbench.engine.encoder.export import export_encoder
from objbench.errors import ObjbenchError
from objbench.judge.papers.claims import parse_claims
from objbench.plugins.loading import load_plugins
from objbench.study.files import file_layer
from objbench.study.settings import EncoderSection
from objbench.study.study import build_study
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_suites.own_tasks import read_own_tasks

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = {"README.md": README, "CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text("utf-8")}


def blocks(language, text=README):
    """The fenced blocks of one language, in order."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for name, block in fenced if name == language]


def commands(text):
    """The commands of a page's shell blocks, each as words, continued lines joined."""
    lines = "".join(blocks("sh", text)).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


(OBJECTIVE,) = (block for block in blocks("python") if "class Half" in block)
(ANALYSIS,) = (block for block in blocks("python") if "statistics.estimate" in block)
(COMPARISON,) = (block for block in blocks("python") if "matplotlib" in block)
STUDIES = [block for block in blocks("toml") if "objectives =" in block]
OF_OBJBENCH = [
    words[words.index("objbench") + 1 :] for words in commands(README) if "objbench" in words
]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_found_by_somebody_who_follows_the_page(page):
    """``objbench`` is in no fresh clone: ``make`` installs it, and an environment is activated."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    installed = activated = False
    for first, *rest in commands(PAGES[page]):
        if first == "make":
            assert rest[0] in targets
            installed = True
        elif [first, *rest] == ["source", ".venv/bin/activate"]:
            assert installed, "nothing has made .venv yet"
            activated = True
        elif first in {"pip", "objbench", "accelerate"}:
            assert activated, f"{first} is run before anything is activated"
        else:
            assert (ROOT / first).is_file(), f"{first} comes from nowhere"


@pytest.mark.parametrize("words", OF_OBJBENCH, ids=" ".join)
def test_every_command_of_objbench_parses(words):
    parse(words)


(LISTED,) = (text for text in blocks("") if text.startswith("--corpus"))
FLAGS = re.findall(
    r"(?<![\w-])(--[\w-]+)(?:[ =]([^\s|-][^\s|`]*))?",
    "\n".join(
        [
            LISTED,
            *re.findall(
                r"`[^`\n]*--[^`]*`",
                re.sub(r"`(?:pytest|pip|ray|register-python-argcomplete) [^`]*`", "", README),
            ),
        ]
    ),
)


@pytest.mark.parametrize(("flag", "value"), sorted(set(FLAGS)))
def test_every_flag_is_one_of_a_command(flag, value):
    words = [flag, "2" if value == "N" else value] if value else [flag]
    commands = (
        ["run"],
        ["plan"],
        ["work", "--run", "RUN"],
        ["verify", "RUN"],
        ["leaderboard"],
        ["selftest"],
        ["plugins"],
        ["claims"],
        ["new"],
        ["prune", "RUN"],
        ["watch", "RUN"],
    )
    refusals = [_refusal([*command, *words]) for command in commands]
    # A flag that is named alone may need a value.
    assert any(not text or (not value and "unknown" not in text) for text in refusals), refusals


def _refusal(words):
    try:
        parse(words)
    except ObjbenchError as error:
        return str(error)
    return ""


def test_every_run_of_a_study_that_is_here_names_one_that_is_here():
    files = [words[words.index("--config") + 1] for words in OF_OBJBENCH if "--config" in words]
    assert len(files) >= 2
    assert all((ROOT / file).is_file() for file in files)


@pytest.mark.parametrize("text", STUDIES)
def test_every_study_file_is_one(text, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(text)
    study = build_study([file_layer(path)], str(path))
    words = Vocabulary(100, 0, 2, 3, 4, (0, 1, 2, 3, 4), ("",) * 100)
    encoder = build_encoder(study.encoder, words, study.data.length, seed=0)
    assert encoder.config.model_type == study.encoder.model_type


def test_the_encoders_named_are_those_that_the_tests_take(families):
    named = re.search(r"The tests take (.*?), each\s", README, re.DOTALL)[1]
    assert set(re.findall(r"`([\w-]+)`", named)) == set(families.FAMILIES)


def test_the_corpus_formats_are_as_it_says(tmp_path):
    (tmp_path / "one.txt").write_text("a line\nanother\n\nthe second document\n")
    (tmp_path / ".hidden.txt").write_text("not read\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "two.jsonl.gz").write_bytes(gzip.compress(json.dumps({"text": "third"}).encode()))
    pq.write_table(pa.table({"text": ["fourth", None]}), inside / "three.parquet")
    (inside / "five.csv.bz2").write_bytes(bz2.compress(b"text\nfifth\n"))
    (inside / "wiki_00").write_text('<doc id="1">\nsixth\n\n</doc>\n')
    (inside / "test-00000-of-00002.jsonl").write_text(json.dumps({"text": "tested"}))
    corpus = open_corpus(str(tmp_path))
    trained = {"a line\nanother", "the second document", "third", "fourth", "fifth", "sixth"}
    assert set(corpus.training()) == trained
    assert list(corpus.heldout()) == ["tested"]
    (inside / "dev").mkdir()
    (inside / "dev" / "a.txt").write_text("development")
    assert list(open_corpus(str(tmp_path)).heldout()) == ["development"]
    (inside / "heldout.txt").write_text("held out\n\nsixth")
    (inside / "picture.png").write_text("")
    corpus = open_corpus(str(tmp_path))
    assert set(corpus.training()) == trained - {"sixth"}
    assert list(corpus.heldout()) == ["held out", "sixth"]
    for name in ("test-00000-of-00002.jsonl", "dev/a.txt", "picture.png"):
        assert name in corpus.summary.split("not read: ")[1]


def test_its_tasks_are_a_file_of_tasks(tmp_path):
    (text,) = (block for block in blocks("toml") if "[tasks." in block)
    (tmp_path / "tasks.toml").write_text(text)
    tasks = read_own_tasks(tmp_path / "tasks.toml")
    assert [task.is_graded for task in tasks.values()] == [False, True]


def test_its_claim_is_a_claim_file():
    (text,) = (block for block in blocks("toml") if "[[claims]]" in block)
    claims = parse_claims(text, "mine", "mine.toml")
    assert claims.scale.tokens_seen == 1024 * 256 * 250_000
    other = text.replace("sequences = 1024 ", "tokens = 65_536_000_000 ").replace(
        "length = 256\n", ""
    )
    assert parse_claims(other, "mine", "mine.toml").scale.tokens_seen == claims.scale.tokens_seen


def test_its_analysis_prints_what_it_shows():
    command = [sys.executable, "-c", ANALYSIS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (shown,) = (block for block in blocks("text") if "taco - mlm" in block)
    assert done.stdout == shown


@pytest.mark.slow
def test_its_plan_prints_what_it_shows(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plans = [words for words in OF_OBJBENCH if words[0] == "plan"]
    shown = blocks("console")
    assert len(plans) == len(shown) == 2
    for words, block in zip(plans, shown, strict=True):
        assert main(words) == 0
        printed = capsys.readouterr().out
        assert printed.splitlines() == block.splitlines()


def test_its_example_prints_what_it_says():
    (expected,) = blocks("text")
    ended = subprocess.run(
        [sys.executable, "-c", f"{ANALYSIS}\nimport sys; assert 'torch' not in sys.modules"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    lines = [[line.rstrip() for line in text.splitlines()] for text in (ended.stdout, expected)]
    assert lines[0] == lines[1]


def test_its_comparison_draws_two_studies_by_public_names_alone(tmp_path):
    assert set(re.findall(r"objbench\.(\w+)", COMPARISON)) <= set(objbench.__all__)
    assert re.findall(r"^(?:from|import) .*", COMPARISON, re.MULTILINE) == [
        "import matplotlib.pyplot as plt",
        "import objbench",
    ]
    (tmp_path / "leaderboard").symlink_to(ROOT / "leaderboard")
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", COMPARISON],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "svg"},
    )
    lines = ended.stdout.splitlines()
    assert len(lines) == 2
    for line, name in zip(lines, ("toy", "demo-all"), strict=True):
        assert re.fullmatch(
            rf"leaderboard/{name}: taco better by [+-]\d\.\d\d\d nats on \d+ seeds", line
        )
    picture = (tmp_path / "two-studies.svg").read_text()
    # A line per seed and one per objective in the legend, on axes with text.
    assert picture.count('id="line2d_') > 20


SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def test_its_lines_load_an_exported_encoder(tmp_path, monkeypatch, capsys):
    (text,) = (block for block in blocks("python") if "AutoModelForMaskedLM" in block)
    pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "so", "gimo", "is", "by", "mebo", ".")
    words = Vocabulary(len(pieces), 0, 2, 3, 4, (0, 1, 2, 3, 4), pieces)
    encoder = build_encoder(EncoderSection(config=SMALL), words, 32, seed=0)
    objective = MaskedLanguageModeling(
        MaskedLanguageModeling.Config(), encoder_spec_of(encoder, words)
    )
    folder = tmp_path / "runs/demo/encoders/mlm.seed0.0123456789abcdef/step-2000"
    tokenizer = BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)})
    export_encoder(encoder, tokenizer, folder, objective)
    monkeypatch.chdir(tmp_path)
    made = {}
    exec(text, made)  # noqa: S102 - it is ours
    assert type(made["encoder"]).__name__ == "BertModel"
    assert torch.equal(made["model"].cls.predictions.bias, objective.token_head.bias)
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_its_objective_is_about_thirty_lines_of_code():
    lines = [line for line in OBJECTIVE.splitlines() if line.strip()]
    assert len(lines) <= 30


def test_its_objective_loads_as_a_foreign_plugin(tmp_path, monkeypatch):
    (text,) = (block for block in blocks("toml") if "[project]" in block)
    project = tomllib.loads(text)["project"]
    info = tmp_path / "objbench_half_masked-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    entries = "".join(f"{n} = {m}\n" for n, m in project["entry-points"]["objbench"].items())
    (info / "entry_points.txt").write_text(f"[objbench]\n{entries}")
    (tmp_path / "half_masked.py").write_text(OBJECTIVE)
    monkeypatch.syspath_prepend(tmp_path)
    registry = load_plugins(only={"half_masked"})
    assert registry.broken == ()
    assert registry.objective("half_masked").Config().rate == 0.5


LINKS = [
    (page, *link)
    for page in (*PAGES, "objectives/README.md")
    for link in sorted(
        set(re.findall(r"\]\((?!https:)([^)#]*)#?([^)]*)\)", (ROOT / page).read_text()))
    )
]


@pytest.mark.parametrize(("page", "path", "heading"), LINKS)
def test_every_link_leads_somewhere(page, path, heading):
    target = (ROOT / page).parent / path if path else ROOT / page
    assert target.exists()
    if heading:
        headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
        assert heading in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_the_table_is_what_this_project_registers():
    """To update it: objbench plugins --markdown."""
    registry = load_plugins()

    def ours(classes):
        return {n: cls for n, cls in classes.items() if registry.origin(n).project == "objbench"}

    kinds = {kind: ours(getattr(registry, kind)) for kind in ("objectives", "terms", "suites")}
    expected = plugins_table(replace(registry, **kinds))
    table = re.search(r"<!-- plugins -->\n(.*)\n<!-- end of plugins -->", README, re.DOTALL)
    assert table[1] == expected
