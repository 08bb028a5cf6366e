"""Several claims judged at once: Holm's correction over their primary verdicts.

Each claim names the score and the axis that it is judged by; that verdict is primary, and the chance
that any primary verdict of those judged together is false is kept at 5% (Holm 1979; each claim is
a two-sided question). Verdicts by other scores are secondary: they are shown, they decide nothing
about the claim, and they are not corrected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from objbench.judge.verdict import Verdict


def at_once(alone: Sequence[Verdict], judge: Callable[[int, int], Verdict]) -> list[Verdict]:
    """The verdicts on claims that are judged at once.

    Those that are settled at the error rate for all of them are settled; then the others are judged
    at the rate for those that are left, until none is settled. The intervals of a claim at falling
    error rates hold each other, so one that is open alone is open at once.

    Args:
        alone: the verdict on each claim by itself.
        judge: index of a claim, and how many claims share the error rate -> its verdict.
    """
    found: list[Verdict] = ["inconclusive"] * len(alone)
    waiting = list(range(len(alone)))
    while waiting:
        sharing = len(waiting)
        for index in waiting:
            if alone[index] != "inconclusive":
                found[index] = alone[index] if sharing == 1 else judge(index, sharing)
        left = [index for index in waiting if found[index] == "inconclusive"]
        if left == waiting:
            break
        waiting = left
    return found
