"""Where the special tokens of an input stand, decided once from the tokenizer.

Pretraining, fine-tuning, probes, word scores and the exported tokenizer all build their inputs by
the same layout, so an encoder is evaluated on what it was pretrained on:

    one text    [CLS] A [SEP]
    a pair      [CLS] A [SEP] B [SEP]      or, as RoBERTa's, [CLS] A [SEP] [SEP] B [SEP]

with token type 1 from B on, as in BERT, where the encoder has token types. [CLS] and [SEP] are
whatever the tokenizer uses in their place, such as <s> and </s>. Its template decides the number of
separators. What a template leaves out is added, and a template that contradicts the layout, such as
XLNet's with <cls> at the end, is refused: packed sequences begin with [CLS], and it is the first
token that classifiers read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Encoding, Tokenizer, models
from tokenizers.processors import PostProcessor, TemplateProcessing
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from objbench.errors import DataError, one_line

_ADVICE = "choose a masked encoder's, such as bert-base-uncased, or train:8192"

Framed = Sequence[int | str]
"""Ids of special tokens around the texts "A" and "B"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which special tokens an input has, and where.

    Attributes:
        cls, sep, pad, mask: their ids.
        separators: number of [SEP] between the texts of a pair, 1 or 2.
    """

    cls: int
    sep: int
    pad: int
    mask: int
    separators: int = 1

    @property
    def single(self) -> Framed:
        """One text with its special tokens."""
        return (self.cls, "A", self.sep)

    @property
    def pair(self) -> Framed:
        """Two texts with their special tokens."""
        return (self.cls, "A", *[self.sep] * self.separators, "B", self.sep)

    def processor(self, tokenizer: PreTrainedTokenizerBase, *, types: bool) -> PostProcessor:
        """The layout as a step of the library `tokenizers`.

        Args:
            tokenizer: names the special tokens.
            types: whether the second text and the [SEP] after it have token type 1, not 0.
        """
        names = {self.cls: "cls", self.sep: "sep"}
        later = int(types)

        def template(framed: Framed) -> list[str]:
            pieces, kind = [], 0
            for piece in framed:
                kind = later if piece == "B" else kind
                name = names[piece] if isinstance(piece, int) else f"${piece}"
                pieces.append(f"{name}:{kind}")
            return pieces

        tokens = [
            {"id": name, "ids": [index], "tokens": [tokenizer.convert_ids_to_tokens(index)]}
            for index, name in names.items()
        ]
        return TemplateProcessing(
            single=template(self.single), pair=template(self.pair), special_tokens=tokens
        )


def layout_of(tokenizer: PreTrainedTokenizerFast, name: str) -> Layout:
    """The layout of inputs that ``tokenizer`` is made for.

    Args:
        tokenizer: its special tokens and its template decide.
        name: for messages.

    Raises:
        DataError: it lacks a special token, has one for two roles, or its template does not fit.
    """
    single, pair = _own_templates(tokenizer, name)
    ids = _roles(tokenizer, single)
    if missing := [role for role, index in ids.items() if index is None]:
        raise DataError(
            f"tokenizer {name} does not fit: it has no {', '.join(missing)} token; {_ADVICE}"
        )
    roles = {role: index for role, index in ids.items() if index is not None}
    _require_distinct(tokenizer, name, roles)
    plain = Layout(**roles)
    if single not in _parts_of(plain):
        raise _contradiction(tokenizer, name, "one text", single, plain.single)
    if single != plain.single or pair == ("A", "B"):
        return plain
    for layout in (plain, Layout(**roles, separators=2)):
        if pair == layout.pair:
            return layout
    raise _contradiction(tokenizer, name, "a pair", pair, plain.pair)


def _own_templates(tokenizer: PreTrainedTokenizerFast, name: str) -> tuple[Framed, Framed]:
    """What the tokenizer's own template makes of one text and of a pair."""
    processor = tokenizer.backend_tokenizer.post_processor
    try:
        return framed(processor, 1), framed(processor, 2)
    except BaseException as error:
        # A fault in the library's compiled code is no Exception; a signal's are none either.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise DataError(
            f"tokenizer {name} does not fit: its template fails on one text or on a pair "
            f"({one_line(error)[:120]}); {_ADVICE}"
        ) from error


def role_id(tokenizer: PreTrainedTokenizerFast, role: str) -> int | None:
    """The id of the token with a role, such as "cls" or "unk"; None if no token has it."""
    # The tokenizer's own attributes log an error for every role that no token has.
    token = tokenizer.special_tokens_map.get(f"{role}_token")
    index = None if token is None else tokenizer.convert_tokens_to_ids(str(token))
    assert not isinstance(index, list)
    return index


def special_tokens(tokenizer: PreTrainedTokenizerFast, layout: Layout) -> dict[str, int]:
    """The special tokens of ``tokenizer``, as they are spelled, and their ids."""
    ids = {layout.cls, layout.sep, layout.pad, layout.mask, *tokenizer.all_special_ids}
    ids |= {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    return {str(tokenizer.convert_ids_to_tokens(index)): index for index in sorted(ids)}


def framed(processor: PostProcessor | None, texts: int) -> Framed:
    """What a template makes of ``texts``, 1 or 2, texts."""
    made = processed(processor, texts)
    if made is None:
        return ("A", "B")[:texts]
    columns = zip(made.ids, made.special_tokens_mask, made.sequence_ids, strict=True)
    return tuple(index if added else "AB"[text or 0] for index, added, text in columns)


def processed(processor: PostProcessor | None, texts: int) -> Encoding | None:
    """``texts``, 1 or 2, texts of one token of id 0 in a template; None if there is no template."""
    token = Tokenizer(models.WordLevel({"a": 0}, unk_token="a")).encode("a")
    if processor is None:
        return None
    return processor.process(token, token if texts == 2 else None, True)


def _roles(tokenizer: PreTrainedTokenizerFast, single: Framed) -> dict[str, int | None]:
    """The id in each role; that of [CLS] and [SEP] from the template, if no token has the role."""
    first, last = (end if isinstance(end, int) else None for end in (single[0], single[-1]))

    def chosen(*ids: int | None) -> int | None:
        return next((index for index in ids if index is not None), None)

    return {
        "pad": role_id(tokenizer, "pad"),
        "cls": chosen(role_id(tokenizer, "cls"), first, role_id(tokenizer, "bos")),
        "sep": chosen(role_id(tokenizer, "sep"), last, role_id(tokenizer, "eos")),
        "mask": role_id(tokenizer, "mask"),
    }


def _require_distinct(tokenizer: PreTrainedTokenizerFast, name: str, roles: dict[str, int]) -> None:
    """Refuse one token in two roles that an encoder or an objective treats in different ways.

    A masked token is hidden, an unknown one is text, and padding has no position and no gradient.
    [CLS] and [SEP] may be the same, as in GPT's style.
    """
    known = {
        **roles,
        "unknown": role_id(tokenizer, "unk"),
        "beginning-of-text": role_id(tokenizer, "bos"),
        "end-of-text": role_id(tokenizer, "eos"),
    }
    apart = {
        "mask": [role for role in known if role != "mask"],
        "pad": ["cls", "sep", "unknown"],
        "unknown": ["cls", "sep"],
    }
    for role, others in apart.items():
        for other in others:
            index = known[role]
            if index is not None and index == known[other]:
                raise DataError(
                    f"tokenizer {name} does not fit: {tokenizer.convert_ids_to_tokens(index)} is "
                    f"its {role} token and also its {other} token; give it one for each, or "
                    f"{_ADVICE}"
                )


def _parts_of(layout: Layout) -> tuple[Framed, ...]:
    """The templates of one text that agree with ``layout``, complete or not."""
    return (layout.single, ("A", layout.sep), (layout.cls, "A"), ("A",))


def _contradiction(
    tokenizer: PreTrainedTokenizerFast, name: str, what: str, found: Framed, wanted: Framed
) -> DataError:
    def spelled(pieces: Framed) -> str:
        return " ".join(
            piece if isinstance(piece, str) else str(tokenizer.convert_ids_to_tokens(piece))
            for piece in pieces
        )

    return DataError(
        f"tokenizer {name} does not fit: its template writes {what} as '{spelled(found)}', and "
        f"sequences are packed as '{spelled(wanted)}'; {_ADVICE}"
    )
