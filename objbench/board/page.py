"""The leaderboard's folder: a page of markdown, its picture, and the records it rests on.

The same plan and records give the same bytes: there is no clock time, no path of this machine and
no order of files in the text, and every number is rounded by a fixed rule.
"""

from __future__ import annotations

from pathlib import Path

from objbench.board.gaps import gaps_table, stale_table
from objbench.board.notation import count, plain
from objbench.board.picture import convergence_picture, is_drawable
from objbench.board.sentences import limits, verdicts
from objbench.board.settings import (
    budget_sentence,
    command_block,
    details,
    objectives_table,
    settings_table,
)
from objbench.board.tables import column_table, cost_table, heldout_table, ranking_table
from objbench.errors import ConfigError
from objbench.plan import PlannedSuite
from objbench.records import record_path
from objbench.score_arrays import final_scores, score_curves
from objbench.standing import Standing, read_standing
from objbench.statistics import MIN_RUNS
from objbench.stored import dump, write_text

MARK = "<!-- Made by `objbench leaderboard` from the records; edits are overwritten. -->"

_READING = f"""\
- **Score**: the average that the protocol names, in points. Fine-tuning seeds are averaged within
  their pretraining run first; brackets hold the smallest and largest pretraining seed. From
  {MIN_RUNS} seeds on, ± is half of the 95% t-interval over pretraining seeds; fewer carry none.
- **Gain**: score minus the baseline's at the same seed, hence with the same initial weights,
  documents and masks. Tasks and fine-tuning seeds of one run are no independent runs. Each
  interval stands for itself: of twenty differences that are none, one looks like one.
- **Speedup**: what the baseline spent to reach its final score, divided by what the objective
  spent where it first reached that score, on each meter. Below 1x is slower; "not reached" is
  neither dropped nor extrapolated; "at least" means reached before the first point.
- **Steps** are optimizer steps, **tokens** leave out padding, **FLOPs** are counted forward and
  backward on the real step, **device time** leaves out evaluation, checkpoints and warm-up.
- A dash means not known: whatever is incomplete is not ranked, and is named under Incomplete."""

_HELDOUT = (
    "Losses of different objectives are not comparable: each is measured under the objective's "
    "own corruption of the text, and sums differ in their terms."
)


def write_leaderboard(run: Path, out: Path, with_records: bool = False) -> Path:
    """Write the leaderboard of the run folder ``run`` into ``out``; returns the page's path.

    Args:
        run: a run folder, or a folder that holds an earlier copy of its plan and records.
        out: the folder for README.md and the picture; made if it is not there.
        with_records: copy the plan and the current records along, so that ``out`` can be
            committed and its page made again from itself. Stale records stay behind.

    Raises:
        RecordError: the plan or a record is missing or cannot be read.
        ConfigError: ``out`` cannot be written, or copying there would mix two studies' records.
    """
    standing = read_standing(run)
    copying = with_records and out.resolve() != run.resolve()
    page = out / "README.md"
    if copying:
        standing = standing.without_stale()
    text, pictures = leaderboard(standing)
    try:
        if copying:
            _refuse_foreign(out, page)
            _copy_records(standing, out)
        for suite in standing.curve_suites:
            if suite.name not in pictures:
                # An older picture beside a page that has none would tell of other records.
                (out / f"{suite.name}.svg").unlink(missing_ok=True)
        for name, picture in pictures.items():
            write_text(out / f"{name}.svg", picture)
        write_text(page, text)
    except OSError as error:
        raise ConfigError(
            f"the leaderboard folder {out} cannot be written: {error.strerror}; "
            "name another with --out"
        ) from error
    return page


def leaderboard(standing: Standing) -> tuple[str, dict[str, str]]:
    """The page, and curve suite -> picture (SVG) for those that have curves to draw."""
    plan = standing.plan
    pictures: dict[str, str] = {}
    curves = [_curve_section(standing, suite, pictures) for suite in standing.curve_suites]
    bullets = [f"- {text}" for text in (*verdicts(standing), *limits(standing))]
    runs = count(len(standing.seeds), "pretraining seed")
    parts = [
        f"# Leaderboard: {plain(plan.name)}",
        MARK,
        f"{plain(budget_sentence(plan))} {runs}.",
        "## What the numbers show",
        "\n".join(bullets),
        *(part for suite in standing.suites for part in _suite_section(standing, suite)),
        *(part for section in curves for part in section),
        "## Cost of pretraining",
        "Means over the finished pretraining seeds; the largest peak memory.",
        cost_table(standing),
        *_titled("## Loss on held-out text", heldout_table(standing), _HELDOUT),
        "## How to read this",
        _READING,
        "## Settings",
        command_block(plan),
        objectives_table(standing),
        settings_table(standing),
        details(plan),
        *_titled("## Incomplete", gaps_table(standing)),
        *_titled(
            "## Stale records",
            stale_table(standing),
            "Made with code, data or settings that have changed since; not counted above.",
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n", pictures


def _suite_section(standing: Standing, suite: PlannedSuite) -> list[str]:
    found = final_scores(standing, suite)
    better = "higher" if suite.direction == "max" else "lower"
    protocol = (
        f"{plain(suite.summary).rstrip('.')}. Protocol: {plain(suite.protocol).rstrip('.')}. "
        f"Score: {plain(suite.average_label) or 'none'}, {better} is better."
    )
    return [
        f"## Ranking: {suite.name}",
        protocol,
        ranking_table(standing, found),
        f"### Columns of {suite.name}",
        column_table(standing, found),
    ]


def _curve_section(standing: Standing, suite: PlannedSuite, pictures: dict[str, str]) -> list[str]:
    title = f"## {suite.name.capitalize()}: {suite.follows} score against spend"
    curves = score_curves(standing, suite)
    if not is_drawable(curves):
        return [title, "No objective has two finished points along its budget: no curve to draw."]
    picture = convergence_picture(curves, standing.plan.baseline, f"{suite.follows} score")
    pictures[suite.name] = picture.decode()
    absent = [name for name, curve in curves.items() if not curve.whole]
    note = f" Not drawn, for want of records: {', '.join(absent)}." if absent else ""
    seeds = count(suite.seeds_per_point, "fine-tuning seed")
    alt = f"{suite.follows} score of each objective against steps, tokens, FLOPs and device time"
    return [
        title,
        f"![{alt}]({suite.name}.svg)",
        f"Every point is the mean over the pretraining seeds of {seeds} each.{note}",
    ]


def _titled(title: str, table: str, sentence: str = "") -> list[str]:
    return [title, sentence, table] if table else []


def _refuse_foreign(out: Path, page: Path) -> None:
    """A folder with a plan but without a page of ours is a run's own: its records stay."""
    ours = page.is_file() and MARK in page.read_text("utf-8", errors="replace")
    if (out / "plan.json").exists() and not ours:
        raise ConfigError(
            f"{out} holds the plan of another run, and its records would be mixed with these; "
            "name another folder with --out"
        )


def _copy_records(standing: Standing, out: Path) -> None:
    write_text(out / "plan.json", dump(standing.plan))
    current = set()
    for record in standing.records.values():
        path = record_path(out, record.kind, record.id, record.key)
        write_text(path, dump(record))
        current.add(path)
    # Copies of records that have gone stale since would be taken for this study's.
    for path in (out / "records").glob("*/*.json"):
        if path not in current:
            path.unlink()
