"""The cells that make a text: which there are, what they need, and that no study's plan has them."""

import pytest
from pydantic import ValidationError

from objbench.data import Corpus
from objbench.errors import RecordError
from objbench.results.agreement import misfits
from objbench.results.plan import Plan
from objbench.results.run_folder import RunFolder
from objbench.results.text_plan import TextPlan
from objbench.runs.planning.text_cells import MOST_SHARES, SHARE_BYTES, shares_of, text_plan
from objbench.study.study import build_study


def corpus(fingerprint="c" * 64, **settings):
    return Corpus(name="made up", fingerprint=fingerprint, source=lambda: iter(()), **settings)


def planned(shares, tokenizer="train:400", fingerprint="c" * 64):
    layer = {
        "objectives": ["mlm"],
        "budget": "6-steps",
        "encoder": {"model_type": "bert"},
        "data": {"corpus": "toy", "tokenizer": tokenizer, "length": 16},
        "training": {"batch": 4, "learning_rate": 1e-3},
        "evaluation": {"suites": ["heldout"]},
    }
    study = build_study([layer], "the test")
    text = corpus(fingerprint)
    return text_plan(study, text, name="run", command="", shares=shares, is_shared=True)


def test_the_manifest_needs_all_shares_and_these_a_tokenizer_that_is_trained():
    cells = {cell.id: cell for cell in planned(2).cells}
    assert {name: cell.needs for name, cell in cells.items()} == {
        "tokenizer": (),
        "tokens.0-of-2": ("tokenizer",),
        "tokens.1-of-2": ("tokenizer",),
        "cache": ("tokens.0-of-2", "tokens.1-of-2"),
    }
    assert cells["tokens.1-of-2"].settings == {"share": 1, "shares": 2}
    assert planned(2, "bert-base-uncased").cells[0].id == "tokens.0-of-2"
    assert planned(1).cells == ()


def test_another_text_tokenizer_or_share_has_another_key():
    plans = [planned(2), planned(3), planned(2, "train:401"), planned(2, fingerprint="d" * 64)]
    keys = [cell.key for plan in plans for cell in plan.cells if cell.kind != "tokenizer"]
    assert len({*keys}) == len(keys) == 13


def test_small_texts_and_streams_are_made_by_one_process():
    assert shares_of(corpus(), 8) == 1
    assert shares_of(corpus(bytes=2 * SHARE_BYTES - 1), 8) == 1
    assert shares_of(corpus(bytes=2 * SHARE_BYTES), 8) == 2
    assert shares_of(corpus(bytes=999 * SHARE_BYTES), 8) == 8
    assert shares_of(corpus(bytes=999 * SHARE_BYTES), 999) == MOST_SHARES
    assert shares_of(corpus(bytes=999 * SHARE_BYTES), 0) == 1


def test_it_is_the_current_plan_until_its_cells_have_records(tmp_path):
    folder, plan = RunFolder(tmp_path), planned(2)
    folder.write_text_plan(plan)
    assert folder.read_text_plan() == folder.read_current_plan() == plan
    folder.write_text_plan(planned(1))
    with pytest.raises(RecordError, match=r"holds no plan\.json"):
        folder.read_current_plan()


def test_its_cells_are_in_no_other_plan():
    plan = planned(2)
    assert "cache makes the text, which is planned apart" in list(misfits(plan))
    fields = plan.model_dump(mode="json", exclude={"corpus_fingerprint", "is_shared"})
    with pytest.raises(ValidationError):
        Plan.model_validate(fields)
    own = {"corpus_fingerprint": "c" * 64, "is_shared": True}
    assert TextPlan.model_validate(fields | own) == plan
    cells = [dict(cell) for cell in fields["cells"]]
    for changes, why in (
        ({"kind": "pretrain"}, "is no cell of a text"),
        ({"needs": ["glue"]}, "needs what is no cell of it"),
        ({"id": "cache"}, "two cells have one name"),
    ):
        broken = [cells[0] | changes, *cells[1:]]
        with pytest.raises(ValidationError, match=why):
            TextPlan.model_validate(fields | own | {"cells": broken})
