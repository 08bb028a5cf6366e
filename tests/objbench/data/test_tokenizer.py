"""Tokenizers: trained ones are always the same and load back; unfit ones are refused."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from objbench.data import Corpus, TokenizerHandle, load_tokenizer, open_corpus
from objbench.data.tokenizer import fingerprint, require_tokenizer
from objbench.data.wordpiece_training import SPECIAL, wordpiece_vocabulary
from objbench.errors import ConfigError, DataError

ROOT = Path(__file__).parents[3]

OFFLINE = """
import sys
from objbench.data import load_tokenizer, open_corpus
from objbench.errors import HubError
corpus = open_corpus(sys.argv[1])
for attempt in (
    lambda: load_tokenizer("bert-base-uncased", corpus, sys.argv[2]),
    lambda: open_corpus("hf:owner/name"),
    lambda: list(open_corpus("hf:owner/name@" + "a" * 40).parts()),
):
    try:
        attempt()
    except HubError as error:
        print(error)
"""


def test_a_trained_vocabulary_is_in_order_and_of_the_size_asked_for(
    corpus: Corpus, cache_dir: Path
) -> None:
    vocabulary = load_tokenizer("train:120", corpus, cache_dir).vocabulary()
    assert vocabulary.tokens[:5] == SPECIAL
    assert vocabulary.size == len(vocabulary.tokens) == 120
    assert (vocabulary.pad, vocabulary.cls, vocabulary.sep, vocabulary.mask) == (0, 2, 3, 4)
    assert vocabulary.special == (0, 1, 2, 3, 4)
    single = [token for token in vocabulary.tokens[5:] if len(token) == 1]
    assert list(vocabulary.tokens[5 : 5 + len(single)]) == sorted(single)
    assert {"red", "中", "##e"} <= set(vocabulary.tokens)


def test_text_is_lower_cased_stripped_of_accents_and_framed(tokenizer: TokenizerHandle) -> None:
    ids = tokenizer.hf("RED hoüse, 中 ☃")["input_ids"]
    tokens = tokenizer.hf.convert_ids_to_tokens(ids)
    assert tokens[0] == "[CLS]"
    assert tokens[-1] == "[SEP]"
    assert "".join(tokens[1:-1]).replace("##", "") == "redhouse[UNK]中[UNK]"
    pair = tokenizer.hf("red", "blue")
    assert pair["token_type_ids"] == [0, 0, 0, 1, 1]


def test_the_encoder_takes_text_as_text(tokenizer: TokenizerHandle) -> None:
    tokenizer.hf("red " * 9, truncation=True, max_length=4, padding="max_length")
    encoder = tokenizer.encoder()
    ids = encoder.encode("red [MASK] [SEP] " * 9, add_special_tokens=False).ids
    assert len(ids) > 27
    assert not {2, 3, 4} & set(ids)


def test_a_trained_tokenizer_is_kept_and_loads_back(
    tokenizer: TokenizerHandle, corpus: Corpus, cache_dir: Path, tmp_path: Path
) -> None:
    again = load_tokenizer("train:200", corpus, cache_dir)
    assert again.fingerprint == tokenizer.fingerprint
    assert len(list((cache_dir / "tokenizers").glob("wordpiece-200-*/tokenizer.json"))) == 1
    tokenizer.hf.save_pretrained(tmp_path / "saved")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "saved")
    text = "Über the RIVER, quickly 12"
    assert loaded(text)["input_ids"] == tokenizer.hf(text)["input_ids"]
    assert load_tokenizer(str(tmp_path / "saved"), corpus, cache_dir).fingerprint == (
        tokenizer.fingerprint
    )


def test_training_is_the_same_at_every_run_and_for_every_order_of_documents(
    corpus: Corpus, tokenizer: TokenizerHandle
) -> None:
    documents = list(corpus.training())
    expected = list(tokenizer.vocabulary().tokens)
    for seed in range(4):
        # Hash maps in the trainer get a new random key at every run, so repeating it suffices.
        random.Random(seed).shuffle(documents)
        assert wordpiece_vocabulary(lambda: iter(documents), 200) == expected


def test_a_small_vocabulary_keeps_to_its_size_by_dropping_rare_characters() -> None:
    documents = ["".join(chr(0x4E00 + i) for i in range(300)), "one two one two " * 5]
    tokens = wordpiece_vocabulary(lambda: iter(documents), 64)
    assert len(tokens) <= 64
    assert set("one") <= set(tokens)


def test_held_out_documents_are_not_trained_on(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("aaa bbb\n\nbbb aaa\n")
    (tmp_path / "heldout.txt").write_text("ccc ccc ccc\n")
    corpus = open_corpus(str(tmp_path))
    tokens = load_tokenizer("train:100", corpus, tmp_path / "cache").vocabulary().tokens
    assert "aaa" in tokens
    assert "c" not in tokens


@pytest.mark.parametrize("spec", ["train:", "train:8k", "train:-5", "train:10", "train:99999999"])
def test_malformed_sizes_are_refused(spec: str, corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="such as train:8192"):
        load_tokenizer(spec, corpus, tmp_path)


def saved(folder: Path, **special: str) -> str:
    words = {token: i for i, token in enumerate([*special.values(), "<unk>", "a", "b"])}
    backend = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{f"{role}_token": token for role, token in special.items()},
    ).save_pretrained(folder)
    return str(folder)


def test_foreign_special_tokens_are_found(corpus: Corpus, tmp_path: Path) -> None:
    folder = saved(tmp_path / "t", cls="<s>", pad="<pad>", sep="</s>", mask="<mask>")
    vocabulary = load_tokenizer(folder, corpus, tmp_path).vocabulary()
    assert (vocabulary.cls, vocabulary.pad, vocabulary.sep, vocabulary.mask) == (0, 1, 2, 3)
    assert {0, 1, 2, 3} <= set(vocabulary.special)


def test_a_tokenizer_without_the_needed_tokens_does_not_fit(corpus: Corpus, tmp_path: Path) -> None:
    folder = saved(tmp_path / "t", cls="<s>", pad="<pad>")
    with pytest.raises(DataError, match="does not fit: it has no sep, mask token"):
        load_tokenizer(folder, corpus, tmp_path)


def test_unreadable_folders_are_named(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "tokenizer.json").write_text("{")
    for name in ("empty", "broken"):
        with pytest.raises(DataError, match=f"{name} holds no tokenizer") as caught:
            load_tokenizer(str(tmp_path / name), corpus, tmp_path)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="no such folder"):
        load_tokenizer("./no/such/folder", corpus, tmp_path)


def test_documents_without_words_cannot_train_a_tokenizer() -> None:
    with pytest.raises(DataError, match="hold no words"):
        wordpiece_vocabulary(lambda: iter([" \x00 "]), 100)


def test_without_a_connection_the_hub_is_one_line(text_file: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(text_file), str(tmp_path)],
        env={
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(tmp_path),
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["tokenizer"] + ["hf:owner/name:"] * 2
    assert all("check the name" in line for line in lines)


@pytest.mark.parametrize(("spec", "message"), [("file", "is a file"), ("", "no such folder")])
def test_what_is_no_folder_is_refused_before_the_hub_is_asked(
    spec: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=message):
        require_tokenizer(spec)


def test_what_stands_in_for_cls_and_sep_is_part_of_the_fingerprint():
    words = {word: number for number, word in enumerate(["[PAD]", "[MASK]", "<a>", "<b>", "w"])}
    made = [
        PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w")),
            pad_token="[PAD]",
            mask_token="[MASK]",
            bos_token=bos,
            eos_token=eos,
        )
        for bos, eos in (("<a>", "<b>"), ("<b>", "<a>"))
    ]
    assert len({fingerprint(tokenizer) for tokenizer in made}) == 2
