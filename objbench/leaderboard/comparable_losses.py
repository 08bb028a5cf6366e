"""Which held-out losses of different objectives are of the same tokens, masked alike."""

from __future__ import annotations

from objbench.judge.formatting import listed, named
from objbench.judge.score_source import COMMON, HELDOUT
from objbench.judge.shared_corruption import shared_masking
from objbench.leaderboard.report import CurveReport, Report


def comparable_losses(report: Report) -> str:
    """Which losses on held-out text can be compared with the baseline's, in sentences."""
    terms = [term for term in report.heldout.get(report.baseline, {}) if term != "loss"]
    found = [text for term in terms if (text := term_sentence(report, term))]
    if report.common_kind is not None:
        found.insert(0, _common(report))
    rest = "Other losses" if found else "Losses"
    if not report.others:
        return " ".join([*found, f"{rest} are under the objective's own corruption of the text."])
    found.append(
        f"{rest} of different objectives are not comparable: each is measured under the "
        "objective's own corruption of the text, and sums differ in their terms."
    )
    return " ".join(found)


def common_sentence(report: Report, curve: CurveReport) -> str:
    """What the common loss is of, and whom its curve leaves out; "" for another score."""
    if curve.source.name != COMMON or report.common_kind is None:
        return ""
    others = [
        name
        for name, runs in report.learning.items()
        if runs.kinds and report.common_kind not in runs.kinds
    ]
    out = f" Not drawn, since they predict something else: {named(others)}." if others else ""
    return _common(report) + out


def _common(report: Report) -> str:
    """What the common loss is, and which terms' losses are the same."""
    tokens = "hidden" if report.common_kind == "masked" else "next"
    same = [term.removeprefix(HELDOUT) for term in report.common_terms]
    alike = f"; the {listed(same)} loss is the same" if same else ""
    return (
        f"The common loss is of the same {tokens} tokens of the same held-out text for every "
        f"objective, in nats per token, so it can be compared{alike}."
    )


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
