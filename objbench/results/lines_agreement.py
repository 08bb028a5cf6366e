"""Whether reference lines are those of a plan's text, as far as plan and records say.

Which runs count as learnt rests on them, so lines of another study are refused when they are read.
Their key is made of the text, of the digests of its two parts, which every record names, of the
held-out sequences that the study asks for, and of the special tokens. How the losses of one text
stand to each other is not certain: on text unlike the one that was counted, two words in a row may
predict less than the frequencies of words do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from objbench.results.json_files import content_key
from objbench.results.plan import Plan
from objbench.results.records import AnyRecord
from objbench.results.reference_lines import ReferenceLines

LINES_VERSION = 1
"""Part of every key: raised whenever the same text would give other lines."""

_PARTS = ("train", "heldout")
_TRAINED = "train:"  # As ``data.tokenizer`` has it, which needs torch's libraries.
_OF_TRAINED = (0, 1, 2, 3, 4)
_ROUNDING = 1e-6
_USUALLY = (
    ("uniform", "unigram"),
    ("unigram", "bag"),
    ("unigram", "bigram"),
    ("bigram", "neighbours"),
)


def lines_key(
    text: Any,
    digests: Mapping[str, str],
    special: Sequence[int],
    batch: Any,
    batches: Any,
    version: int,
) -> str:
    """A key of all that the lines depend on.

    Args:
        text: hash of all that determines the sequences.
        digests: "train" and "heldout" -> the SHA-256 of that part of the text, in hex.
        special: ids of the special tokens, rising.
        batch, batches: how many held-out sequences are in a batch, and how many batches are looked
            at; they decide which sequences these are, and their masks.
        version: of what measures the lines.
    """
    return content_key(
        {
            "version": version,
            "text": text,
            "digests": dict(digests),
            "special": list(special),
            "batch": batch,
            "batches": batches,
        }
    )


def lines_faults(lines: ReferenceLines, plan: Plan, records: Iterable[AnyRecord]) -> Iterator[str]:
    """In what the lines are not those of the plan's text, one sentence each.

    Args:
        records: those that belong to the plan.
    """
    words = plan.data.get("vocabulary")
    if type(words) is not int or words < 1:
        yield "the plan does not say how many words its text has"
        return
    if lines.lines.keys() != {"masked", "next"}:
        yield f"they are of {' and '.join(sorted(lines.lines))} tokens alone"
    for kind, own in sorted(lines.lines.items()):
        if min(own.model_dump(exclude_none=True).values()) < 0:
            yield f"a loss of {kind} tokens is negative"
        if abs(own.uniform - math.log(words)) > _ROUNDING:
            yield f"the uniform loss of {kind} tokens is not the logarithm of {words} words"
        if (own.neighbours is None) != (kind == "next"):
            is_there = "has no" if own.neighbours is None else "has a"
            yield f"the loss of {kind} tokens {is_there} line of both neighbours"
    for what, count in (("train", lines.train_tokens), ("heldout", lines.heldout_tokens)):
        there = plan.data.get(f"{what}_tokens")
        if not 1 <= count <= (there if type(there) is int else count):
            yield f"they are of {count} of the {there} {what} tokens that the text has"
    keys = _keys(lines, plan, records)
    if keys and lines.key not in keys:
        yield "their key is not that of the study's text"


def unusual_lines(lines: ReferenceLines) -> Iterator[str]:
    """Losses that do not stand to each other as they do on most texts, one sentence each."""
    for kind, own in sorted(lines.lines.items()):
        losses = own.model_dump(exclude_none=True)
        for coarser, finer in _USUALLY:
            if losses.get(finer, 0.0) > losses.get(coarser, math.inf):
                yield (
                    f"whether the {finer} loss of {kind} tokens is above the {coarser} loss, as "
                    "lines.json has it, which is rare"
                )


def is_key_known(lines: ReferenceLines, plan: Plan, records: Iterable[AnyRecord]) -> bool:
    """Whether the key of the lines can be made again."""
    return bool(_keys(lines, plan, records))


def _keys(lines: ReferenceLines, plan: Plan, records: Iterable[AnyRecord]) -> set[str]:
    """The keys that the lines may have; none where too little is known."""
    special = lines.special or (
        _OF_TRAINED if plan.asked.data.tokenizer.startswith(_TRAINED) else ()
    )
    read = {tuple(record.made_from.get(part, "") for part in _PARTS) for record in records}
    batch, batches = plan.asked.training.batch, plan.asked.evaluation.heldout_batches
    if not special or "key" not in plan.data or batch is None or batches is None:
        return set()
    return {
        lines_key(
            plan.data["key"],
            dict(zip(_PARTS, digests, strict=True)),
            special,
            batch,
            batches,
            version,
        )
        for digests in read
        if all(digests)
        for version in range(1, LINES_VERSION + 1)
    }
