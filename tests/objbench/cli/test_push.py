"""``objbench push`` against a stand-in for the hub: what goes up, what is refused, what is said."""

import io
import json
import re
import sys

import pandas as pd
import pytest
import torch
import yaml
from huggingface_hub import ModelCard, constants
from transformers import AutoModelForMaskedLM

from objbench.cli.main import main
from objbench.engine.encoder.build import build_encoder, encoder_spec_of
from objbench.engine.encoder.checkpoint_source import read_checkpoint_source
from objbench.engine.encoder.export import export_encoder
from objbench.engine.encoder.load import load_tokenizer
from objbench.errors import CheckpointError
from objbench.leaderboard.hub.model_card import licence_fields
from objbench.results.study_results import read_study_results
from objbench.study.settings import EncoderSection
from objbench_objectives.mlm import MaskedLanguageModeling

TO = "ada/toy-study"
MODEL = f"{TO}-mlm-seed-1"


@pytest.fixture(scope="module")
def checkpoint(make_checkpoint):
    return make_checkpoint("bert")


@pytest.fixture
def run(make_study, checkpoint, tmp_path_factory):
    """A made-up study of mlm and taco with two seeds; of mlm's first seed the encoder is there."""
    folder = tmp_path_factory.mktemp("runs") / "pushed"
    study = make_study()
    source = read_checkpoint_source(str(checkpoint))
    section = EncoderSection(
        model_type=source.model_type, init=str(checkpoint), init_digest=source.digest
    )
    tokenizer = load_tokenizer(checkpoint)
    encoder = build_encoder(section, tokenizer.vocabulary(), 16, seed=0)
    spec = encoder_spec_of(encoder, tokenizer.vocabulary())
    objective = MaskedLanguageModeling(MaskedLanguageModeling.Config(), spec)
    *before, point = study.records["mlm.seed-1"].points
    name = "encoders/mlm.seed-1/step-1200"
    digest = export_encoder(encoder, tokenizer.hf, folder / name, objective)
    last = point.model_copy(update={"encoder": name, "digest": digest})
    study.change("mlm.seed-1", points=[*before, last])
    return study.write(folder)


@pytest.fixture
def hub(hub_server, monkeypatch, tmp_path):
    """The stand-in, which the client asks with the test's token."""
    server = hub_server.Hub()
    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    template = server.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_TOKEN", hub_server.TOKEN)
    server.token = hub_server.TOKEN
    yield server
    server.close()


def push(run, *words):
    return main(["push", str(run), "--to", TO, *words])


def metadata(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_a_dry_run_says_what_would_go_up_and_asks_no_network(run, hub, capsys):
    assert push(run) == 0
    printed = capsys.readouterr().out
    assert re.search(rf"^model {MODEL}: \d+ files, [\d.]+ MiB$", printed, re.MULTILINE)
    assert re.search(rf"^dataset {TO}: \d+ files, [\d.]+ MiB$", printed, re.MULTILINE)
    size = next((run / "encoders").rglob("model.safetensors")).stat().st_size
    assert re.search(rf"^ +{size:,} model.safetensors$", printed, re.MULTILINE)
    assert "left out: taco, seed 1: its encoder is not in" in printed
    assert "licence of the data: unknown" in printed
    assert "nothing was sent: give --yes to upload" in printed
    assert hub.requests == [] and hub.token not in printed


@pytest.fixture
def pushed(run, hub, capsys):
    """The hub after an upload, and what was printed."""
    capsys.readouterr()
    assert push(run, "--yes", "--private", "--data-licence", "cc-by-sa-4.0") == 0
    printed = capsys.readouterr()
    return hub, printed.out + printed.err


def test_encoders_and_records_go_up_as_one_commit_each(pushed, run):
    hub, printed = pushed
    assert hub.repositories.keys() == {("model", MODEL), ("dataset", TO)}
    assert all(hub.private.values())
    assert [place for place, _ in hub.commits] == [("model", MODEL), ("dataset", TO)]
    assert f"uploaded {hub.address}/{MODEL}" in printed
    assert f"uploaded {hub.address}/datasets/{TO}" in printed
    assert hub.token not in printed
    posts = [known for method, path, known in hub.requests if method == "POST"]
    assert posts and all(posts)
    files = hub.repositories["model", MODEL]
    (stored,) = (run / "encoders").rglob("model.safetensors")
    assert files["model.safetensors"] == stored.read_bytes()
    assert {
        "config.json",
        "tokenizer.json",
        "modules.json",
        "1_Pooling/config.json",
    } <= files.keys()
    assert "digests.json" not in files


def test_what_went_up_loads_with_its_head(pushed, run, tmp_path):
    hub, _ = pushed
    for name, content in hub.repositories["model", MODEL].items():
        (tmp_path / "down" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "down" / name).write_bytes(content)
    (stored,) = (run / "encoders").rglob("model.safetensors")
    ids = torch.tensor([[2, 9, 4, 33, 3]])
    with torch.no_grad():
        here, there = (
            AutoModelForMaskedLM.from_pretrained(folder, use_safetensors=True).eval()(ids).logits
            for folder in (stored.parent, tmp_path / "down")
        )
    assert torch.equal(here, there)


def test_the_card_has_scale_verdicts_licence_code_and_scores(pushed):
    hub, _ = pushed
    text = hub.repositories["model", MODEL]["README.md"].decode()
    found = metadata(text)
    assert found["license"] == "cc-by-sa-4.0" and found["library_name"] == "transformers"
    assert found["pipeline_tag"] == "fill-mask" and found["datasets"] == [TO]
    (model,) = found["model-index"]
    assert model["name"] == MODEL.split("/")[1]
    scores = {
        one["dataset"]["name"]: metric["value"]
        for one in model["results"]
        for metric in one["metrics"]
    }
    # As made_study says: the fine-tuning seeds -1 and +1 averaged, and their average.
    assert scores["glue: cola"] == pytest.approx(20)
    assert scores["glue: mrpc"] == pytest.approx(75)
    assert scores["glue: average"] == pytest.approx(49)
    assert ModelCard(text).data.eval_results
    assert f'folder = "{MODEL}"' in text and "AutoModelForMaskedLM.from_pretrained(folder)" in text
    assert "## Scale" in text and "steps" in text and "parameters" in text
    assert "taco against mlm at equal" in text
    assert "Licence of that text: cc-by-sa-4.0, as stated by whoever uploaded this." in text
    assert f"https://huggingface.co/datasets/{TO}" in text


def test_the_data_set_is_a_published_study_with_tables(pushed, run, tmp_path):
    hub, _ = pushed
    files = hub.repositories["dataset", TO]
    for name, content in files.items():
        (tmp_path / "toy-study" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "toy-study" / name).write_bytes(content)
    there, here = read_study_results(tmp_path / "toy-study"), read_study_results(run)
    assert there.plan == here.plan and dict(there.records) == dict(here.records)
    frame = pd.read_parquet(io.BytesIO(files["tables/scores.parquet"]))
    assert set(frame["objective"]) == {"mlm", "taco"} and frame["value"].notna().any()
    text = files["README.md"].decode()
    configs = metadata(text)["configs"]
    assert {one["data_files"] for one in configs} == {n for n in files if n.endswith(".parquet")}
    assert main(["leaderboard", str(tmp_path / "toy-study"), "--out", str(tmp_path / "page")]) == 0
    assert (tmp_path / "page" / "README.md").read_text() in text


def test_again_is_one_more_commit_and_a_strangers_repository_is_left_alone(pushed, run, capsys):
    hub, _ = pushed
    assert push(run, "--yes", "--seeds", "1", "--objectives", "mlm") == 0
    assert len(hub.commits) == 4
    hub.repositories["dataset", TO] = {"README.md": b"somebody's", ".gitattributes": b""}
    assert push(run, "--yes") == 2
    line = capsys.readouterr().err
    assert f"dataset {TO} holds files that objbench did not put there" in line
    assert hub.repositories["dataset", TO]["README.md"] == b"somebody's"


def test_a_refusal_is_one_line_without_the_token(run, hub, capsys):
    hub.refuses = "/commit/"
    assert push(run, "--yes") == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 or "cannot be uploaded" in " ".join(printed.err.split())
    assert hub.token not in printed.err + printed.out


def test_nobody_logged_in_is_one_line_before_anything(run, hub, capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    assert push(run, "--yes") == 2
    printed = capsys.readouterr()
    assert "nobody is logged in to the hub" in printed.err and printed.out == ""
    assert hub.requests == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "where to? name an account"),
        (["--to", "alone"], "is no name on the hub: write USER/NAME"),
        (["--to", "a/b/c"], "is no name on the hub"),
        (["--to", "a/-b"], "is no name on the hub"),
        (["--to", "../x"], "is no name on the hub"),
        (["--to", TO, "--data-licence", ""], "--data-licence is empty"),
        (["--to", TO, "--objectives", "tako"], "did you mean 'taco'?"),
        (["--to", TO, "--seeds", "9"], "seed 9 is not one of the study's (1, 2)"),
        (["--to", TO, "--seeds", "x"], "no list of seeds"),
    ],
)
def test_wrong_words_are_one_line(words, told, run, capsys):
    assert main(["push", str(run), *words]) == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_a_damaged_encoder_does_not_go_up(run, capsys):
    stored = next((run / "encoders").rglob("model.safetensors")).with_name("config.json")
    before = stored.read_text()
    stored.write_text(before + " ")
    try:
        assert push(run) == 2
    finally:
        stored.write_text(before)
    assert "is damaged (config.json is not what was written" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize(
    ("licence", "fields"),
    [
        ("mit", {"license": "mit"}),
        ("My own: free\n---\nx", {"license": "other", "license_name": "My own: free --- x"}),
    ],
)
def test_a_licence_is_an_identifier_or_a_name(licence, fields):
    assert licence_fields(licence) == fields


# -- the other way: a name of the hub for --init


def test_a_checkpoint_of_the_hub_is_fetched_and_kept_for_offline(pushed):
    hub, _ = pushed
    found = read_checkpoint_source(MODEL)
    files = hub.repositories["model", MODEL]
    assert {path.name for path in found.folder.iterdir()} <= files.keys()
    assert (found.folder / "model.safetensors").read_bytes() == files["model.safetensors"]
    # Cards, and whatever else is in a repository, are not asked for.
    assert not (found.folder / "README.md").exists()
    hub.close()
    assert read_checkpoint_source(MODEL) == found


def test_a_repository_of_pickles_is_refused_before_it_is_fetched(pushed):
    hub, _ = pushed
    files = hub.repositories["model", MODEL]
    files["pytorch_model.bin"] = files.pop("model.safetensors")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin only"):
        read_checkpoint_source(MODEL)
    assert not any("resolve" in path for _, path, _ in hub.requests)


@pytest.fixture
def hub_server():
    return sys.modules["hub_server"]


def test_the_mark_names_the_cell(pushed):
    hub, _ = pushed
    mark = json.loads(hub.repositories["model", MODEL]["objbench.json"])
    assert mark["cell"] == "mlm.seed-1" and re.fullmatch("[0-9a-f]{64}", mark["digest"])
