"""What all tests share: one thread, a cache of their own, and an encoder small enough to fine-tune."""

import gc
import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    BertConfig,
    BertModel,
    BertTokenizerFast,
)

from objbench.blocks.heads import TokenHead
from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.objective import TokenReading
from objbench.engine.encoder.build import encoder_spec_of
from objbench.engine.encoder.token_head import save_token_head

WORDS = [
    "good",
    "bad",
    "fine",
    "poor",
    "the",
    "a",
    "dog",
    "cat",
    "bird",
    "house",
    "runs",
    "sees",
    "likes",
    "one",
    "two",
    "red",
    "blue",
    "is",
    "not",
    "and",
]


def pytest_collection_modifyitems(items):
    """The longest first: none is left for one worker when the others have nothing to do."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    # Such small matrices gain nothing from a second thread, and on busy cores wait for it.
    torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def _only_garbage_of_this_module():
    # Half a million objects of imported libraries need not be searched whenever a model is freed.
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """A cache folder for the tests alone, also in the processes that they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def _tokenizer():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: index for index, word in enumerate([*special, *WORDS])}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return BertTokenizerFast(tokenizer_object=made, model_max_length=512)


@pytest.fixture(scope="session")
def families():
    """The module of encoder families and their tokenizers; the tests are no package."""
    path = Path(__file__).with_name("families.py")
    spec = importlib.util.spec_from_file_location("families", path)
    sys.modules["families"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make_checkpoint(families, tmp_path_factory):
    """(model type, **configuration) -> folder of a masked language model as transformers saves it.

    With its tokenizer; three rows of its embeddings belong to no word, and no weight is as it began.
    """
    tokenizers = {"roberta": families.roberta, "modernbert": families.modernbert}

    def make(family, **changes):
        folder = tmp_path_factory.mktemp("checkpoint") / family
        tokenizer = tokenizers.get(family, families.wordpiece)()
        ids = {
            f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ("pad", "cls")
        }
        ids |= {"sep_token_id": tokenizer.sep_token_id, "bos_token_id": tokenizer.cls_token_id}
        sizes = {
            "vocab_size": len(tokenizer) + 3,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 64,
        }
        config = AutoConfig.for_model(family, **{**sizes, **ids, **changes})
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = AutoModelForMaskedLM.from_config(config)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter += 0.1 * torch.randn(parameter.shape)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def make_encoder(tmp_path_factory):
    """(**configuration) -> folder of a BERT, two layers of 32, random with seed 0."""

    def make(seed=0, **changes):
        folder = tmp_path_factory.mktemp("encoder")
        tokenizer = _tokenizer()
        sizes = {
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": 32,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        }
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            encoder = BertModel(BertConfig(**{**sizes, **changes}), add_pooling_layer=False)
        encoder.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_encoder(make_encoder):
    """The folder of a random BERT over a vocabulary of a few words."""
    return make_encoder()


@pytest.fixture(scope="session")
def make_word_encoder(make_encoder):
    """(reads, attention, **configuration) -> folder of a random BERT with a token head beside it."""

    def make(reads="own", attention="bidirectional", **changes):
        folder = make_encoder(**changes)
        encoder = BertModel.from_pretrained(folder, add_pooling_layer=False)
        words = encoder.config.vocab_size
        vocabulary = Vocabulary(words, 0, 2, 3, 4, (0, 1, 2, 3, 4), ("",) * words)
        encoder_spec = encoder_spec_of(encoder, vocabulary)
        with torch.random.fork_rng():
            torch.manual_seed(1)
            head = TokenHead(encoder_spec)
            # A fresh head says the same of every word.
            torch.nn.init.normal_(head.dense.weight)
            torch.nn.init.normal_(head.bias)
        reading = TokenReading(reads, attention)
        save_token_head(
            SimpleNamespace(token_head=head, token_reading=reading, encoder_spec=encoder_spec),
            folder,
        )
        return folder

    return make
