"""Ten families of encoders, each with a tokenizer of its own kind, trained on a few sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPELLED = "the dog sees [MASK] a cat [SEP] </s> and <mask> runs <s> <unk> [UNK] <pad> home"
"""A document of one sentence that spells the special tokens of every tokenizer here."""
SENTENCES = [
    f"the {color} {animal} {verb} a house ."
    for color in ("red", "blue", "green")
    for animal in ("dog", "cat", "bird", "horse")
    for verb in ("sees", "likes", "finds")
]


def _filled(backend: Tokenizer, trainer: trainers.Trainer, **roles: str) -> PreTrainedTokenizerFast:
    backend.train_from_iterator([*SENTENCES, "and runs home"] * 2, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, **{f"{role}_token": token for role, token in roles.items()}
    )


BERT = {role: f"[{role.upper()}]" for role in ("pad", "unk", "cls", "sep", "mask")}
ROBERTA = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
LLAMA = {"bos": "<|begin|>", "eos": "<|end|>", "pad": "<|pad|>", "mask": "<|mask|>"}


def wordpiece() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = list(BERT.values())
    return _filled(made, trainers.WordPieceTrainer(vocab_size=90, special_tokens=special), **BERT)


def byte_level(
    roles: dict[str, str], processor: processors.PostProcessor
) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE(ignore_merges=True))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.post_processor = processor
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=list(roles.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    return _filled(made, trainer, **roles)


def roberta() -> PreTrainedTokenizerFast:
    return byte_level(ROBERTA, processors.RobertaProcessing(("</s>", 2), ("<s>", 0)))


def modernbert() -> PreTrainedTokenizerFast:
    return byte_level(
        BERT,
        processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B [SEP]",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        ),
    )


def eurobert() -> PreTrainedTokenizerFast:
    """Without [CLS] and [SEP]: a beginning and an end of text stand in their place."""
    return byte_level(
        LLAMA,
        processors.TemplateProcessing(
            single="<|begin|> $A <|end|>", special_tokens=[("<|begin|>", 0), ("<|end|>", 1)]
        ),
    )


def unigram(roles: dict[str, str], template: str) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    special = list(roles.values())
    cls, sep = roles["cls"], roles["sep"]
    made.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=template,
        special_tokens=[(token, special.index(token)) for token in (cls, sep)],
    )
    return _filled(
        made,
        trainers.UnigramTrainer(vocab_size=90, special_tokens=special, unk_token=roles["unk"]),
        **roles,
    )


def xlm_roberta() -> PreTrainedTokenizerFast:
    return unigram(ROBERTA, "<s> $A </s> </s> $B </s>")


def albert() -> PreTrainedTokenizerFast:
    return unigram(BERT, "[CLS] $A [SEP] $B:1 [SEP]:1")


@dataclass(frozen=True)
class Family:
    """How a family differs.

    Attributes:
        tokenizer: makes one of its kind.
        separators: between the sentences of a pair.
        has_types: whether the second sentence has token type 1.
        has_table: whether positions end.
        extra: further settings.
    """

    tokenizer: Callable[[], PreTrainedTokenizerFast]
    separators: int = 1
    has_types: bool = False
    has_table: bool = True
    extra: tuple[tuple[str, object], ...] = ()


FAMILIES = {
    "bert": Family(wordpiece, has_types=True),
    "electra": Family(wordpiece, has_types=True, extra=(("embedding_size", 8),)),
    "distilbert": Family(wordpiece),
    "nomic_bert": Family(wordpiece, has_types=True, has_table=False),
    "roberta": Family(roberta, separators=2),
    "xlm-roberta": Family(xlm_roberta, separators=2),
    "albert": Family(albert, has_types=True, extra=(("embedding_size", 8),)),
    "deberta-v2": Family(albert),
    "modernbert": Family(modernbert, has_table=False),
    "eurobert": Family(eurobert, has_table=False),
}
