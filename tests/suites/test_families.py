"""Ten families of encoders, each with a tokenizer of its own kind, from pretraining to every suite.

What holds for all: a sentence is laid out in fine-tuning, probe and word scores as it was packed,
what spells a special token is text everywhere, and the export takes what its tokenizer makes.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from objbench.contract.batch import Batch, Rows
from objbench.contract.suite import EvaluationContext
from objbench.data import (
    PackedSequences,
    load_tokenizer,
    open_corpus,
    open_token_cache,
)
from objbench.engine.encoder.inputs import longest_input, takes_token_types
from objbench.engine.encoder.load import load_encoder
from objbench.engine.encoder.load import load_tokenizer as load_exported
from objbench.engine.evaluation.batching import assemble
from objbench.engine.evaluation.classifier import token_states
from objbench.engine.evaluation.embed import embed
from objbench.engine.evaluation.examples import Examples, Source, tokenise
from objbench.engine.evaluation.finetune import finetune
from objbench.engine.evaluation.recipe import Recipe
from objbench.engine.evaluation.token_scores import load_word_model
from objbench.engine.evaluation.word_pieces import tokenise_words
from objbench.engine.training.job import PretrainJob
from objbench.engine.training.trainer import pretrain
from objbench.study.settings import EncoderSection, TrainingSection
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_suites.pair_scores import pair_points

NAMES = (
    *("bert", "electra", "distilbert", "nomic_bert", "roberta", "xlm-roberta", "albert"),
    *("deberta-v2", "modernbert", "eurobert"),
)
LENGTH = 16


@pytest.fixture(scope="module")
def corpus(families, tmp_path_factory):
    path = tmp_path_factory.mktemp("families") / "text.txt"
    path.write_text("\n\n".join([families.SPELLED, *families.SENTENCES * 6]))
    backwards = [" ".join(reversed(sentence.split())) for sentence in families.SENTENCES]
    (path.parent / "heldout.txt").write_text("\n\n".join(backwards))
    return open_corpus(str(path.parent))


@pytest.fixture(scope="module", params=NAMES)
def made(request, families, corpus, tmp_path_factory):
    """(the family, its study's tokenizer and tokens, the folder of an encoder pretrained on them)."""
    family, folder = families.FAMILIES[request.param], tmp_path_factory.mktemp("family")
    family.tokenizer().save_pretrained(folder / "tokenizer")
    tokenizer = load_tokenizer(str(folder / "tokenizer"), corpus, folder)
    tokens = open_token_cache(corpus, tokenizer, folder)
    vocabulary = tokenizer.vocabulary()
    train, heldout = (
        PackedSequences(tokens=part, length=LENGTH, cls=vocabulary.cls, name="text")
        for part in (tokens.train, tokens.heldout)
    )
    size = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 96,
    }
    pretrain(
        PretrainJob(
            objective=MaskedLanguageModeling,
            config=MaskedLanguageModeling.Config(),
            encoder=EncoderSection(model_type=request.param, config={**size, **dict(family.extra)}),
            training=TrainingSection(batch=4, learning_rate=1e-3, log_every=2),
            length=LENGTH,
            seed=0,
            steps=2,
            export_steps=(2,),
            heldout_batches=1,
            train=train,
            heldout=heldout,
            vocabulary=vocabulary,
            tokenizer=tokenizer.hf,
            run=folder,
            encoders="encoders",
            checkpoints=folder / "checkpoints",
            key="k" * 64,
        ),
        lambda done, total, text: None,
    )
    return family, tokenizer, tokens, folder / "encoders" / "step-2"


def _packed(tokenizer, tokens):
    """The first document, of one sentence, as it is packed into a sequence of its length."""
    end = int(np.flatnonzero(tokens.train == tokenizer.layout.sep)[0])
    rows = PackedSequences(
        tokens=tokens.train, length=end + 2, cls=tokenizer.layout.cls, name="text"
    )
    return rows.rows(np.array([0]))


def _inputs(encoder, run):
    """The ids that each embedding of ``encoder`` looks up while ``run`` runs."""
    seen, handles = [], []
    for name, module in encoder.named_modules():
        if isinstance(module, torch.nn.Embedding):
            hook = lambda _, given, name=name: seen.append((name, given[0].flatten().tolist()))
            handles.append(module.register_forward_pre_hook(hook))
    with torch.no_grad():
        states = run()
    for handle in handles:
        handle.remove()
    return seen, states


def test_every_family_is_tried(families):
    assert set(NAMES) == set(families.FAMILIES)


def test_a_sentence_is_evaluated_as_it_was_packed(made, families):
    family, tokenizer, tokens, folder = made
    exported = load_exported(folder)
    packed = _packed(tokenizer, tokens)
    assert not {*packed[0, 1:-1].tolist()} & {*tokenizer.vocabulary().special} - {
        tokenizer.hf.unk_token_id
    }
    # A corpus's documents have no white space around them.
    examples = Examples([f" {families.SPELLED} \n"], None, np.zeros(1, np.int64))
    tuned = tokenise(examples, exported, 99)
    words, _ = tokenise_words([families.SPELLED], exported, 99)
    assert tuned.ids.tolist() == words.ids.tolist() == packed[0].tolist()
    assert not tuned.types.any()

    encoder = load_encoder(folder).eval()
    batch = Batch(torch.from_numpy(packed), torch.zeros(packed.shape).bool(), None, Rows.alone(1))
    trained = lambda: encoder(input_ids=batch.input_ids).last_hidden_state
    evaluated = lambda: token_states(encoder, assemble(tuned, np.array([0])))
    (seen, states), (again, same) = _inputs(encoder, trained), _inputs(encoder, evaluated)
    assert seen == again and len(seen) >= (2 if family.has_table else 1)
    assert torch.equal(states, same)


def test_a_pair_is_laid_out_as_its_family_does(made):
    family, _, _, folder = made
    exported, encoder = load_exported(folder), load_encoder(folder)
    layout = exported.layout
    assert takes_token_types(encoder) == family.has_types
    pair = tokenise(Examples(["red dog"], ["a cat"], np.zeros(1, np.int64)), exported, 99)
    one, two = (
        exported.encoder().encode(text, add_special_tokens=False).ids
        for text in ("red dog", "a cat")
    )
    before = [layout.cls, *one, *[layout.sep] * family.separators]
    assert pair.ids.tolist() == [*before, *two, layout.sep]
    assert pair.types.tolist() == [0] * len(before) + [1] * (len(two) + 1)


def test_the_export_takes_what_its_tokenizer_makes(made):
    family, _, _, folder = made
    exported = load_exported(folder)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    assert (longest_input(model) is not None) == family.has_table
    assert tokenizer.model_max_length == (longest_input(model) or 96)
    encoded = tokenizer(["the dog"], ["a cat " * 99], truncation=True, return_tensors="pt")
    assert encoded["input_ids"].shape == (1, tokenizer.model_max_length)
    assert ("token_type_ids" in encoded) == family.has_types
    with torch.no_grad():
        states = model.eval()(**encoded).last_hidden_state
    ours = tokenise(
        Examples(["the dog"], ["a cat " * 99], np.zeros(1, np.int64)),
        exported,
        encoded["input_ids"].shape[1],
    )
    assert ours.ids.tolist() == encoded["input_ids"][0].tolist()
    evaluated = token_states(model, assemble(ours, np.array([0])))
    torch.testing.assert_close(states, evaluated)


def test_every_suite_takes_the_encoder(made, families, tmp_path):
    _, _, _, folder = made
    context = EvaluationContext(cache=tmp_path)
    # Longer than any encoder here can read.
    first = [*families.SENTENCES[:10], families.SPELLED, "the dog sees " * 60]
    labels = np.arange(len(first)) % 2
    for second in (None, first[::-1]):
        examples = Examples(first, second, labels)
        source = Source(examples.fingerprint, lambda examples=examples: examples)
        recipe = Recipe(learning_rate=1e-3, batch=8, epochs=1, length=128)
        result = finetune(folder, source, {"all": source}, 2, recipe, 0, context)
        assert result.logits["all"].shape == (len(first), 2)
        states = embed(folder, {"all": source}, 128, context)["all"]
        assert states.first.shape == (len(first), 16)
        assert (
            result.length == states.length == min(longest_input(load_encoder(folder)) or 128, 128)
        )
    model = load_word_model(folder, 128, context)
    points = pair_points(model, first[:3], first[-5:-2], whole_words=True)
    assert np.isin(points, (0.0, 0.5, 1.0)).all()
