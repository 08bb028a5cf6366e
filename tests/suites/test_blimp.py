"""BLiMP: pairs by hand under a made-up word model, the files, and the columns."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.objective import TokenReading
from objbench.contract.options import configure
from objbench.contract.suite import EvaluationContext
from objbench.engine.encoder.load import load_tokenizer
from objbench.engine.encoder.token_head import NO_TOKEN_HEAD
from objbench.engine.evaluation.token_scores import load_word_model, token_log_likelihoods
from objbench.engine.evaluation.word_pieces import tokenise_words
from objbench.errors import ConfigError, DataError, HubError
from objbench_suites.blimp import BlimpSuite
from objbench_suites.pair_scores import pair_points

LIKELY = {"good": -1.0, "bad": -2.0, "dog": -4.0, "cat": -8.0}


def _suite(folder=None, **options):
    if folder is not None:
        options["dir"] = str(folder)
    return BlimpSuite(configure(BlimpSuite, options))


def _line(good, bad, name, term="binding"):
    return json.dumps(
        {"sentence_good": good, "sentence_bad": bad, "UID": name, "linguistics_term": term}
    )


@pytest.fixture
def write(tmp_path):
    """(paradigm -> (term, pairs)) -> the folder with their files."""

    def make(paradigms):
        folder = tmp_path / "blimp"
        folder.mkdir()
        for name, (term, pairs) in paradigms.items():
            lines = [_line(good, bad, name, term) for good, bad in pairs]
            (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        return folder

    return make


@pytest.fixture
def word_model(tiny_encoder):
    """A model in which every word has the log-probability of ``LIKELY``, whatever stands around."""
    tokenizer = load_tokenizer(tiny_encoder)
    table = {tokenizer.hf.convert_tokens_to_ids(word): value for word, value in LIKELY.items()}

    def log_probabilities(input_ids, attention, columns, targets):
        # Every target is hidden from the model.
        assert (input_ids.gather(1, columns) == tokenizer.layout.mask).all()
        return torch.tensor(
            [[table.get(token, -16.0) for token in row] for row in targets.tolist()]
        )

    return SimpleNamespace(
        tokenizer=tokenizer,
        length=16,
        reading=TokenReading(),
        vocabulary=Vocabulary(25, 0, 2, 3, 4, (0, 1, 2, 3, 4), ("",) * 25),
        log_probabilities=log_probabilities,
    )


# -- pairs


def test_pairs_by_hand(word_model):
    pairs = [
        ("good dog", "bad dog", 1.0),  # -5 against -6
        ("bad cat", "good cat", 0.0),  # -10 against -9
        ("good bad", "bad good", 0.5),  # -3 both
        ("good good good good", "dog", 0.5),  # -4 both, whatever their lengths
        ("dog", "bad bad bad", 1.0),  # summed, not averaged: -4 against -6
    ]
    good, bad, expected = zip(*pairs, strict=True)
    points = pair_points(word_model, good, bad, whole_words=False)
    assert points.tolist() == list(expected)
    assert points.dtype == np.float64


def test_sentences_of_the_same_tokens_are_a_tie(make_word_encoder, tmp_path):
    model = load_word_model(make_word_encoder(), 32, EvaluationContext(cache=tmp_path))
    # Both are unknown; long ones beside them make the batches uneven.
    good = ["one zebra", "the dog sees one cat and one bird and one house"]
    bad = ["one yak", "the dog"]
    assert pair_points(model, good, bad, whole_words=False)[0] == 0.5


@pytest.mark.parametrize("reading", [("own", "bidirectional"), ("previous", "causal")])
def test_points_follow_the_summed_scores(reading, make_word_encoder, tmp_path):
    model = load_word_model(make_word_encoder(*reading), 32, EvaluationContext(cache=tmp_path))
    good = ["the dog runs", "a red bird likes the house", "one cat"]
    bad = ["runs the dog", "a house likes red the bird", "two cat"]
    expected = []
    for pair in zip(good, bad, strict=True):
        sums = []
        for sentence in pair:
            tokens, _ = tokenise_words([sentence], model.tokenizer, 32)
            sums.append(token_log_likelihoods(model, tokens)[0].sum())
        expected.append(float(sums[0] > sums[1]))
    assert pair_points(model, good, bad, whole_words=False).tolist() == expected


# -- columns, average and what is read


PARADIGMS = {
    "b_one": ("binding", [("good dog", "bad dog"), ("good cat", "bad cat")]),
    "b_two": ("binding", [("bad", "good"), ("good", "bad"), ("good bad", "bad good")]),
    "s_one": ("s-selection", [("bad", "good")]),
    "a_one": ("argument_structure", [("good", "bad")]),
}


def test_accuracies_by_hand(write, word_model, tmp_path, monkeypatch):
    suite = _suite(write(PARADIGMS))
    monkeypatch.setattr("objbench.engine.encoder.token_head.has_token_head", lambda folder: True)
    monkeypatch.setattr(
        "objbench.engine.evaluation.token_scores.load_word_model", lambda *what: word_model
    )
    result = suite.evaluate(tmp_path, "pairs", 0, EvaluationContext(cache=tmp_path))
    assert result.details["paradigms"] == {"a_one": 1.0, "b_one": 1.0, "b_two": 0.5, "s_one": 0.0}
    assert {name: score["accuracy"] for name, score in result.scores.items()} == {
        "argument_structure": 0.5,  # s-selection belongs to it
        "binding": 0.75,  # the mean of its paradigms, not of its pairs
        "overall": 0.625,
    }
    assert result.eval_examples == {"overall": 7} and result.train_examples == 0
    # A pair weighs as much as its paradigm has few: their mean is the mean of the paradigms.
    points = result.examples["overall"].values["accuracy"]
    assert len(points) == 7 and points.mean() == pytest.approx(0.625)
    average = suite.average()
    assert average.score({"overall": 62.5, "binding": 1.0}) == 62.5
    assert average.label == "accuracy, mean of 4 paradigms (BLiMP has 67)"
    assert [column.name for column in suite.columns()] == list(result.scores)
    assert suite.tasks() == ("pairs",) and suite.seeds() == (0,)


def test_at_most_so_many_pairs(write, word_model, tmp_path, monkeypatch):
    suite = _suite(write(PARADIGMS), pairs=1)
    monkeypatch.setattr("objbench.engine.encoder.token_head.has_token_head", lambda folder: True)
    monkeypatch.setattr(
        "objbench.engine.evaluation.token_scores.load_word_model", lambda *what: word_model
    )
    result = suite.evaluate(tmp_path, "pairs", 0, EvaluationContext(cache=tmp_path))
    assert result.details["paradigms"]["b_two"] == 0.0 and result.eval_examples == {"overall": 4}
    assert "at most 1 pairs a paradigm" in suite.protocol


@pytest.mark.parametrize("score", ["pll", "pll_word_l2r"])
def test_a_real_encoder_in_both_ways(score, write, make_word_encoder, tmp_path):
    suite = _suite(write(PARADIGMS), score=score)
    result = suite.evaluate(make_word_encoder(), "pairs", 0, EvaluationContext(cache=tmp_path))
    assert all(0 <= metrics["accuracy"] <= 1 for metrics in result.scores.values())
    assert json.dumps(result.details) and result.details["length"] == 32
    assert len(suite.protocol) <= 240


def test_an_encoder_without_a_head_has_a_reason_in_every_column(write, tiny_encoder, tmp_path):
    suite = _suite(write(PARADIGMS))
    result = suite.evaluate(tiny_encoder, "pairs", 0, EvaluationContext(cache=tmp_path))
    assert result.scores == {}
    assert result.unscored == {column.name: NO_TOKEN_HEAD for column in suite.columns()}


def test_it_is_nothing_to_tune_by(write, make_word_encoder, tmp_path):
    context = EvaluationContext(cache=tmp_path, tuning=True)
    with pytest.raises(ConfigError, match="reports on all of its pairs"):
        _suite(write(PARADIGMS)).evaluate(make_word_encoder(), "pairs", 0, context)
    assert not BlimpSuite.tunable


def test_the_fingerprint_is_of_options_and_pairs_wherever_they_lie(write, tmp_path):
    folder = write(PARADIGMS)
    variants = ({}, {"pairs": 1}, {"score": "pll_word_l2r"}, {"length": 9})
    prints = [_suite(folder, **options).fingerprint("pairs") for options in variants]
    moved = folder.rename(tmp_path / "elsewhere")
    assert _suite(moved).fingerprint("pairs") == prints[0]
    (moved / "a_one.jsonl").write_text(_line("good", "cat", "a_one"))
    prints.append(_suite(moved).fingerprint("pairs"))
    assert len(set(prints)) == len(prints)


def test_line_separators_and_a_byte_order_mark_are_no_line_ends(write):
    folder = write(PARADIGMS)
    before = _suite(folder).fingerprint("pairs")
    pairs = [("go\u2028od\u0085", "b\x1ead"), ("good", "bad")]
    lines = [json.dumps(json.loads(_line(*pair, "a_one")), ensure_ascii=False) for pair in pairs]
    (folder / "a_one.jsonl").write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    (found,) = (one for one in _suite(folder)._paradigms if one.name == "a_one")
    assert list(zip(found.good, found.bad, strict=True)) == pairs
    assert _suite(folder).fingerprint("pairs") != before


@pytest.mark.parametrize(
    ("pairs", "label"),
    [
        (0, "accuracy, mean of 67 paradigms (133 of BLiMP's 67,000 pairs)"),
        (2, "accuracy, mean of 67 paradigms (133 of BLiMP's 134 pairs)"),
        (1, "accuracy, mean of 67 paradigms"),
    ],
)
def test_a_part_of_blimp_is_called_a_part(pairs, label, write):
    names = [f"p{number:02}" for number in range(67)]
    folder = write({name: ("binding", [("a", "b")] * (1 + (name != "p05"))) for name in names})
    assert _suite(folder, pairs=pairs).average().label == label


# -- what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: a file holds the pairs of one paradigm"),
        ("{", r"odd\.jsonl:1: not JSON"),
        ("[1]", r":1: no text in the field \"sentence_good\""),
        ('{"sentence_good": "a"}', r":1: no text in the field \"sentence_bad\""),
        (_line("a", None, "x"), "row 1: a pair needs the texts sentence_good, sentence_bad"),
        (_line("a", " ", "x"), "row 1: a pair needs the texts"),
        (f"{_line('a', 'b', 'x')}\n{_line('a', 'b', 'y')}", "mixes paradigms"),
        (_line("a", "b", "b_one"), "two files hold the paradigm b_one"),
    ],
)
def test_malformed_files(text, message, write):
    folder = write(PARADIGMS)
    (folder / "odd.jsonl").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        _suite(folder).tasks()
    assert "\n" not in str(caught.value)


def test_no_files(tmp_path):
    with pytest.raises(DataError, match=r"holds no \.jsonl files: .*by --blimp-dir"):
        _suite(tmp_path).tasks()


def test_the_hub_out_of_reach_names_the_option(monkeypatch):
    def fail(*arguments, **options):
        raise ConnectionError("no hub")

    monkeypatch.setattr("datasets.get_dataset_config_names", fail)
    with pytest.raises(HubError, match=r"go online once, or name a folder .* by --blimp-dir"):
        _suite().columns()
    assert _suite().tasks() == ("pairs",)


def test_the_hub_gives_what_a_folder_gives(write, monkeypatch):
    rows = {
        name: [json.loads(_line(*pair, name, term)) for pair in pairs]
        for name, (term, pairs) in PARADIGMS.items()
    }
    monkeypatch.setattr("datasets.get_dataset_config_names", lambda name: list(rows))
    monkeypatch.setattr("datasets.load_dataset", lambda hub, name, split: rows[name])
    assert _suite().fingerprint("pairs") == _suite(write(PARADIGMS)).fingerprint("pairs")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pairs": -1}, "blimp.pairs = -1: give at least 0"),
        ({"length": 3}, "blimp.length = 3: give at least 4"),
        ({"score": "best"}, "blimp.score = 'best' does not fit"),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(ConfigError, match=message):
        _suite(**options)
