"""``objbench leaderboard``: the records of a run as a page, an index, or a page across scales."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from objbench.cli import arguments as read
from objbench.cli.parser import Parser
from objbench.cli.run_place import place, run_place
from objbench.cli.terminal import say
from objbench.errors import ConfigError

SUMMARY = "Write the leaderboard of a run folder: verdicts, tables and plots; or a page over many."
FORMATS = ("markdown", "html", "csv", "latex", "json", "png", "pdf")

EPILOG = """\
Nothing is trained or evaluated: the page is made from the plan and the records in RUN, and
the same records give the same page, byte for byte.

examples:
  objbench leaderboard runs/demo
  objbench leaderboard runs/demo --format html --open
  objbench leaderboard runs/demo --format csv,latex,pdf --out paper/results
  objbench leaderboard runs/demo --out leaderboard/demo --with-records
  objbench leaderboard --index leaderboard
  objbench leaderboard --across runs/small runs/large --out runs/ladder
  objbench leaderboard --across runs/ladder
  objbench leaderboard --track leaderboard/track
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "run",
        type=read.reading(place),
        nargs="?",
        metavar="RUN",
        help="run folder, such as runs/demo or s3://BUCKET/RUN, or the folder of a published study",
    )
    parser.add_argument(
        "--out",
        type=read.reading(read.path),
        metavar="DIR",
        help="folder to write to (default: RUN/leaderboard; of --across the folder across beside "
        "the studies)",
    )
    parser.add_argument(
        "--format",
        type=read.reading(formats_of(FORMATS)),
        metavar="NAMES",
        help="what to write, one or several of: markdown (README.md with its pictures, the default), "
        "html (index.html, one file), csv, latex or json (every table), png or pdf (every picture)",
    )
    parser.add_argument(
        "--open", action="store_true", help="write html too, and show it in a browser"
    )
    parser.add_argument(
        "--with-records",
        action="store_true",
        help="copy the plan and the records into the folder of --out too, so that it can be "
        "committed and its page made again; the page is titled by that folder's name",
    )
    parser.add_argument(
        "--index",
        type=read.reading(read.path),
        metavar="DIR",
        help="write one README.md that lists every study folder in DIR; into DIR, or into the "
        "folder of --out",
    )
    parser.add_argument(
        "--across",
        type=read.reading(read.path),
        nargs="+",
        metavar="STUDY",
        help="compare studies of several scales or encoders, run folders or published ones: speedup "
        "and gain at each, and whether they change with scale; or make the page in one folder again",
    )
    parser.add_argument(
        "--track",
        type=read.reading(read.path),
        metavar="DIR",
        help="write the page over the tracks in DIR (NAME.toml) and their rows (DIR/NAME/STUDY)",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Write the page and print its path."""
    of_a_run = (arguments.run, arguments.with_records)
    formats = arguments.format or FORMATS[:1]
    if arguments.open and "html" not in formats:
        formats = (*formats, "html")
    over_many = [arguments.across, arguments.index, arguments.track]
    if sum(folder is not None for folder in over_many) > 1:
        raise ConfigError("--index, --across and --track are three pages: give one of them")
    if over_many != [None, None, None] and not {*formats} <= {*FORMATS[:2]}:
        raise ConfigError("--index, --across and --track write pages alone: markdown, html or both")
    if arguments.track is not None:
        if any(of_a_run):
            raise ConfigError("--track goes with --out only: it reads every row in DIR")
        return _track(arguments.track, arguments.out, formats, arguments.open)
    if arguments.across is not None:
        if any(of_a_run):
            raise ConfigError("--across goes with --out only: it reads the studies it names")
        return _across(arguments.across, arguments.out, formats, arguments.open)
    if arguments.index is not None:
        if any(of_a_run):
            raise ConfigError("--index goes with --out only: it reads every study folder in DIR")
        return _index(arguments.index, arguments.out, formats, arguments.open)
    if arguments.run is None:
        raise ConfigError(
            "give a run folder (runs/demo), --index DIR, --across STUDY STUDY or --track DIR"
        )
    if arguments.with_records and "markdown" not in formats:
        raise ConfigError("--with-records publishes the markdown page: add markdown to --format")
    from objbench.results.run_folder import read_plan

    found = run_place(arguments.run, logs=arguments.with_records)
    run = found.planned()
    read_plan(run)  # a wrong folder is reported before pandas and matplotlib are loaded
    write_and_print(
        run,
        arguments.out,
        with_records=arguments.with_records,
        formats=formats,
        is_opened=arguments.open,
    )
    if arguments.out is None:
        found.put_page()
    return 0


def formats_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """A reader of the formats of "html,csv", each of ``known`` and once."""
    choose = read.one_of(known)
    return lambda text: tuple(dict.fromkeys(map(choose, read.names(text))))


def write_and_print(
    run: Path,
    out: Path | None = None,
    with_records: bool = False,
    formats: Sequence[str] = ("markdown",),
    is_opened: bool = False,
) -> None:
    """Write the page of a run, print its summary, and print where the page is.

    Args:
        run: a run folder, or a published study.
        out: the folder of the page; one in the run folder when None.
        with_records: publish the records too.
        formats: of ``FORMATS``.
        is_opened: show the HTML page, which must be one of them, in a browser.
    """
    from objbench.leaderboard.analysis import analyse
    from objbench.leaderboard.formats import write_format
    from objbench.leaderboard.page import write_leaderboard
    from objbench.leaderboard.terminal import terminal_summary
    from objbench.results.run_folder import RunFolder
    from objbench.results.study_results import read_comparison, read_study_results

    folder, results = RunFolder(run), read_study_results(run)
    report = analyse(results, read_comparison(run, results.plan))
    out = out or folder.leaderboard
    pages = {}
    for kind in formats:
        if kind == "markdown":
            pages[kind] = write_leaderboard(run, out, with_records, results, report)
        else:
            pages[kind] = write_format(kind, run, out, results, report)
    say(terminal_summary(report))
    for kind, page in pages.items():
        say(f"{'leaderboard' if kind == 'markdown' else kind}: {os.path.relpath(page)}")
    if is_opened:
        _open(pages["html"])


def _open(page: Path) -> None:
    import webbrowser

    is_shown = False
    # The library splits what BROWSER says and is not prepared for a blank or an open quote.
    with suppress(webbrowser.Error, IndexError, OSError, ValueError):
        is_shown = webbrowser.open(page.resolve().as_uri())
    if not is_shown:
        say(f"No browser could be started; open {os.path.relpath(page)} in one.", file=sys.stderr)


def _index(folder: Path, out: Path | None, formats: Sequence[str], is_opened: bool) -> int:
    from objbench.leaderboard.index import write_index

    return _pages("index", partial(write_index, folder, out), formats, is_opened)


def _track(folder: Path, out: Path | None, formats: Sequence[str], is_opened: bool) -> int:
    from objbench.leaderboard.track.page import write_track_page

    return _pages("track", partial(write_track_page, folder, out), formats, is_opened)


def _pages(what: str, write: Callable[..., Path], formats: Sequence[str], is_opened: bool) -> int:
    """Write a page over many studies in each of ``formats``, and say where it is."""
    for kind in formats:
        page = write(is_html=kind == "html")
        say(f"{what}: {os.path.relpath(page)}")
        if is_opened and kind == "html":
            _open(page)
    return 0


def _across(folders: list[Path], out: Path | None, formats: Sequence[str], is_opened: bool) -> int:
    from objbench.leaderboard.across.page import (
        compare_studies,
        default_folder,
        write_across,
        write_across_html,
    )
    from objbench.leaderboard.across.sentences import headline

    found = compare_studies(folders)
    out = out or default_folder(folders)
    pages = {
        kind: write_across_html(out, found) if kind == "html" else write_across(folders, out, found)
        for kind in formats
    }
    say(headline(found))
    for page in pages.values():
        say(f"across scales: {os.path.relpath(page)}")
    if is_opened:
        _open(pages["html"])
    return 0
