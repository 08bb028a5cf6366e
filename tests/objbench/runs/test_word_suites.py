"""A study with the suites that ask about words and states, from pretraining to the page.

Of its objectives one has a token head, one has none, and one reads from left to right.
"""

import json

import numpy as np
import pytest
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

from objbench.contract.meters import AXES
from objbench.data.heldout_split import heldout_rows
from objbench.errors import ConfigError
from objbench.results.run_folder import read_plan, read_records

PAIRS = {
    "agreement": ("anaphor_agreement", [("the bad dog", "the dog bad"), ("a cat", "cat a")]),
    "animate": ("s-selection", [("one bird", "bird one")]),
}


def write_pairs(folder):
    folder.mkdir()
    for name, (term, pairs) in PAIRS.items():
        lines = [
            json.dumps(
                {"sentence_good": good, "sentence_bad": bad, "UID": name, "linguistics_term": term}
            )
            for good, bad in pairs
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = write_pairs(tmp_path_factory.mktemp("blimp") / "data")
    return {
        "objectives": ["mlm", "rtd", "clm"],
        "evaluation": {
            "suites": ["heldout", "blimp", "representation", "convergence"],
            "points": 2,
            "heldout_batches": 1,
        },
        "options": {
            "heldout": {"sequences": 8, "pseudo": 2},
            "blimp": {"dir": str(folder)},
            "representation": {"sequences": 8},
        },
    }


@pytest.fixture(scope="module")
def finished(make_study, run, settings, tmp_path_factory):
    """(folder of a finished study, how its run ended)."""
    folder = tmp_path_factory.mktemp("runs") / "words"
    return folder, run(make_study(**settings), folder)


def _records(folder, kind="evaluation"):
    return {record.id: record for record in read_records(folder) if record.kind == kind}


def test_the_study_is_complete_though_an_encoder_cannot_be_scored(finished):
    folder, end = finished
    assert (end.exit_code, end.failures) == (0, ())
    assert all(record.status == "ok" for record in read_records(folder))


def test_held_out_suites_are_run_at_every_point_and_blimp_at_the_last(finished):
    cells = [c for c in read_plan(finished[0]).cells if c.kind == "evaluation"]
    shares = {
        suite: sorted(c.share for c in cells if (c.suite, c.objective) == (suite, "rtd"))
        for suite in ("heldout", "blimp", "representation")
    }
    assert shares == {"heldout": [0.5, 1.0], "blimp": [1.0], "representation": [0.5, 1.0]}


def test_records_hold_scores_or_reasons(finished):
    records = _records(finished[0])
    mlm = records["heldout.text.mlm.seed-0.100pct.ft-0"]
    assert set(mlm.scores) == {"mlm_loss", "pseudo_perplexity"}
    assert mlm.unscored == {"perplexity": "its head does not read from left to right"}
    assert 4 < mlm.scores["mlm_loss"]["cross_entropy"] < 7
    # Eight sequences of 16 tokens, [CLS] among them: 15% of at most 15 words each.
    assert 0 < mlm.eval_examples["mlm_loss"] <= 8 * 3
    clm = records["heldout.text.clm.seed-0.100pct.ft-0"]
    assert set(clm.scores) == {"mlm_loss", "perplexity"}
    rtd = records["heldout.text.rtd.seed-0.100pct.ft-0"]
    assert rtd.scores == {} and set(rtd.unscored) == {"mlm_loss", "pseudo_perplexity", "perplexity"}
    pairs = records["blimp.pairs.mlm.seed-0.100pct.ft-0"]
    assert set(pairs.details["paradigms"]) == set(PAIRS)
    assert set(pairs.scores) == {"anaphor_agreement", "argument_structure", "overall"}
    state = records["representation.text.rtd.seed-0.50pct.ft-0"]
    assert all(np.isfinite(list(v.values())).all() for v in state.scores.values())


def test_curves_of_an_objective_without_scores_say_so(finished):
    record = _records(finished[0], "curve")["convergence.rtd.seed-0"]
    assert {entry.note for entry in record.values.values()} == {"the objective has no scored point"}
    assert set(record.values) == set(AXES)


def test_the_page_ranks_who_has_a_score_and_names_who_has_none(finished, page_of):
    page = page_of(finished[0])
    assert "### heldout: " in page and "### blimp: " in page
    assert "Cannot be scored: rtd (no token head: its objective predicts no words" in page
    assert "mlm on perplexity (its head does not read from left to right)" in page
    assert "clm on pseudo_perplexity (its head reads from left to right)" in page
    # So short a run is stuck, which is why the others are not ranked either.
    assert "rtd (no token head" in page.split("Not ranked: ")[1].split("\n")[0]
    assert "representation: protocol and columns" in page and "### representation" not in page
    section = page.split("<summary>representation over the budget")[1].split("</details>")[0]
    assert section.count("| 50%") == 3 and section.count("| 100%") == 3
    # Drawn by the curve suite that follows it.
    assert "heldout over the budget" not in page
    assert "at a disadvantage" in page


def test_exports_are_ordinary_folders_with_a_head_where_there_is_one(finished):
    loaders = {"mlm": AutoModelForMaskedLM, "clm": AutoModelForCausalLM, "rtd": AutoModel}
    for name, loader in loaders.items():
        folder = max((finished[0] / "encoders").glob(f"{name}*/step-*"))
        assert (folder / "token_head.json").is_file() == (name != "rtd")
        _, report = loader.from_pretrained(folder, output_loading_info=True)
        assert not report["unexpected_keys"] and not report["mismatched_keys"]
        assert all(key.startswith("pooler.") and name == "rtd" for key in report["missing_keys"])
        AutoTokenizer.from_pretrained(folder)


def _tuning(score):
    return {"score": score, "seeds": [1000], "grid": {"training.learning_rate": [1e-3, 2e-3]}}


@pytest.mark.parametrize(
    ("score", "why"),
    [("blimp", "reports on all of its data"), ("representation", "has no average")],
)
def test_a_suite_that_nothing_can_be_chosen_by_is_refused(
    score, why, make_study, run, settings, tmp_path
):
    study = make_study(**{**settings, "objectives": ["mlm"], "tuning": _tuning(score)})
    with pytest.raises(ConfigError, match=rf"tuning\.score = '{score}': the suite {why}"):
        run(study, tmp_path / "run")


def test_settings_are_chosen_on_the_half_that_is_not_reported(
    make_study, run, settings, tmp_path, monkeypatch
):
    seen = []

    def watched(sequences, part, count):
        seen.append((part, count))
        return heldout_rows(sequences, part, count)

    monkeypatch.setattr("objbench.runs.cells.evaluation.heldout_rows", watched)
    evaluation = {**settings["evaluation"], "suites": ["heldout"], "points": 1}
    changes = {"objectives": ["mlm"], "evaluation": evaluation, "tuning": _tuning("heldout")}
    end = run(make_study(**{**settings, **changes}), tmp_path / "run")
    assert end.exit_code == 0
    # The encoder that is reported, and the untrained one.
    assert seen == [("tuning", 8), ("tuning", 2)] * 2 + [("reported", 8), ("reported", 2)] * 2
