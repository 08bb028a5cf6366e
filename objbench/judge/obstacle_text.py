"""Why a finding is no verdict, in a few words each."""

from __future__ import annotations

from objbench.judge.answers import Answer, Question
from objbench.judge.formatting import count, listed
from objbench.judge.judgement import Judged
from objbench.judge.obstacles import HeldBack
from objbench.judge.papers.claims import Claim
from objbench.judge.statistics.estimate import MIN_RUNS


def held_back_text(item: Judged) -> str:
    """Why the finding is no verdict; "" where it is one."""
    return "; ".join(obstacle_texts(item))


def obstacle_texts(item: Judged) -> list[str]:
    """Why the finding is no verdict, most basic first."""
    return answer_obstacles(item, item.claim, item.source)


def answer_obstacles(item: Answer, claim: Claim | Question, source: str) -> list[str]:
    """Why the answer to a claim or a question by a score is no verdict, most basic first."""
    return [_obstacle_text(item, claim, source, held) for held in item.held_back]


def _obstacle_text(item: Answer, claim: Claim | Question, source: str, held: HeldBack) -> str:
    details = held.details
    match held.obstacle:
        case "score not in study":
            return f"the study does not score {listed(details)}"
        case "a loss":
            return "a gain in points cannot be read from a loss"
        case "no complete seed":
            more = count(len(details) - 1, "more reason") if len(details) > 1 else ""
            first = details[0] if details else "no seed is planned"
            return f"no seed is complete: {first}{f' (and {more})' if more else ''}"
        case "no shared spend":
            return f"the seeds share no range of {claim.axis_words}"
        case "unequal spend":
            return f"the budgets are not equal ({'; '.join(details)})"
        case "diverged":
            seeds = "seed" if len(details) == 1 else "seeds"
            return f"{seeds} {listed(details)} diverged, and the others are not a fair sample"
        case "look not reached":
            first = f"the first look is at {item.look.looks[0] if item.look else 0} seeds"
            if not details:
                return f"{first}, and fewer were run"
            are = "seed {} is" if len(details) == 1 else "seeds {} are"
            return f"{first}, and {are.format(listed(details))} not complete"
        case "learning unknown":
            return "whether the runs learnt was not measured: run the study again"
        case "few learnt":
            left = count(len(item.seeds), "pair") if item.seeds else "no pair"
            are = "are" if len(item.seeds) > 1 else "is"
            return f"{listed(details)}, so {left} {are} left; {MIN_RUNS} are needed"
        case "no floors":
            if details:
                return f"the floors of {source} are not complete ({listed(details)})"
            return f"the floors of {source} were not measured: run the study again"
        case "insensitive":
            return f"{source} {listed(details)}"
