"""The page across scales: one sentence, tables, a picture, the same bytes, made again from its list."""

import json
import shutil
from xml.etree import ElementTree

import pytest

from objbench.errors import ConfigError, RecordError
from objbench.leaderboard.across.page import (
    MARK,
    compare_studies,
    default_folder,
    pictures,
    write_across,
)
from objbench.leaderboard.across.sections import across_document, score_table
from objbench.leaderboard.document import Picture, Table
from objbench.leaderboard.index import write_index


@pytest.fixture
def folders(at_scale, tmp_path):
    """Three studies of one recipe and one of another, in folders side by side."""
    made = {
        "small": at_scale(1, gain=0.1),
        "medium": at_scale(4, gain=0.3),
        "large": at_scale(16, gain=0.5),
        "old": at_scale(1.1, "bert", gain=1.0, stuck={"mlm": (3,)}),
    }
    root = tmp_path / "studies"
    return [study.write(root / name) for name, study in made.items()]


def written(folders, out):
    page = write_across(folders, out, compare_studies(folders))
    return {path.name: path.read_bytes() for path in page.parent.iterdir() if path.is_file()}


def names(folders):
    """Runs are called by their plans: the made-up ones all alike, so by their folders."""
    for folder in folders:
        path = folder / "plan.json"
        fields = json.loads(path.read_text()) | {"name": folder.name}
        del fields["sha256"]
        path.write_text(json.dumps(fields))
    return folders


def test_the_same_records_give_the_same_bytes(folders, tmp_path):
    first = written(names(folders), folders[0].parent / "ladder")
    assert set(first) == {"README.md", "scales-1-taco.svg", "across.json"}
    assert written(folders[::-1], folders[0].parent / "ladder") == first
    # Made again from its own list, elsewhere.
    again = written([folders[0].parent / "ladder"], tmp_path / "elsewhere" / "ladder")
    assert again == {name: first[name] for name in ("README.md", "scales-1-taco.svg")}
    assert str(tmp_path) not in first["README.md"].decode()


def test_a_folder_that_was_passed_on_is_made_again(folders, tmp_path):
    first = written(names(folders), folders[0].parent / "ladder")
    root = shutil.copytree(folders[0].parent, tmp_path / "sent")
    assert written([root / "ladder"], root / "ladder") == first


def test_studies_elsewhere_are_not_named_in_it(folders, tmp_path):
    out = tmp_path / "deep" / "er"
    assert "across.json" not in written(folders, out)
    out = folders[0].parent / "ladder"
    assert "across.json" in written(folders, out)
    shutil.move(folders[0], tmp_path / "gone")
    assert "across.json" not in written([tmp_path / "gone", *folders[1:]], out)


def test_the_page_answers_first_and_then_shows(folders, rows):
    found = compare_studies(names(folders))
    ((pair, (file, _)),) = pictures(found).items()
    blocks = across_document(found, "ladder", {pair: file})
    assert blocks[2].text.text.startswith(
        "taco against mlm by common held-out loss in 4 studies: among runs that learnt, with bert "
        "significantly faster at 1.10M parameters"
    )
    assert [block.file for block in blocks if isinstance(block, Picture)] == [file]
    table = rows(score_table(pair, pair.scores[0]))
    assert [(row["study"], row["encoder"]) for row in table] == [
        ("old", "bert"),
        ("small", "modernbert"),
        ("medium", "modernbert"),
        ("large", "modernbert"),
    ]
    assert table[0]["learnt: mlm, taco"] == "4 of 5, 5 of 5"
    assert table[0]["pairs of runs"] == "4"
    assert table[1]["parameters"] == "1.00M"
    verdicts = [
        block for block in blocks if isinstance(block, Table) and block.columns[0] == "claim"
    ]
    assert {row[2] for row in verdicts[0].rows} == {"old", "small", "medium", "large"}


def test_the_picture_has_one_series_per_encoder(folders):
    ((_, (_, picture)),) = pictures(compare_studies(folders)).items()
    tree = ElementTree.fromstring(picture)
    text = picture.decode()
    assert tree.tag.endswith("svg")
    # Blue is the first encoder, vermilion the second; their intervals are collections of lines.
    assert text.count('id="LineCollection_') == 2 * 2
    assert "#0072b2" in text and "#d55e00" in text


def test_studies_without_curves_have_a_page_without_a_picture(at_scale, tmp_path):
    made = []
    for name, size in (("a", 1), ("b", 4)):
        study = at_scale(size)
        suites = tuple(suite for suite in study.plan.suites if not suite.follows)
        cells = tuple(
            cell for cell in study.plan.cells if cell.kind != "curve" and cell.share in (0.0, 1.0)
        )
        study.plan = study.plan.model_copy(update={"suites": suites, "cells": cells})
        kept = {cell.id for cell in cells}
        study.records = {name: own for name, own in study.records.items() if name in kept}
        for cell in cells:
            if cell.kind == "pretrain":
                points = [
                    p.model_copy(update={"common": None, "heldout": {"loss": 1.0}})
                    for p in study.records[cell.id].points
                ]
                study.change(cell.id, points=points)
        study.lines = None
        made.append(study.write(tmp_path / name))
    found = compare_studies(made)
    assert pictures(found) == {}
    assert [score.source for score in found.pairs[0].scores] == ["glue"]
    text = written(made, tmp_path / "out")["README.md"].decode()
    assert "nothing can be concluded, because it is not known whether the runs learnt" in text
    assert "(2): nothing follows, because it is not known" in text
    assert "its per character" not in text


def test_what_was_written_by_hand_is_kept(folders):
    out = folders[0].parent / "ladder"
    out.mkdir()
    (out / "README.md").write_text("mine\n")
    with pytest.raises(ConfigError, match="was not made by --across"):
        written(folders, out)
    assert (out / "README.md").read_text() == "mine\n"
    (out / "README.md").unlink()
    (out / "NOTES.md").write_text("Run on two machines.\n")
    (out / "scales-9-old.svg").write_text("")
    made = written(folders, out)
    assert MARK in made["README.md"].decode()
    assert "Notes: [NOTES.md](NOTES.md)." in made["README.md"].decode()
    assert "scales-9-old.svg" not in made


def test_a_study_is_not_overwritten(folders):
    (folders[0] / "README.md").write_text("# Leaderboard: small\n")
    with pytest.raises(ConfigError, match="was not made by --across"):
        written(folders, folders[0])


@pytest.mark.parametrize(
    "content",
    ["{", '{"studies": ["a"]}', '{"studies": ["../a", "b"]}', '{"studies": ["/etc", "b"]}'],
)
def test_a_list_of_studies_that_cannot_be_read_is_named(tmp_path, content):
    (tmp_path / "across.json").write_text(content)
    with pytest.raises(RecordError, match=r"across\.json is corrupted"):
        compare_studies([tmp_path])


def test_no_link_in_the_list_is_followed(folders, tmp_path):
    root = folders[0].parent
    written(folders, root / "ladder")
    (root / "small").rename(tmp_path / "outside")
    (root / "small").symlink_to(tmp_path / "outside")
    with pytest.raises(ConfigError, match="a link leads out"):
        compare_studies([root / "ladder"])


def test_the_page_is_beside_the_studies_unless_asked(folders):
    assert default_folder(folders) == folders[0].parent.resolve() / "across"
    assert default_folder(folders[:1]) == folders[0]


def test_the_index_links_it(folders):
    root = folders[0].parent
    assert "Across scales" not in write_index(root).read_text()
    written(folders, root / "ladder")
    text = write_index(root).read_text()
    section = text.split("## Across scales\n\n", 1)[1]
    assert section.startswith("- [ladder](ladder/README.md): taco against mlm by common held-out")
