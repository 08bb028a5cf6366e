"""Which held-out losses of different objectives are measured under the same masking."""

from __future__ import annotations

from objbench.judge.formatting import listed
from objbench.judge.shared_corruption import shared_masking
from objbench.leaderboard.report import Report


def comparable_losses(report: Report) -> str:
    """Which losses on held-out text can be compared with the baseline's, in sentences."""
    terms = [term for term in report.heldout.get(report.baseline, {}) if term != "loss"]
    found = [text for term in terms if (text := term_sentence(report, term))]
    rest = "Other losses" if found else "Losses"
    if not report.others:
        return "Measured under the objective's own corruption of the text."
    found.append(
        f"{rest} of different objectives are not comparable: each is measured under the "
        "objective's own corruption of the text, and sums differ in their terms."
    )
    return " ".join(found)


def term_sentence(report: Report, term: str) -> str:
    """Which objectives' losses of ``term`` can be compared with the baseline's; "" for none."""
    base = report.baseline
    alike, words = [], ""
    for name in report.others:
        if term in report.heldout.get(name, {}):
            shared = shared_masking(report.plan, term, (base, name))
            words = shared or words
            alike += [name] if shared else []
    if not alike:
        return ""
    who = listed([base, *alike])
    return f"The {term} losses of {who} are comparable: masked alike ({words})."
