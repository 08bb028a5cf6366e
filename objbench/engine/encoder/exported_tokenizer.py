"""The tokenizer that is exported with an encoder: what it makes of text, the encoder can take.

It differs from the study's in what depends on the encoder: the longest input, so that
``truncation=True`` cuts where the positions end; token types, which not every encoder has; and a
template, where the study's tokenizer came without one or with half of one. Its class is the plain
one, which transformers loads from ``tokenizer.json`` as it is: the classes of model families build
a tokenizer of their own around the vocabulary.
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.processors import ByteLevel, PostProcessor, Sequence
from torch import nn
from transformers import PreTrainedTokenizerFast

from objbench.data.layout import layout_of, processed
from objbench.engine.encoder.inputs import longest_input, takes_token_types

_ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
_CONFIGURATION = "tokenizer_config.json"


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, encoder: nn.Module, folder: Path) -> None:
    """Write into ``folder`` the tokenizer that fits ``encoder``, as ``AutoTokenizer`` loads it.

    Raises:
        DataError: the tokenizer does not fit; see ``data.layout.layout_of``.
    """
    exported_tokenizer(tokenizer, encoder).save_pretrained(folder)
    path = folder / _CONFIGURATION
    written = json.loads(path.read_text(encoding="utf-8"))
    # A name that earlier versions of transformers know, too.
    written["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def exported_tokenizer(
    tokenizer: PreTrainedTokenizerFast, encoder: nn.Module
) -> PreTrainedTokenizerFast:
    """A copy of ``tokenizer`` that fits ``encoder``.

    Raises:
        DataError: the tokenizer does not fit; see ``data.layout.layout_of``.
    """
    layout = layout_of(tokenizer, tokenizer.name_or_path or type(tokenizer).__name__)
    types = takes_token_types(encoder)
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    own, wanted = backend.post_processor, layout.processor(tokenizer, types=types)
    if _made(own) != _made(wanted):
        # The step that trims byte-level offsets has no special tokens and is kept.
        trims = '"trim_offsets":true' in json.dumps(
            json.loads(backend.to_str())["post_processor"], separators=(",", ":")
        )
        step = own if isinstance(own, ByteLevel) else ByteLevel(trim_offsets=True)
        backend.post_processor = Sequence([step, wanted]) if trims else wanted
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend,
        model_max_length=_longest(encoder, tokenizer),
        model_input_names=["input_ids", *["token_type_ids"] * types, "attention_mask"],
        padding_side="right",
        truncation_side="right",
        clean_up_tokenization_spaces=tokenizer.clean_up_tokenization_spaces,
        extra_special_tokens=list(tokenizer.extra_special_tokens),
        **{
            f"{role}_token": token
            for role in _ROLES
            if (token := tokenizer.special_tokens_map.get(f"{role}_token")) is not None
        },
    )


def _made(processor: PostProcessor | None) -> list[tuple[list[int], list[int]]]:
    """(ids, token types) that a template makes of one text and of a pair."""
    return [
        (made.ids, made.type_ids) if (made := processed(processor, texts)) else ([], [])
        for texts in (1, 2)
    ]


def _longest(encoder: nn.Module, tokenizer: PreTrainedTokenizerFast) -> int:
    """What the encoder can take; what it was made for, if its positions set no limit."""
    longest = longest_input(encoder)
    if longest is not None:
        return longest
    made_for = getattr(encoder.config, "max_position_embeddings", None)
    return int(made_for or tokenizer.model_max_length)
