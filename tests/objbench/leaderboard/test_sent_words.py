"""A study that somebody else sent says so: on its pages, in the index, and under its claim."""

import re

import pytest

from objbench.cli.main import main
from objbench.errors import ConfigError, RecordError
from objbench.leaderboard.across.studies import read_studies
from objbench.leaderboard.board import place_on, refresh, write_pages
from objbench.leaderboard.index import write_index
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sent_words import difference_words, sent_blocks, standing_words
from objbench.results.published_study import write_published
from objbench.results.submissions.marks import (
    RECEIVED,
    CellAgain,
    Difference,
    Received,
    Rerun,
    SentIn,
    read_marks,
    records_digest,
    write_marks,
)

DIGEST = "ab" * 32


def received(**changes):
    fields = {
        "submission": DIGEST,
        "records": "0",
        "by": "A. Reader",
        "received": "2026-11-29T12:00:00+00:00",
        "objbench": "0.1.0",
        "cells": 30,
        "keys": 28,
        "unchecked": ("the keys of glue: its data are not here",),
    }
    return Received.model_validate(fields | changes)


def rerun(study, *differences):
    record = next(iter(study.records.values()))
    cell = {"kind": "pretrain", "key": "ab", "numbers": 9, "equal": 9 - len(differences)}
    return Rerun(
        nonce="n1",
        like_there=True,
        allowed="All bits.",
        cells=(CellAgain(id="mlm.seed-1", drawn=True, differences=differences, **cell),),
        provenance=record.provenance,
    )


LOWER = Difference(what="held-out loss at step 6", sent=4.0, found=4.5, tolerance=0.25)


def page(sent):
    return render_markdown(sent_blocks(sent))


def test_of_ones_own_study_nothing_is_said():
    assert sent_blocks(None) == []
    assert standing_words(None) == "run here"


def test_who_sent_it_and_what_stands_for_it(make_study):
    study = make_study()
    sent = SentIn(received())
    assert sent.standing == "unverified"
    text = page(sent)
    assert "**Not verified: nobody but its sender has run any cell of this study.**" in text
    assert "Sent in by A. Reader; received 2026-11-29." in text
    assert "keys of 28 of 30 cells" in text
    assert "Not checked: the keys of glue: its data are not here." in text
    assert standing_words(sent) == "sent by A. Reader, unverified"

    sent = SentIn(received(by="", left_out=2), (rerun(study),))
    assert sent.standing == "verified"
    text = page(sent)
    assert "**Verified on a sample: cells drawn at random were run again and agree.**" in text
    assert "Sent in; received 2026-11-29. By its own statement it leaves out 2 records" in text
    assert "(1 thread, " in text
    assert "; drawn with n1. All bits." in " ".join(text.split())
    assert "mlm.seed-1: agrees; 9 of 9 numbers equal to the last bit." in text
    assert standing_words(sent) == "sent, verified on a sample"


def test_one_cell_that_differs_is_not_outvoted(make_study):
    study = make_study()
    sent = SentIn(received(), (rerun(study), rerun(study, LOWER), rerun(study)))
    assert sent.standing == "differs"
    text = page(sent)
    assert "**Not reproduced: of the cells that were run again, some differ.**" in text
    assert "differs in held-out loss at step 6 4.5 against 4 (allowed 0.25)" in text
    assert standing_words(sent) == "sent by A. Reader, differs when run again"


@pytest.mark.parametrize(
    ("sent", "found", "tolerance", "words"),
    [
        (4.0, 4.5, 0.25, "loss 4.5 against 4 (allowed 0.25)"),
        (4.0, 4.0 + 1e-9, 0.0, "loss 4.000000001 against 4 (must be equal)"),
        (0.5, 0.5 + 2**-52, 0.0, "loss 0.5000000000000002 against 0.5 (must be equal)"),
        (None, 4.5, 0.0, "loss (only in the new record)"),
        (4.0, None, 0.0, "loss (only in the sent record)"),
        (None, None, 0.0, "loss (not the same)"),
    ],
)
def test_the_digits_of_a_difference_show_that_it_is_one(sent, found, tolerance, words):
    difference = Difference(what="loss", sent=sent, found=found, tolerance=tolerance)
    assert difference_words(difference) == words


def on_board(board, name, study, **changes):
    folder = board / name
    write_published(folder, study.plan, study.records.values())
    if changes:
        marked = received(records=records_digest(folder), **changes)
        write_marks(folder, SentIn(marked))
    return folder


@pytest.mark.parametrize(
    ("words", "title", "said"),
    [
        (["verify", "theirs"], "", "Not verified: nobody"),
        (["verify", "ours"], "", ""),
        (["leaderboard", "theirs"], "", "Not verified: nobody"),
        (
            ["compare", "theirs", "mlm", "taco"],
            "# taco against mlm: made-up (unverified)",
            "**Not verified: nobody",
        ),
        (
            ["compare", "ours", "mlm", "theirs", "taco"],
            "# taco@other of theirs (unverified) against mlm of ours",
            "**theirs: Not verified: nobody",
        ),
        (
            ["compare", "theirs", "mlm", "ours", "taco"],
            "# taco@other of ours against mlm of theirs (unverified)",
            "**theirs: Not verified: nobody",
        ),
        (
            ["compare", "ours", "mlm", "b/ours", "taco"],
            "# taco@other of b/ours (unverified) against mlm of ours",
            "**b/ours: Not verified: nobody",
        ),
        (["compare", "ours", "mlm", "taco"], "# taco against mlm: made-up", ""),
    ],
    ids=" ".join,
)
def test_whatever_is_printed_of_it_says_so(
    make_study, tmp_path, monkeypatch, capsys, words, title, said
):
    monkeypatch.chdir(tmp_path)
    on_board(tmp_path, "ours", make_study())
    on_board(tmp_path, "theirs", make_study(), by="A. Reader")
    on_board(tmp_path / "b", "ours", make_study(), by="A. Reader")
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(title)
    assert ("verified" in printed) == bool(said)
    assert printed.count("Not verified") == bool(said)
    assert said in printed
    assert ("Sent in by A. Reader" in printed) == bool(said)
    if words[0] == "verify" and said:
        assert printed.startswith(said)


def rows(text):
    return [line for line in text.splitlines() if line.startswith("|")]


def test_a_second_study_of_a_claim_stands_beside_the_first(make_study, tmp_path):
    on_board(tmp_path, "ours", make_study(seeds=(1, 2, 3, 4)))
    on_board(tmp_path, "another", make_study(objectives=("mlm", "new"), seeds=(1, 2, 3)))
    on_board(tmp_path, "theirs", make_study(), by="A. Reader")
    titles, _, *lines = rows(write_index(tmp_path).read_text())
    assert "run by" in titles
    assert [line.split("|")[1].strip() for line in lines] == ["ours", "theirs", "another"]
    assert "run here" in lines[0]
    assert "sent by A. Reader, unverified" in lines[1]


def test_the_index_of_ones_own_studies_has_no_such_column(make_study, tmp_path):
    on_board(tmp_path, "ours", make_study())
    assert "run by" not in write_index(tmp_path).read_text()


def test_the_registry_of_claims_marks_what_is_not_verified(make_study, tmp_path):
    on_board(tmp_path, "ours", make_study(seeds=(1, 2, 3)))
    on_board(tmp_path, "theirs", make_study(seeds=(1, 2, 3)), by="A. Reader")
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "README.md").write_text("")
    refresh(tmp_path)
    text = (tmp_path / "claims" / "README.md").read_text()
    assert "theirs (unverified)" in text
    assert "ours (" not in text


def test_a_page_across_scales_marks_it_too(make_study, tmp_path):
    ours = on_board(tmp_path, "ours", make_study(seeds=(1, 2)))
    theirs = on_board(tmp_path, "theirs", make_study(seeds=(3, 4)), by="A. Reader")
    assert [study.name for study in read_studies([ours, theirs])] == ["ours", "theirs (unverified)"]


def test_a_hostile_sender_does_nothing_in_any_page(make_study, tmp_path):
    by = "<script>alert(1)</script> | [x](javascript:alert(1)) `y` **z**"
    study = on_board(tmp_path, "theirs", make_study(), by=by)
    write_pages(study)
    html = (study / "index.html").read_text()
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)" in html
    for text in ((study / "README.md").read_text(), write_index(tmp_path).read_text()):
        assert "<script>" not in text
        assert re.findall(r"(?<!\\)\]\(javascript:", text) == []


def test_marks_are_of_the_records_beside_them(make_study, tmp_path):
    folder = on_board(tmp_path, "theirs", make_study(), by="A. Reader")
    assert read_marks(folder).received.by == "A. Reader"
    write_published(folder, make_study(seeds=(1, 2)).plan, ())
    with pytest.raises(RecordError, match="of other records than those beside it"):
        read_marks(folder)


def test_a_digit_of_a_mark_that_was_changed_is_an_error(make_study, tmp_path):
    folder = on_board(tmp_path, "theirs", make_study(), by="A. Reader")
    mark = folder / RECEIVED
    mark.write_text(mark.read_text().replace('"keys": 28', '"keys": 30'))
    with pytest.raises(RecordError, match=RECEIVED):
        read_marks(folder)


def test_each_submission_is_on_a_board_once_under_a_plain_name(make_study, tmp_path):
    study = make_study()
    results = study.results()
    name = place_on(tmp_path, results, DIGEST).name
    assert name
    assert "/" not in name
    (tmp_path / name).mkdir()
    assert place_on(tmp_path, results, DIGEST) == tmp_path / f"{name}-abababab"
    assert place_on(tmp_path, results, DIGEST, "mine") == tmp_path / "mine"
    with pytest.raises(ConfigError, match="is there already: name another with --name"):
        place_on(tmp_path, results, DIGEST, name)
    hostile = study.plan.model_copy(update={"name": "../../.ssh/x <b>"})
    study.plan = hostile
    assert place_on(tmp_path, study.results(), DIGEST) == tmp_path / "ssh-x-b"
    on_board(tmp_path, "theirs", study, by="A. Reader")
    with pytest.raises(ConfigError, match="was accepted before, as"):
        place_on(tmp_path, results, DIGEST)
