"""``objbench claims``: the papers' claims that ship, and what studies say on them."""

from __future__ import annotations

import argparse

from objbench.cli import arguments as read
from objbench.cli.columns import for_terminal
from objbench.cli.parser import Parser
from objbench.cli.terminal import say

SUMMARY = "List the papers' claims that are judged, and what a folder of studies says on them."
EPILOG = """\
A claim names its source with table or figure, the scale and the score it was measured with, how many
pretraining runs per side it rests on, and where its number was read.

examples:
  objbench claims
  objbench claims --studies leaderboard
  objbench claims --markdown --studies leaderboard > leaderboard/claims/README.md
"""


def add_arguments(parser: Parser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--studies",
        type=read.reading(read.path),
        metavar="DIR",
        help="folder of studies, such as leaderboard: say for each claim what they have on it",
    )
    parser.add_argument(
        "--markdown",
        action="store_true",
        help="print a page, for the folder claims in the folder of studies",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Print the claims."""
    from objbench.judge.papers.claims import shipped_claims

    files = shipped_claims()
    from objbench.leaderboard.claim_evidence import claim_evidence
    from objbench.leaderboard.claim_registry import listing_rows, registry_page
    from objbench.leaderboard.render_markdown import render_markdown

    evidence = None if arguments.studies is None else claim_evidence(arguments.studies, files)
    if arguments.markdown:
        say(render_markdown(registry_page(files, evidence)), end="")
    else:
        say(for_terminal(list(listing_rows(files, evidence))))
    return 0
