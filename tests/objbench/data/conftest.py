"""A small corpus on disk and a tokenizer trained on it, shared by the data tests."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from objbench.data import Corpus, TokenizerHandle, load_tokenizer, open_corpus

TEXT = "red blue green house river mountain walks runs sleeps quickly slowly under über naïve 中"
WORDS = TEXT.split()


def made_document(number: int) -> str:
    draw = random.Random(number)
    lines = [
        " ".join(draw.choices(WORDS, k=draw.randint(3, 12))) for _ in range(draw.randint(1, 6))
    ]
    return "\n".join([f"Document {number}.", *lines])


@pytest.fixture(scope="session")
def documents() -> list[str]:
    return [made_document(number) for number in range(400)]


@pytest.fixture(scope="session")
def text_file(documents: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "text.txt"
    path.write_text("\n\n".join(documents) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def corpus(text_file: Path) -> Corpus:
    return open_corpus(str(text_file))


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tokenizer(corpus: Corpus, cache_dir: Path) -> TokenizerHandle:
    return load_tokenizer("train:200", corpus, cache_dir)
