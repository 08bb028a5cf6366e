"""Opening a study's text reports which files were read and which were not."""

from __future__ import annotations

from pathlib import Path

from objbench.runs.cells.study_text import open_text
from objbench.study.files import preset_layer, setting_layer
from objbench.study.study import build_study


def test_what_is_read_and_what_is_not_is_the_first_line(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    words = ["red", "blue", "green", "house", "river", "mountain", "walks", "runs", "sleeps"]
    documents = [" ".join(words[n % 9 :] + words) + f" {n}" for n in range(600)]
    (folder / "a.txt").write_text("\n\n".join(documents))
    (folder / "validation-00000-of-00002.txt").write_text("\n\n".join(documents[:60]))
    (folder / "test.jsonl").write_text('{"text": "tested"}')
    (folder / "a.pdf").write_bytes(b"")
    layers = [
        preset_layer("demo"),
        setting_layer("objectives", ["mlm"]),
        setting_layer("data.corpus", str(folder)),
        setting_layer("data.tokenizer", "train:120"),
    ]
    said: list[str] = []
    text = open_text(build_study(layers, "test"), tmp_path / "cache", said.append)
    assert said[0] == (
        f"corpus {folder}: 1 file to train on; held out: validation-00000-of-00002.txt; "
        "1 of the 2 parts of validation; not read: a.pdf (no kind of file that is read), "
        "test.jsonl (in neither part, since other files are the held-out part)"
    )
    assert text.description()["heldout_sequences"] > 0
