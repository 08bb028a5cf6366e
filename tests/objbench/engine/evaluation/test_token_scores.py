"""Log-probabilities of tokens: against plain loops in float64, one sequence at a time."""

import math

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertModel, PreTrainedTokenizerFast

from objbench.contract.batch import IGNORE_INDEX
from objbench.contract.suite import EvaluationContext
from objbench.data.tokenizer import TokenizerHandle
from objbench.engine.encoder.token_head import load_token_head
from objbench.engine.evaluation import token_scores
from objbench.engine.evaluation.examples import TokenisedExamples
from objbench.engine.evaluation.token_scores import load_word_model, token_log_likelihoods
from objbench.engine.evaluation.word_pieces import tokenise_words
from objbench.errors import CheckpointError

MASK, SPECIAL = 4, (0, 1, 2, 3, 4)


def _tokens(count, most=9, seed=0):
    """Sequences of [CLS], words (now and then an unknown one), [SEP]."""
    generator = np.random.default_rng(seed)
    rows = [
        [2, *generator.integers(5, 25, generator.integers(1, most)).tolist(), 3]
        for _ in range(count)
    ]
    rows[0][1] = 1
    return rows


def _flat(rows):
    lengths = [len(row) for row in rows]
    return TokenisedExamples(
        ids=np.concatenate(rows).astype(np.int32),
        types=np.zeros(sum(lengths), np.uint8),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        labels=np.zeros(len(rows), np.int64),
        pad=0,
    )


def _load(folder, tmp_path, **context):
    return load_word_model(folder, 30, EvaluationContext(cache=tmp_path, **context))


class Oracle:
    """The encoder and head in float64; one unpadded sequence, one position at a time."""

    def __init__(self, folder, model):
        self.encoder = BertModel.from_pretrained(folder, add_pooling_layer=False).double().eval()
        self.head = load_token_head(folder, model.vocabulary)[0].double()
        self.reading = model.reading

    @torch.no_grad()
    def log_probability(self, ids, column, target):
        """log softmax of the target's logit, by loops over the vocabulary."""
        options = {}
        if self.reading.attention == "causal":
            length = len(ids)
            seen = [[1.0 if k <= q else 0.0 for k in range(length)] for q in range(length)]
            options["attention_mask"] = torch.tensor(seen)[None, None].bool()
        states = self.encoder(input_ids=torch.tensor([ids]), **options).last_hidden_state[0]
        state = states[column - 1 if self.reading.reads == "previous" else column]
        logits = self.head(state, self.encoder.get_input_embeddings().weight).tolist()
        return logits[target] - math.log(sum(math.exp(logit) for logit in logits))

    def scores(self, rows, ends=None):
        """Every token of every sequence; 0 at special ones."""
        found = []
        for number, row in enumerate(rows):
            for column, token in enumerate(row):
                if token in SPECIAL:
                    found.append(0.0)
                    continue
                shown = list(row)
                if not self.reading.is_left_to_right:
                    end = column + 1 if ends is None else ends[number][column]
                    shown[column:end] = [MASK] * (end - column)
                found.append(self.log_probability(shown, column, token))
        return found


@pytest.mark.parametrize(
    "reading",
    [
        ("own", "bidirectional"),
        ("previous", "bidirectional"),
        ("previous", "causal"),
        ("own", "causal"),
    ],
)
def test_every_token_of_every_sequence_as_by_loops(reading, make_word_encoder, tmp_path):
    folder = make_word_encoder(*reading)
    model = _load(folder, tmp_path)
    rows = _tokens(12)
    found, scored = token_log_likelihoods(model, _flat(rows))
    np.testing.assert_allclose(found, Oracle(folder, model).scores(rows), rtol=0, atol=2e-5)
    assert scored.tolist() == [token not in SPECIAL for row in rows for token in row]
    assert found.dtype == np.float64 and (found[scored] < 0).all()


def test_the_rest_of_a_word_is_hidden_with_its_pieces(make_word_encoder, tmp_path):
    folder = make_word_encoder()
    model = _load(folder, tmp_path)
    rows = [[2, 5, 6, 7, 8, 3], [2, 9, 10, 3]]
    ends = [[1, 4, 4, 4, 5, 6], [1, 2, 3, 4]]
    found, _ = token_log_likelihoods(model, _flat(rows), np.concatenate(ends))
    plain, _ = token_log_likelihoods(model, _flat(rows))
    oracle = Oracle(folder, model).scores(rows, ends)
    np.testing.assert_allclose(found, oracle, rtol=0, atol=2e-5)
    # The last piece hides nothing more than itself.
    assert found[3] == pytest.approx(plain[3]) and abs(found[1] - plain[1]) > 1e-4


def test_a_causal_score_does_not_look_ahead_and_a_masked_one_does(make_word_encoder, tmp_path):
    rows, other = [[2, 5, 6, 7, 3]], [[2, 5, 6, 9, 3]]
    for reading, looks in ((("previous", "causal"), False), (("own", "bidirectional"), True)):
        model = _load(make_word_encoder(*reading), tmp_path)
        one, two = (token_log_likelihoods(model, _flat(r))[0] for r in (rows, other))
        assert (abs(one[1:3] - two[1:3]).max() > 1e-4) == looks


def test_batches_and_progress_move_nothing(make_word_encoder, tmp_path, monkeypatch):
    model = _load(make_word_encoder(), tmp_path)
    tokens = _flat(_tokens(30))
    whole, _ = token_log_likelihoods(model, tokens)
    monkeypatch.setattr("objbench.engine.evaluation.token_scores.EVALUATION_TOKENS", 23)
    monkeypatch.setattr("objbench.engine.encoder.token_losses.LOGIT_ROWS", 2)
    seen = []
    parts, _ = token_log_likelihoods(model, tokens, report=lambda *what: seen.append(what))
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-5)
    assert len(seen) > 2 and all(done < total for done, total, _ in seen)


def test_half_precision_is_near_and_an_ignored_target_is_nothing(make_word_encoder, tmp_path):
    folder = make_word_encoder("previous", "causal")
    tokens = _flat(_tokens(6))
    whole, half = (
        token_log_likelihoods(_load(folder, tmp_path, precision=p), tokens)[0]
        for p in ("fp32", "bf16")
    )
    assert 0 < np.abs(whole - half).max() < 0.3
    model = _load(folder, tmp_path)
    ids, ignored = torch.tensor([[2, 5, 6, 3]]), torch.tensor([[IGNORE_INDEX, 6]])
    found = model.log_probabilities(ids, None, torch.tensor([[1, 2]]), ignored)
    assert found[0, 0] == 0 and found[0, 1] < 0


def test_a_score_that_is_not_finite(make_word_encoder, tmp_path):
    model = _load(make_word_encoder(), tmp_path)
    model.head.bias.data[7] = float("nan")
    with pytest.raises(FloatingPointError, match="not finite"):
        token_log_likelihoods(model, _flat(_tokens(3)))


def test_an_encoder_without_a_head(tiny_encoder, tmp_path):
    with pytest.raises(CheckpointError, match="holds no token head"):
        _load(tiny_encoder, tmp_path)


def test_where_words_end():
    words = ["[UNK]", "dog", "##s", "##y", "run", ".", "[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: n for n, word in enumerate(words)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    roles = {f"{role}_token": f"[{role.upper()}]" for role in ("unk", "pad", "cls", "sep", "mask")}
    hf = PreTrainedTokenizerFast(tokenizer_object=made, **roles)
    tokenizer = TokenizerHandle(name="test", fingerprint="", hf=hf)
    tokens, ends = tokenise_words(["dogsy run.", "run runs"], tokenizer, 20)
    assert tokens.ids.tolist() == [7, 1, 2, 3, 4, 5, 8, 7, 4, 4, 2, 8]
    assert ends.tolist() == [1, 4, 4, 4, 5, 6, 7, 1, 2, 4, 4, 5]
    cut, ends = tokenise_words(["dogsy run."], tokenizer, 4)
    assert cut.ids.tolist() == [7, 1, 2, 8] and ends.tolist() == [1, 3, 3, 4]


@pytest.mark.parametrize(("reads", "attention"), [("own", "bidirectional"), ("previous", "causal")])
def test_no_batch_is_read_before_all_of_them_are_computed(
    make_word_encoder, tmp_path, monkeypatch, reads, attention
):
    model = _load(make_word_encoder(reads, attention), tmp_path)
    monkeypatch.setattr(token_scores, "EVALUATION_TOKENS", 16)
    events, compute, read = [], token_scores.WordModel.log_probabilities, torch.Tensor.cpu

    def computed(*given):
        events.append("computed")
        return compute(*given)

    def cpu(tensor):
        events.append("read")
        return read(tensor)

    monkeypatch.setattr(token_scores.WordModel, "log_probabilities", computed)
    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    token_log_likelihoods(model, _flat(_tokens(6)))
    assert events.count("computed") > 3
    assert "computed" not in events[events.index("read") :]
