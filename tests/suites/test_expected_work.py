"""What the suites without training say that they read is what the encoder is then given."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from objbench.contract.options import configure
from objbench.contract.suite import EvaluationContext
from objbench.plugins.source_digest import sources
from objbench_suites import blimp_work, heldout_work, representation_work
from objbench_suites.blimp import BlimpSuite
from objbench_suites.glue import GlueSuite
from objbench_suites.heldout import HeldoutSuite
from objbench_suites.probe import ProbeSuite
from objbench_suites.representation import RepresentationSuite

WORDS, PAD, LENGTH = 25, 0, 12


@contextmanager
def counted():
    """The sequences and tokens that encoders read in the body, padding left out."""
    found = SimpleNamespace(read=0, tokens=0)

    def look(module, given):
        if isinstance(module, nn.Embedding) and module.num_embeddings == WORDS:
            found.read += len(given[0])
            found.tokens += int((given[0] != PAD).sum())

    hook = register_module_forward_pre_hook(look)
    try:
        yield found
    finally:
        hook.remove()


def _blimp(tmp_path, **options):
    pairs = [
        ("one dog", "dog one dog"),
        ("the dog sees one cat and one bird", "the cat sees one dog and one house"),
        ("a red bird likes the house", "a house likes a red bird"),
    ]
    lines = [
        f'{{"sentence_good": "{good}", "sentence_bad": "{bad}", "UID": "a", '
        '"linguistics_term": "binding"}'
        for good, bad in pairs
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    return BlimpSuite(configure(BlimpSuite, {"dir": str(tmp_path), **options}))


@pytest.mark.parametrize("options", [{}, {"score": "pll_word_l2r"}, {"length": 5}, {"pairs": 2}])
def test_blimp(options, make_word_encoder, tmp_path, monkeypatch):
    # No word of this tokenizer has two pieces.
    monkeypatch.setattr(blimp_work, "PIECES", 1.0)
    suite = _blimp(tmp_path, **options)
    with counted() as found:
        suite.evaluate(make_word_encoder(), "pairs", 0, EvaluationContext(cache=tmp_path))
    work = blimp_work.work(suite, "pairs", None, LENGTH, None)
    assert (work.steps, work.trained, work.read) == (0, 0, found.read)
    assert work.read * work.length == pytest.approx(found.tokens)
    with counted() as causal:
        folder = make_word_encoder("previous", "causal")
        suite.evaluate(folder, "pairs", 0, EvaluationContext(cache=tmp_path))
    assert 0 < causal.read < found.read


def test_blimp_that_is_not_at_hand(tmp_path):
    whole = blimp_work.work(BlimpSuite(BlimpSuite.Config()), "pairs", None, LENGTH, None)
    # 67,000 pairs, of which 1,366,642 pieces are read, as counted in its files by ``work``.
    assert whole.read == pytest.approx(1_366_642, rel=1e-3)
    assert whole.length == pytest.approx(13.77, rel=1e-3)
    assert "BLiMP's own number of pairs" in whole.assumed
    few = BlimpSuite(BlimpSuite.Config(pairs=100, length=8, dir=str(tmp_path / "absent")))
    part = blimp_work.work(few, "blimp", None, LENGTH, None)
    assert (part.read, part.length) == (2 * 67 * 100 * 6, 8)


def _text(sequences):
    """(the context of an evaluation that has so many sequences, of [CLS] and words)."""
    rows = np.random.default_rng(0).integers(5, WORDS, (sequences, LENGTH))
    rows[:, 0] = 2
    return lambda cache: EvaluationContext(cache=cache, heldout=lambda count: rows[:count])


@pytest.mark.parametrize("sequences", [7, 100])
def test_held_out_text(sequences, make_word_encoder, tmp_path):
    suite = HeldoutSuite(configure(HeldoutSuite, {"sequences": 70, "pseudo": 9}))
    with counted() as found:
        suite.evaluate(make_word_encoder(), "text", 0, _text(sequences)(tmp_path))
    work = heldout_work.work(suite, "text", None, LENGTH, sequences)
    assert (work.steps, work.trained, work.read) == (0, 0, found.read)
    assert work.read * work.length == found.tokens
    enough = heldout_work.work(suite, "text", None, LENGTH, None)
    assert enough.read == 70 + 9 * 11 and "70 held-out sequences" in enough.assumed


@pytest.mark.parametrize("sequences", [7, 100])
def test_representations(sequences, make_word_encoder, tmp_path):
    suite = RepresentationSuite(configure(RepresentationSuite, {"sequences": 30}))
    with counted() as found:
        suite.evaluate(make_word_encoder(), "text", 0, _text(sequences)(tmp_path))
    work = representation_work.work(suite, "text", None, LENGTH, sequences)
    assert (work.steps, work.trained, work.read) == (0, 0, found.read)
    assert work.read * work.length == pytest.approx(found.tokens)


@pytest.mark.parametrize(
    "suite", [BlimpSuite, HeldoutSuite, RepresentationSuite, GlueSuite, ProbeSuite]
)
def test_an_estimate_changes_no_key(suite):
    estimates = (f"{suite.__module__}_work", "objbench_suites.counted_sizes")
    assert not {*estimates} & {*sources(suite)}
