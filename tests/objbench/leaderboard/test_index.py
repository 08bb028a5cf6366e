"""The index over a folder of studies: one row each, links to the rest, the same bytes."""

import shutil
from pathlib import Path

import pytest

from objbench.errors import ConfigError, RecordError
from objbench.leaderboard.index import MARK, write_index

LEADERBOARD = Path(__file__).parents[3] / "leaderboard"
FLOORS = {"majority": 30}


def two_studies(make_study, folder):
    large = make_study(seeds=(1, 2, 3, 4), points=20, floors=FLOORS)
    large.measure_learning(of="own")
    large.write(folder / "large")
    make_study(objectives=("mlm", "new")).write(folder / "small")
    return folder


def studies(text):
    """The table's rows, title -> text."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def section(text, title):
    return text.split(f"\n{title}\n\n", 1)[1].split("\n## ", 1)[0]


def test_every_study_is_one_row(make_study, tmp_path):
    text = write_index(two_studies(make_study, tmp_path)).read_text()
    assert studies(text) == [
        {
            "study": "large",
            "comparison": "taco against mlm",
            "scale": "1.23M parameters and 2.46M tokens",
            "seeds": "4",
            "result": "On the suite glue, taco is significantly better than mlm.",
            "details": "[page](large/README.md)",
        },
        {
            "study": "small",
            "comparison": "new against mlm",
            "scale": "1.23M parameters and 2.46M tokens",
            "seeds": "2",
            "result": "Nothing may be concluded about which is better, because 2 seeds give "
            "no confidence interval (objbench asks for at least 3).",
            "details": "[page](small/README.md)",
        },
    ]


def test_a_result_that_begins_with_an_objective_spells_its_name(make_study, tmp_path):
    study = make_study(seeds=(1, 2, 3, 4), points=20, floors=FLOORS)
    study.measure_learning()
    study.plan = study.plan.model_copy(
        update={
            "suites": (),
            "cells": tuple(cell for cell in study.plan.cells if cell.kind == "pretrain"),
        }
    )
    study.write(tmp_path / "large")
    (row,) = studies(write_index(tmp_path).read_text())
    assert row["result"].startswith("taco reaches mlm's final common held-out loss with")


def test_remarks_are_linked(make_study, tmp_path):
    two_studies(make_study, tmp_path)
    (tmp_path / "small" / "NOTES.md").write_text("Run on two machines.\n")
    large, small = studies(write_index(tmp_path).read_text())
    assert large["details"] == "[page](large/README.md)"
    assert small["details"] == "[page](small/README.md), [notes](small/NOTES.md)"


def test_an_incomplete_study_says_so(make_study, tmp_path):
    study = make_study(seeds=(1, 2, 3), floors=FLOORS)
    study.measure_learning(of="own")
    del study.records["glue.cola.taco.seed-2.3of3.ft-1"]
    study.write(tmp_path / "run")
    (row,) = studies(write_index(tmp_path).read_text())
    assert row["result"] == (
        "Nothing may be concluded, because no suite score of both sides is complete, and their held-out "
        "losses are not comparable or not significantly different. Incomplete: of 87 cells, 1 missing."
    )


def test_a_study_of_unknown_learning_concludes_nothing(make_study, tmp_path):
    make_study(seeds=(1, 2, 3, 4), points=20).write(tmp_path / "run")
    (row,) = studies(write_index(tmp_path).read_text())
    assert row["result"] == (
        "Nothing may be concluded, because it is not known whether the runs learnt or what glue would "
        "give without pretraining."
    )


def test_claims_figures_and_the_judges_test_are_linked(make_study, tmp_path):
    make_study().write(tmp_path / "run")
    assert "## Claims that are judged" not in write_index(tmp_path).read_text()
    for name in ("claims", "figures", "selftest"):
        shutil.copytree(LEADERBOARD / name, tmp_path / name)
    text = write_index(tmp_path).read_text()
    assert (
        "- [taco-2022.toml](claims/taco-2022.toml): taco against mlm: up to 5.00x in steps and "
        "up to +1.20 points. [Fu et al. 2022" in text
    )
    assert "4.06x; 5x only for a score 0.15 lower" in section(
        text, "## Published figures, replayed"
    )
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
