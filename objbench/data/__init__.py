"""From a corpus to batches: documents, tokenizer, token cache, packed sequences, order, loader."""

from objbench.data.cache import TokenCache, open_token_cache
from objbench.data.corpus import Corpus, open_corpus
from objbench.data.loader import Loader
from objbench.data.order import batch_indices
from objbench.data.packed_sequences import PackedSequences
from objbench.data.tokenizer import TokenizerHandle, load_tokenizer

__all__ = [
    "Corpus",
    "Loader",
    "PackedSequences",
    "TokenCache",
    "TokenizerHandle",
    "batch_indices",
    "load_tokenizer",
    "open_corpus",
    "open_token_cache",
]
