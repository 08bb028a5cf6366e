"""What a page says of a study that somebody else sent: who, how far it was checked, what was rerun."""

from __future__ import annotations

from objbench.judge.formatting import count, listed
from objbench.leaderboard.document import (
    Block,
    Fold,
    Paragraph,
    Strong,
    bullets,
    paragraph,
    shortened,
)
from objbench.results.submissions.marks import (
    CellAgain,
    Difference,
    LinesAgain,
    Rerun,
    SentIn,
    Standing,
)

_MOST = 3

_MEANING: dict[Standing, str] = {
    "unverified": "Not verified: nobody but its sender has run any cell of this study.",
    "verified": "Verified on a sample: cells drawn at random were run again and agree.",
    "differs": "Not reproduced: of the cells that were run again, some differ.",
}


def sent_blocks(sent: SentIn | None, of: str = "") -> list[Block]:
    """What must be known before anything else of the page is read; nothing of one's own study.

    Args:
        of: the study's name, where a page is of more than one.
    """
    if sent is None:
        return []
    return [
        Paragraph((Strong(_meaning(sent, of)), " ", _received(sent))),
        Fold(f"How {of or 'this study'} was checked", _details(sent)),
    ]


def sent_sentence(sent: SentIn | None) -> str:
    """The same in two plain sentences, for a text without parts that open; "" of one's own study."""
    return "" if sent is None else f"{_meaning(sent)} {_received(sent)}"


def _meaning(sent: SentIn, of: str = "") -> str:
    return f"{of}: {_MEANING[sent.standing]}" if of else _MEANING[sent.standing]


def _details(sent: SentIn) -> list[Block]:
    """How far the study was checked, and every time that cells were run again."""
    unchecked = [shortened(f"Not checked: {reason}.") for reason in sent.received.unchecked]
    blocks = [
        *paragraph(
            "objbench checked its files: schema, digests, seeds, scores against their counts, and "
            f"the keys of {sent.received.keys} of {count(sent.received.cells, 'cell')} against the "
            "plan. That finds mistakes and careless changes; numbers that were made up with care "
            "are found only by running cells again.",
            f"SHA-256 of the submission: {sent.received.submission}.",
        ),
        *bullets(unchecked),
    ]
    for rerun in sent.reruns:
        blocks += [
            *paragraph(_rerun(rerun), rerun.allowed),
            *bullets([_again(name, again) for name, again in named_again(rerun)]),
        ]
    return blocks


def standing_words(sent: SentIn | None) -> str:
    """In a few words beside the name of the study, such as "sent by A. Reader, unverified"."""
    if sent is None:
        return "run here"
    by = f" by {sent.received.by}" if sent.received.by else ""
    words = {"unverified": "unverified", "verified": "verified on a sample"}
    return f"sent{by}, {words.get(sent.standing, 'differs when run again')}"


def marked_name(name: str, sent: SentIn | None) -> str:
    """The name of a study, with what stands for it where somebody else sent it: "x (unverified)"."""
    return name if sent is None else f"{name} ({sent.standing})"


def difference_words(difference: Difference) -> str:
    """What came out otherwise than it was sent, such as "accuracy 0.5 against 0.75 (allowed 0.1)"."""
    what, sent, found = difference.what, difference.sent, difference.found
    if sent is None or found is None:
        if sent is found:
            return f"{what} (not the same)"
        return f"{what} (only in the {'new' if sent is None else 'sent'} record)"
    # As many digits as show that they differ.
    shown = (f"{found:.{digits}g} against {sent:.{digits}g}" for digits in (6, 9, 12))
    two = next(
        (text for text in shown if len({*text.split(" against ")}) == 2),
        f"{found!r} against {sent!r}",
    )
    allowed = f"allowed {difference.tolerance:.3g}" if difference.tolerance else "must be equal"
    return f"{what} {two} ({allowed})"


def _received(sent: SentIn) -> str:
    received = sent.received
    by = f" by {received.by}" if received.by else ""
    left = (
        f" By its own statement it leaves out {count(received.left_out, 'record')} of other code, data "
        "or settings."
        if received.left_out
        else ""
    )
    return f"Sent in{by}; received {received.received[:10]}.{left}"


def _rerun(rerun: Rerun) -> str:
    drawn = sum(cell.drawn for cell in rerun.cells)
    made, versions = rerun.provenance, rerun.provenance.versions
    with_ = ", ".join(
        f"{name} {versions[name]}" for name in ("objbench", "torch") if name in versions
    )
    return (
        f"Run again on {made.finished[:10]}, {count(drawn, 'drawn cell')} and what they need, on "
        f"{made.device} ({count(made.threads, 'thread')}, {with_}); drawn with {rerun.nonce}."
    )


def named_again(rerun: Rerun) -> list[tuple[str, CellAgain | LinesAgain]]:
    """All that was made again, each with what it is called."""
    again: list[tuple[str, CellAgain | LinesAgain]] = [(cell.id, cell) for cell in rerun.cells]
    return again if rerun.lines is None else [*again, ("the reference lines", rerun.lines)]


def _again(what: str, again: CellAgain | LinesAgain) -> str:
    what += "" if isinstance(again, LinesAgain) or again.drawn else " (needed)"
    equal = f"{again.equal} of {count(again.numbers, 'number')} equal to the last bit"
    if not again.differences:
        return f"{what}: agrees; {equal}."
    shown = [difference_words(difference) for difference in again.differences[:_MOST]]
    more = len(again.differences) - _MOST
    rest = [f"{more} more"] if more > 0 else []
    return shortened(f"{what}: differs in {listed([*shown, *rest])}; {equal}.", 600)
