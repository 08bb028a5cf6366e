"""``objbench verify``: papers' claims judged on a run folder, or a paper's own numbers replayed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from objbench.cli import arguments as read
from objbench.cli.parser import Parser
from objbench.cli.run_place import place, run_place
from objbench.cli.terminal import say
from objbench.errors import ConfigError

if TYPE_CHECKING:
    from objbench.judge.judgement import Judged
    from objbench.judge.papers.claims import ClaimFile
    from objbench.results.study_results import StudyResults

SUMMARY = "Judge papers' claims on a study, or replay a paper's published numbers."
EPILOG = """\
Each claim is judged by the score that it names, all claims at once; name another score with --score,
such as another suite of the study or a loss on held-out text, for a secondary verdict. The
leaderboard page shows the secondary verdicts of every score that can answer.

With the paper's scale, score and protocol a claim is "confirmed", "refuted" or "inconclusive".
Elsewhere it is "reproduced at this scale" or not, and by a score that it does not name "found by" that
score or not; it is "not tested" where the study lacks the score that it names. The exit code is 0 for every verdict.

examples:
  objbench verify runs/demo
  objbench verify runs/demo --claim taco-2022 --score heldout:mlm
  objbench verify --figure taco-2022
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "run",
        type=read.reading(place),
        nargs="?",
        metavar="RUN",
        help="folder of a run or of a published study, or s3://BUCKET/RUN",
    )
    parser.add_argument(
        "--claim",
        action="append",
        default=[],
        metavar="NAME|FILE",
        help="claims to judge, such as taco-2022 or mine.toml; may be repeated "
        "(default: every bundled claim about the study's objectives)",
    )
    parser.add_argument(
        "--score",
        default="",
        metavar="SUITE|heldout:TERM",
        help="score to judge by (default: the suite that the claim names)",
    )
    parser.add_argument(
        "--figure",
        metavar="NAME|FILE",
        help="published numbers to replay, such as taco-2022 or mine.json",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Print the verdicts, or what the published numbers support."""
    if arguments.figure is not None:
        if arguments.run is not None or arguments.claim or arguments.score:
            raise ConfigError(
                "--figure replays published numbers and cannot be combined with other arguments"
            )
        say(_replayed(arguments.figure), end="")
        return 0
    if arguments.run is None:
        _named_claims(arguments.claim)  # a claim that does not exist is reported first
        raise ConfigError("nothing to verify: name a run folder, or --figure FILE")
    say(_judged(run_place(arguments.run).planned(), arguments.claim, arguments.score), end="")
    return 0


def _replayed(figure: str) -> str:
    from objbench.judge.papers.figures import read_figure

    published = read_figure(figure)
    from objbench.judge.papers.replay_text import replay_text

    return replay_text(published)


def _named_claims(names: list[str]) -> list[ClaimFile]:
    from objbench.judge.papers.claims import read_claims

    return [read_claims(name) for name in dict.fromkeys(names)]


def _judged(run: Path, names: list[str], score: str) -> str:
    from objbench.judge.papers.claims import shipped_claims
    from objbench.results.run_folder import read_plan

    read_plan(run)  # a wrong folder or claim is reported before the numerical libraries are loaded
    files = _named_claims(names) or list(shipped_claims())
    from objbench.judge.judgement import concerned, judge_claims
    from objbench.judge.verdict_sentence import correction_sentence
    from objbench.judge.verdict_text import detail_text, verdict_lines
    from objbench.leaderboard.sent_words import sent_sentence
    from objbench.results.study_results import read_study_results

    results = read_study_results(run)
    if not names:
        files = list(concerned(results, files))
        if not files:
            raise ConfigError(
                f"none of the bundled claims is about the objectives of {run}: name a claim file "
                "with --claim FILE.toml"
            )
    judged = judge_claims(results, files, score)
    together = correction_sentence(judged)
    sent = sent_sentence(results.sent_in)
    parts = [
        *([sent] if sent else []),
        "\n".join(f"- {line}" for line in verdict_lines(judged)),
        *([together] if together else []),
        *(detail_text(item) for item in judged),
        *_other_scores(results, judged),
    ]
    return "\n\n".join(parts) + "\n"


def _other_scores(results: StudyResults, judged: Sequence[Judged]) -> list[str]:
    """What else the claims could be judged by, as a line; none where there is nothing else."""
    from objbench.judge.score_source import Pair, score_sources

    used = {item.source for item in judged}
    found = dict.fromkeys(
        source
        for item in judged
        for source in score_sources(results, Pair(item.file.objective, item.file.baseline))
        if source not in used
    )
    return [f"Other scores in this study, for --score: {', '.join(found)}."] if found else []
