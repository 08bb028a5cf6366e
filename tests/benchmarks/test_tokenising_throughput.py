"""How fast a corpus becomes a token cache, beside what the tokenizers library does at most.

Run with ``pytest --benchmark-only tests/benchmarks/test_tokenising_throughput.py``. The corpus is
that of ``../shared/data/corpus``, 50 MB, if it exists, and generated text of that size otherwise;
the tokenizer is a WordPiece of 8,192 tokens trained on a part of it.

The peer is ``Tokenizer.encode_batch`` on the same documents, which it receives in memory, in the
same batches and on all cores; its output is discarded. Ours reads the files twice (once for the
fingerprint), finds the documents, encodes them, and writes and hashes the cache. Both alternate,
and the ratio is the median over the rounds of the quotients. Memory is the largest resident set of
a process of its own that does nothing else, as Linux counts it: ``ru_maxrss`` would start at that
of the parent process.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

from objbench.data import load_tokenizer, open_corpus, open_token_cache
from objbench.data.tokenising import CHUNK_CHARACTERS
from objbench.data.toy.language import toy_documents

SHARED = Path(__file__).parents[3] / "shared" / "data" / "corpus"
ROUNDS, LEAST, FLOOR_OPENING = 3, 0.8, 0.2
MEGABYTE, LARGEST, PATIENCE = 10**6, 10**9, 300.0
CHILD = """
import sys
from pathlib import Path
from objbench.data import load_tokenizer, open_corpus, open_token_cache
corpus = open_corpus(sys.argv[1])
open_token_cache(corpus, load_tokenizer(sys.argv[2], corpus, sys.argv[3]), sys.argv[3])
status = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in status if line.startswith("VmHWM:")))
"""

pytestmark = pytest.mark.benchmark(group="tokenising")


@pytest.fixture(scope="module")
def text(measures, tmp_path_factory):
    """A folder of text files: 50 MB, or 0.2 MB where nothing is measured."""
    if measures and SHARED.is_dir():
        return SHARED
    folder = tmp_path_factory.mktemp("corpus")
    documents = ["\n".join(document) for document in toy_documents(0, documents=400)]
    write_repeated(folder / "toy.txt", documents, (50 if measures else 0.2) * MEGABYTE)
    return folder


@pytest.fixture(scope="module")
def tokenizer(text, tmp_path_factory):
    """The folder of a tokenizer of that text's words."""
    folder = tmp_path_factory.mktemp("tokenizer")
    part = text / "brown" if (text / "brown").is_dir() else text
    load_tokenizer("train:8192", open_corpus(str(part)), folder).hf.save_pretrained(folder)
    return str(folder)


def write_repeated(path, documents, size):
    """Write ``documents`` over and over until the file has ``size`` bytes."""
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < size:
            file.writelines(f"{document}\n\n" for document in documents)


def batches_of(documents):
    """Batches as the cache makes them."""
    batch, characters = [], 0
    for document in documents:
        batch.append(document)
        characters += len(document)
        if characters >= CHUNK_CHARACTERS:
            yield batch
            batch, characters = [], 0
    yield batch


def seconds_of(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def bytes_of(folder):
    return sum(file.stat().st_size for file in folder.rglob("*.txt"))


def test_tokenising(benchmark, measures, text, tokenizer, tmp_path):
    handle = load_tokenizer(tokenizer, open_corpus(str(text)), tmp_path)
    batches = list(batches_of(document for document, _ in open_corpus(str(text)).parts()))
    folders = (tmp_path / str(number) for number in range(1 + ROUNDS))

    def ours():
        return open_token_cache(open_corpus(str(text)), handle, next(folders))

    def peer():
        encoder = handle.encoder()
        for batch in batches:
            encoder.encode_batch(batch, add_special_tokens=False)

    def peer_without_offsets():
        encoder = handle.encoder()
        for batch in batches:
            encoder.encode_batch_fast(batch, add_special_tokens=False)

    if measures:
        rows = [
            [seconds_of(work) for work in (peer, ours, peer_without_offsets)] for _ in range(ROUNDS)
        ]
        ratio = median(theirs / mine for theirs, mine, _ in rows)
        faster = median(theirs / mine for _, mine, theirs in rows)
        mine = median(row[1] for row in rows)
        size = bytes_of(text)
        benchmark.extra_info |= {
            "row": "tokenising and packing a corpus",
            "at": f"{size / MEGABYTE:.0f} MB, {os.cpu_count()} cores",
            "floor": f">= {LEAST} of encode_batch's throughput",
            "ratio": round(ratio, 2),
            "meets": ratio >= LEAST,
            "note": f"{size / MEGABYTE / mine:.1f} MB/s; {faster:.2f} of encode_batch_fast's, "
            "which is what the cache calls",
        }
    cache = benchmark.pedantic(ours, rounds=1)
    encoder, tokens = handle.encoder(), 0
    for batch in batches:
        encoded = encoder.encode_batch(batch, add_special_tokens=False)
        tokens += sum(len(row.ids) + bool(row.ids) for row in encoded)
    assert len(cache.train) + len(cache.heldout) == tokens


def test_opening_a_warm_cache(benchmark, measures, text, tokenizer, tmp_path):
    handle = load_tokenizer(tokenizer, open_corpus(str(text)), tmp_path)
    made = open_token_cache(open_corpus(str(text)), handle, tmp_path)

    def opened():
        return open_token_cache(open_corpus(str(text)), handle, tmp_path)

    if measures:
        whole = median(seconds_of(opened) for _ in range(5))
        corpus = open_corpus(str(text))
        alone = median(
            seconds_of(lambda: open_token_cache(corpus, handle, tmp_path)) for _ in range(5)
        )
        benchmark.extra_info |= {
            "row": "opening a warm token cache",
            "at": f"{bytes_of(text) / MEGABYTE:.0f} MB",
            "floor": f"< {FLOOR_OPENING} s",
            "ratio": round(whole, 3),
            "meets": whole < FLOOR_OPENING,
            "note": f"seconds; all but {alone:.4f} of them for the SHA-256 of the text, which "
            "grows with it",
        }
    assert benchmark.pedantic(opened, rounds=1).manifest == made.manifest


def test_memory_of_tokenising(benchmark, measures, text, tokenizer, tmp_path):
    documents = [document for document, _ in open_corpus(str(text)).parts()]

    def peak_bytes(folder):
        words = [sys.executable, "-c", CHILD, str(folder), tokenizer, str(tmp_path / "cache")]
        ended = subprocess.run(words, check=True, capture_output=True, text=True)
        return int(ended.stdout) * 1024

    if not measures:
        assert benchmark.pedantic(peak_bytes, args=(text,), rounds=1) > 0
        return
    started = time.perf_counter()
    small = peak_bytes(text)
    seconds = time.perf_counter() - started
    base = bytes_of(text)
    size = int(min(LARGEST, max(4 * base, base * PATIENCE / seconds)))
    (tmp_path / "large").mkdir()
    write_repeated(tmp_path / "large" / "large.txt", documents, size)
    large = benchmark.pedantic(peak_bytes, args=(tmp_path / "large",), rounds=1)
    benchmark.extra_info |= {
        "row": "peak memory of tokenising",
        "at": f"{size / MEGABYTE:,.0f} MB against {base / MEGABYTE:.0f} MB",
        "floor": "<= 1.1 of it",
        "ratio": round(large / small, 2),
        "meets": large <= 1.1 * small,
        "note": f"{large / 2**20:,.0f} against {small / 2**20:,.0f} MiB, the libraries' own in both"
        + ("" if size == LARGEST else f"; 1 GB would take more than {PATIENCE / 60:g} minutes"),
    }
