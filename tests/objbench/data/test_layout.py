"""Where special tokens stand: what templates give, what is completed, and what is refused."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import ByteLevel, Sequence, TemplateProcessing
from transformers import PreTrainedTokenizerFast

from objbench.data.layout import Layout, framed, layout_of
from objbench.data.tokenizer import require_tokenizer
from objbench.errors import DataError

WORDS = {
    word: n for n, word in enumerate(["<pad>", "<unk>", "<s>", "</s>", "<mask>", "<x>", "a", "b"])
}
ROLES = {"pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}


def template(single, pair=None):
    tokens = [(word, index) for word, index in WORDS.items() if word in single]
    return TemplateProcessing(single=single, pair=pair or "$A $B:1", special_tokens=tokens)


def made(processor=None, **roles):
    backend = Tokenizer(models.WordLevel(WORDS, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if processor is not None:
        backend.post_processor = processor
    given = {**ROLES, **roles}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{f"{role}_token": token for role, token in given.items() if token is not None},
    )


BERT = template("<s> $A </s>", "<s> $A </s> $B:1 </s>:1")


@pytest.mark.parametrize(
    ("processor", "separators"),
    [
        (BERT, 1),
        (template("<s> $A </s>", "<s> $A </s> </s> $B </s>"), 2),
        (Sequence([ByteLevel(), BERT]), 1),
        # What a template leaves out is added.
        (template("<s> $A </s>"), 1),
        (template("<s> $A", "<s> $A <s> $B"), 1),
        (template("$A </s>", "$A </s> $B </s>"), 1),
        (template("$A"), 1),
        (None, 1),
    ],
)
def test_a_template_that_agrees_is_taken_and_completed(processor, separators):
    layout = layout_of(made(processor), "t")
    assert layout == Layout(cls=2, sep=3, pad=0, mask=4, separators=separators)
    completed = layout.processor(made(processor), types=True)
    assert framed(completed, 1) == layout.single == (2, "A", 3)
    assert framed(completed, 2) == layout.pair == (2, "A", *[3] * separators, "B", 3)


@pytest.mark.parametrize(
    ("processor", "found"),
    [
        (template("$A </s> <s>", "$A </s> $B </s> <s>"), "A </s> <s>"),  # XLNet
        (template("</s> $A <s>"), "</s> A <s>"),
        (template("<s> <x> $A </s>"), "<s> <x> A </s>"),
        (template("<x> $A </s>"), "<x> A </s>"),
        (template("<s> $A </s> </s>"), "<s> A </s> </s>"),
        (template("<s> $A </s>", "<s> $A </s> <s> $B </s>"), "<s> A </s> <s> B </s>"),
        (template("<s> $A </s>", "<s> $B </s> $A </s>"), "<s> B </s> A </s>"),
        (template("$A $A"), "A A"),
    ],
)
def test_a_template_that_contradicts_is_refused(processor, found):
    with pytest.raises(DataError, match="does not fit: its template writes") as refused:
        layout_of(made(processor), "t")
    assert f"'{found}'" in str(refused.value) and "\n" not in str(refused.value)


def test_several_ids_for_one_token_are_refused():
    tokens = [
        {"id": "<s>", "ids": [2, 5], "tokens": ["<s>", "<x>"]},
        {"id": "</s>", "ids": [3], "tokens": ["</s>"]},
    ]
    processor = TemplateProcessing(single="<s> $A </s>", special_tokens=tokens)
    with pytest.raises(DataError, match="its template writes one text as '<s> <x> A </s>'"):
        layout_of(made(processor), "t")


def test_a_beginning_and_an_end_of_text_stand_for_cls_and_sep():
    for processor in (None, template("<s> $A </s>"), template("<s> $A", "<s> $A <s> $B")):
        layout = layout_of(made(processor, cls=None, sep=None, bos="<s>", eos="</s>"), "t")
        assert (layout.cls, layout.sep) == (2, 3)
    # The template alone says it too.
    layout = layout_of(made(template("<x> $A </s>"), cls=None, sep=None), "t")
    assert (layout.cls, layout.sep) == (5, 3)


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"mask": "<unk>"}, "<unk> is its mask token and also its unknown token"),
        ({"mask": "<s>"}, "<s> is its mask token and also its cls token"),
        ({"mask": "</s>"}, "</s> is its mask token and also its sep token"),
        ({"mask": "<pad>"}, "<pad> is its mask token and also its pad token"),
        ({"mask": "<x>", "eos": "<x>"}, "<x> is its mask token and also its end-of-text token"),
        ({"pad": "</s>"}, "</s> is its pad token and also its sep token"),
        ({"pad": "<unk>"}, "<unk> is its pad token and also its unknown token"),
        ({"unk": "<s>"}, "<s> is its unknown token and also its cls token"),
        ({"sep": None, "mask": None}, "it has no sep, mask token"),
        ({"cls": None}, "it has no cls token"),
        ({"pad": None}, "it has no pad token"),
    ],
)
def test_a_role_without_a_token_of_its_own_is_refused(roles, message):
    with pytest.raises(DataError, match=message) as refused:
        layout_of(made(**roles), "t")
    assert "\n" not in str(refused.value)


def test_one_token_may_begin_and_end_a_text():
    layout = layout_of(made(template("<s> $A <s>"), sep="<s>"), "t")
    assert layout.cls == layout.sep == 2


def test_a_folder_is_checked_before_a_study_begins(tmp_path):
    made(template("$A </s> <s>")).save_pretrained(tmp_path / "xlnet")
    with pytest.raises(DataError, match="does not fit: its template writes one text as"):
        require_tokenizer(str(tmp_path / "xlnet"))
