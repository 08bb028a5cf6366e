"""The index over a folder of studies: verdicts first, remarks word for word, the same bytes."""

import shutil
from pathlib import Path

import pytest

from objbench.errors import ConfigError, RecordError
from objbench.leaderboard.index import MARK, write_index

LEADERBOARD = Path(__file__).parents[3] / "leaderboard"


def two_studies(make_study, folder):
    make_study(seeds=(1, 2, 3, 4), points=20).write(folder / "large")
    make_study(objectives=("mlm", "new")).write(folder / "small")
    return folder


def section(text, title):
    return text.split(f"\n{title}\n\n", 1)[1].split("\n## ", 1)[0]


def test_every_study_has_its_verdicts_first_and_a_paragraph(make_study, tmp_path):
    text = write_index(two_studies(make_study, tmp_path)).read_text()
    verdicts = section(text, "## Verdicts").splitlines()
    assert [line.split("**: ")[0] for line in verdicts[:4]] == [
        (
            "- [large](large/README.md): **taco-2022 speedup**, by glue score: **not reproduced** "
            r"at 1.23M parameters and 2.46M tokens (paper: 28.5M, 131B): speedup in steps 1.62x "
            r"\[1.44x, 1.85x\], 95% interval over 4 seeds, up to 5.00x claimed; glue scored by a "
            "protocol other than taco-2022; mean of three tasks, not mean of nine columns; learning "
            "rate not yet decayed before the last point (linear schedule); 'up to' leaves other "
            "settings open."
        ),
        *(line.split("**: ")[0] for line in verdicts[1:4]),
    ]
    assert "**confirmed**" in verdicts[2]
    assert verdicts[3].startswith("- [small](small/README.md): No claim that ships is about")
    assert "simulated studies whose truth is known" in verdicts[4]
    assert text.index("## Verdicts") < text.index("## Studies")
    large = section(text, "## Studies")
    assert "### [large](large/README.md)\n\nBudget: 1200-steps for the baseline mlm" in large
    assert "4 pretraining seeds: 1, 2, 3, 4." in large
    assert "encoder of 1.23M parameters and 2.46M tokens for mlm" in large
    assert (
        "By glue (mean of three tasks): 1. taco 54.00 ± 4.11, group a; "
        "2. mlm 50.50 ± 2.05, group b." in large
    )


def test_remarks_stand_word_for_word(make_study, tmp_path):
    two_studies(make_study, tmp_path)
    remarks = "Run on *two* machines | by hand.\n\n- one <b>line</b>"
    (tmp_path / "small" / "NOTES.md").write_text(remarks + "\n")
    text = write_index(tmp_path).read_text()
    assert f"Notes, by hand ([NOTES.md](small/NOTES.md)):\n\n{remarks}\n" in text
    assert text.count("Notes, by hand") == 1


def test_an_incomplete_study_is_not_ranked_and_says_so(make_study, tmp_path):
    study = make_study()
    del study.records["glue.cola.taco.seed-2.3of3.ft-1"]
    study.write(tmp_path / "run")
    text = write_index(tmp_path).read_text()
    assert "1. mlm 49.50 (49.00 to 50.00), group a; not ranked: taco (1 evaluation of" in text
    assert "Incomplete: of 56 cells, 1 missing." in text


def test_claims_figures_and_the_judges_test_are_linked(make_study, tmp_path):
    make_study().write(tmp_path / "run")
    assert "## Claims" not in write_index(tmp_path).read_text()
    for name in ("claims", "figures", "selftest"):
        shutil.copytree(LEADERBOARD / name, tmp_path / name)
    text = write_index(tmp_path).read_text()
    assert (
        "- [taco-2022.toml](claims/taco-2022.toml): taco against mlm: speedup in steps up to 5.00x "
        "and gain in points up to +1.20. [Fu et al. 2022" in text
    )
    assert "4.06x; 5x only at 0.15 below it" in section(text, "## Published figures, replayed")
    assert "- [The judge's own test](selftest/README.md)" in text


def test_same_files_same_bytes_wherever_it_is_written(make_study, tmp_path):
    folder = two_studies(make_study, tmp_path / "studies")
    first = write_index(folder).read_bytes()
    assert write_index(folder).read_bytes() == first
    elsewhere = write_index(folder, tmp_path / "out")
    assert elsewhere == tmp_path / "out" / "README.md"
    assert elsewhere.read_bytes() == first
    assert str(tmp_path) not in first.decode()


def test_what_was_written_by_hand_is_not_overwritten(make_study, tmp_path):
    make_study().write(tmp_path / "run")
    page = tmp_path / "README.md"
    page.write_text("my results\n")
    with pytest.raises(ConfigError, match=r"not made by objbench: move .* NOTES\.md, and delete"):
        write_index(tmp_path)
    assert page.read_text() == "my results\n"
    page.unlink()
    assert MARK in write_index(tmp_path).read_text()


def test_a_folder_without_studies_is_named(tmp_path):
    with pytest.raises(ConfigError, match="holds no folder with a plan"):
        write_index(tmp_path)


def test_a_corrupted_record_is_named(make_study, tmp_path):
    make_study().write(tmp_path / "run")
    path = next((tmp_path / "run" / "records" / "pretrain").glob("*.json"))
    path.write_text("{")
    with pytest.raises(RecordError, match=path.name):
        write_index(tmp_path)


def test_an_unwritable_folder_is_named(make_study, tmp_path):
    make_study().write(tmp_path / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--out"):
        write_index(tmp_path, tmp_path / "file" / "out")
