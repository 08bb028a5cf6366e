"""The held-out suite: losses against plain loops in float64, and who gets which."""

import math

import numpy as np
import pytest
import torch
from transformers import BertModel

from objbench.blocks.masking import mask_tokens
from objbench.contract.batch import IGNORE_INDEX, Batch, Rows
from objbench.contract.options import configure
from objbench.contract.random_streams import Streams
from objbench.contract.suite import EvaluationContext
from objbench.engine.encoder.token_head import NO_TOKEN_HEAD, load_token_head
from objbench.engine.evaluation.token_scores import load_word_model
from objbench.errors import ConfigError, DataError
from objbench_suites.heldout import HeldoutSuite
from objbench_suites.token_losses import MASKS_SEED, masked_loss, mean_log_likelihood


def _suite(**options):
    return HeldoutSuite(configure(HeldoutSuite, options))


def _rows(count, length=12, seed=0):
    """Sequences of [CLS] and words, a [SEP] among them."""
    rows = np.random.default_rng(seed).integers(5, 25, (count, length))
    rows[:, 0], rows[:, 7] = 2, 3
    return rows


def _context(tmp_path, rows, **options):
    asked = []

    def heldout(count):
        asked.append(count)
        return rows[:count]

    return EvaluationContext(cache=tmp_path, heldout=heldout, **options), asked


def _model(folder, tmp_path):
    return load_word_model(folder, 12, EvaluationContext(cache=tmp_path))


class Loops:
    """-log P of single tokens in float64."""

    def __init__(self, folder, vocabulary):
        self.encoder = BertModel.from_pretrained(folder, add_pooling_layer=False).double().eval()
        self.head = load_token_head(folder, vocabulary)[0].double()

    @torch.no_grad()
    def loss(self, ids, column, target):
        states = self.encoder(input_ids=torch.tensor([ids])).last_hidden_state[0]
        words = self.encoder.get_input_embeddings().weight
        logits = self.head(states[column], words).tolist()
        return math.log(sum(math.exp(logit) for logit in logits)) - logits[target]


def test_the_masked_loss_is_the_mean_over_the_masked_positions(make_word_encoder, tmp_path):
    folder = make_word_encoder()
    model, rows = _model(folder, tmp_path), _rows(70)
    loops = Loops(folder, model.vocabulary)
    special = torch.zeros(25, dtype=torch.bool)
    special[:5] = True
    losses = []
    # 64 sequences, then the six that are left.
    for number, part in enumerate((rows[:64], rows[64:])):
        ids = torch.from_numpy(part)
        batch = Batch(ids, special[ids], None, Rows.alone(len(ids)))
        streams = Streams(MASKS_SEED, number, rows=len(ids))
        masked = mask_tokens(batch, model.vocabulary, streams, 0.3)
        for row in range(len(ids)):
            for column, target in zip(
                masked.positions[row].tolist(), masked.targets[row].tolist(), strict=True
            ):
                if target != IGNORE_INDEX:
                    losses.append(loops.loss(masked.input_ids[row].tolist(), column, target))
    found = masked_loss(model, rows, 0.3, lambda *what: None)
    assert found.tokens == len(losses)
    assert found.mean == pytest.approx(sum(losses) / len(losses), abs=2e-5)


def test_pseudo_perplexity_hides_each_token_in_turn(make_word_encoder, tmp_path):
    folder = make_word_encoder()
    model, rows = _model(folder, tmp_path), _rows(3)
    loops = Loops(folder, model.vocabulary)
    losses = []
    for row in rows.tolist():
        for column, token in enumerate(row):
            if token >= 5:
                shown = [*row[:column], 4, *row[column + 1 :]]
                losses.append(loops.loss(shown, column, token))
    found = mean_log_likelihood(model, rows, lambda *what: None)
    assert found.tokens == len(losses) == 3 * 10
    assert found.mean == pytest.approx(sum(losses) / 30, abs=2e-5)
    assert found.perplexity == pytest.approx(math.exp(sum(losses) / 30), rel=1e-4)


def test_every_encoder_gets_the_same_masks(make_word_encoder, tmp_path, monkeypatch):
    seen = []
    plain = mask_tokens

    def watched(*arguments):
        masked = plain(*arguments)
        seen.append(masked.input_ids)
        return masked

    monkeypatch.setattr("objbench_suites.token_losses.mask_tokens", watched)
    for seed, folder in enumerate((make_word_encoder(), make_word_encoder(seed=3))):
        torch.manual_seed(seed)
        masked_loss(_model(folder, tmp_path), _rows(5), 0.5, lambda *what: None)
    assert torch.equal(*seen) and not torch.equal(seen[0], torch.from_numpy(_rows(5)))


def test_a_masked_model_has_a_pseudo_perplexity_and_a_causal_one_a_perplexity(
    make_word_encoder, tmp_path
):
    for reading, own, other in (
        (("own", "bidirectional"), "pseudo_perplexity", "perplexity"),
        (("previous", "bidirectional"), "pseudo_perplexity", "perplexity"),
        (("previous", "causal"), "perplexity", "pseudo_perplexity"),
    ):
        context, asked = _context(tmp_path, _rows(20))
        suite = _suite(sequences=16, pseudo=2)
        result = suite.evaluate(make_word_encoder(*reading), "text", 0, context)
        assert set(result.scores) == {"mlm_loss", own} and set(result.unscored) == {other}
        assert set(result.scores) | set(result.unscored) == {c.name for c in suite.columns()}
        assert asked == [16, 2]
        assert result.eval_examples[own] == 2 * 10
        # Random weights: not far from the uniform distribution over 25 words, in logs.
        assert 1 < result.scores["mlm_loss"]["cross_entropy"] < 20


def test_an_encoder_without_a_head_has_a_reason_in_every_column(tiny_encoder, tmp_path):
    context, asked = _context(tmp_path, _rows(4))
    result = _suite().evaluate(tiny_encoder, "text", 0, context)
    assert result.scores == {} and set(result.unscored.values()) == {NO_TOKEN_HEAD}
    assert set(result.unscored) == {column.name for column in _suite().columns()}
    assert asked == []


def test_the_protocol_names_the_one_corruption_and_fits_a_line(tmp_path):
    text = _suite(sequences=99).protocol
    assert "every encoder under the same BERT masks (15% of 99 sequences" in text
    assert "not under its own corruption" in text and "at a disadvantage" in text
    # What is longer is cut on the page.
    assert len(text) <= 240


def test_the_fingerprint_is_of_the_options():
    prints = [_suite(**options).fingerprint("text") for options in _OPTIONS]
    assert len(set(prints)) == len(prints)
    assert _suite().fingerprint("text") == prints[0]


_OPTIONS = ({}, {"sequences": 5}, {"pseudo": 5}, {"rate": 0.4})


def test_the_average_is_the_loss_alone_and_less_is_better():
    average = _suite().average()
    assert average.score({"mlm_loss": 331.0}) == 331.0 and average.direction == "min"
    assert average.score({"pseudo_perplexity": 20.0}) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequences": 0}, "heldout.sequences = 0: give at least 1"),
        ({"pseudo": 0}, "heldout.pseudo = 0: give at least 1"),
        ({"rate": 0.0}, r"heldout.rate = 0.0: give a share in \(0, 1\]"),
        ({"rate": 1.5}, r"heldout.rate = 1.5: give a share in \(0, 1\]"),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(ConfigError, match=message):
        _suite(**options)


def test_nothing_to_score_and_no_text(make_word_encoder, tmp_path):
    folder = make_word_encoder()
    with pytest.raises(DataError, match="give no token to score"):
        mean_log_likelihood(_model(folder, tmp_path), np.full((2, 4), 3), lambda *what: None)
    with pytest.raises(DataError, match="no held-out text is available"):
        _suite().evaluate(folder, "text", 0, EvaluationContext(cache=tmp_path))
