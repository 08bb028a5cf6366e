"""The page of one study: verdicts first, then what they rest on, then how it was made."""

from __future__ import annotations

from objbench.judge.formatting import count, listed, plain
from objbench.judge.score_arrays import final_scores
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.leaderboard.caveats import limits, verdicts
from objbench.leaderboard.curve_sections import curve_sections
from objbench.leaderboard.curve_sources import curve_sources
from objbench.leaderboard.missing import gaps_table, missing_tasks, stale_table
from objbench.leaderboard.settings import (
    budget_sentence,
    command_block,
    details,
    objectives_table,
    seeds_words,
    settings_table,
)
from objbench.leaderboard.tables.aggregates import aggregate_sentence, aggregate_table
from objbench.leaderboard.tables.along_budget import budget_table
from objbench.leaderboard.tables.cost import cost_table, heldout_table
from objbench.leaderboard.tables.ranking_and_spend import ranking_table, spend_table
from objbench.leaderboard.tables.step_comparison import NOT_MEASURED, step_table
from objbench.leaderboard.tables.tasks import column_table, gain_tables
from objbench.leaderboard.tables.tuning import tuning_sentence, tuning_table
from objbench.leaderboard.unscored import unscored_sentence
from objbench.leaderboard.verdicts import judge_lines, not_judged
from objbench.results.heldout_loss_names import AFTER
from objbench.results.plan import PlannedSuite
from objbench.results.step_comparison import StepComparison
from objbench.results.study_results import StudyResults

MARK = "<!-- Made by `objbench leaderboard` from the records; edits are overwritten. -->"

_READING = f"""\
- **Claim**: "at least this much". Confirmed if the whole 95% interval lies at or above the value
  claimed, refuted if all of it lies below, else inconclusive; below {MIN_RUNS} pretraining seeds
  there is no interval and no other verdict.
- **Score**: the average that the protocol names, in points. Fine-tuning seeds are averaged within
  their pretraining run first; brackets hold the smallest and largest pretraining seed. From
  {MIN_RUNS} seeds on, ± is half of the 95% t-interval over pretraining seeds; fewer carry none.
- **Gain**: score minus the baseline's at the same seed, hence with the same initial weights,
  documents and masks. Tasks and fine-tuning seeds of one run are no independent runs. Each
  interval stands for itself: of twenty differences that are none, one looks like one.
- **Group, rank**: all pairs of objectives compared at once (paired t-tests, Holm, 5%). Two that
  share a letter cannot be told apart; the true rank lies in the interval.
- **P(better)**: share of the seeds at which the objective beats the baseline, with its exact
  interval.
- **Speedup**: what the baseline spent to reach its final score, over what the objective spent
  where it first reached that score, on each meter, from the mean curves of all seeds. Below 1x is
  slower; square brackets hold the 95% interval; what was not measured is a bound.
- **Noise floor**: the smallest difference of two objectives' means that reseeding alone does not
  make (95%, unpaired); sd: standard deviation from seed to seed.
- **Steps** are optimizer steps, **tokens** leave out padding, **FLOPs** are counted forward and
  backward on the real step, **device time** leaves out evaluation, checkpoints and warm-up.
- A dash means not known: whatever is incomplete is not ranked, and is named under What was not
  run."""

_NONE = "none: its numbers are neither better nor worse, and nobody is ranked by them"

_HELDOUT = (
    "Losses of different objectives are not comparable: each is measured under the objective's "
    "own corruption of the text, and sums differ in their terms."
)
_ARRANGED = (
    f'"mlm{AFTER}sop" would be the loss of mlm on text that sop has arranged anew, which is '
    "comparable to no loss of mlm on text as it is."
)


def page_text(
    results: StudyResults, comparison: StepComparison | None
) -> tuple[str, dict[str, str]]:
    """The page, and file name -> picture (SVG) for the curves that there are to draw."""
    plan = results.plan
    pictures: dict[str, str] = {}
    curves = curve_sections(results, pictures)
    losses = heldout_table(results)
    runs = count(len(results.seeds), "pretraining seed")
    tuning = tuning_table(results)
    parts = [
        f"# Leaderboard: {plain(plan.name)}",
        MARK,
        f"{plain(budget_sentence(plan))} {runs}: {seeds_words(plan)}.",
        "## Verdicts",
        _bullets(judge_lines(results)),
        "## What the numbers show",
        _bullets([*verdicts(results), *limits(results)]),
        *(
            part
            for number, suite in enumerate(results.suites)
            for part in _suite_section(results, suite, is_main=number == 0)
        ),
        *curves,
        *_step_section(results, comparison),
        "## Cost of pretraining",
        "Means over the finished pretraining seeds; the largest peak memory.",
        cost_table(results),
        *_titled("## Loss on held-out text", losses, _heldout_sentence(losses)),
        "## How to read this",
        _READING,
        "## Settings",
        command_block(plan),
        objectives_table(results),
        *_titled("### Tuning", tuning, tuning_sentence(results)),
        settings_table(results),
        details(plan),
        "## What was not run",
        _bullets(_not_run(results)),
        gaps_table(results),
        *_titled(
            "## Stale records",
            stale_table(results),
            "Made with code, data or settings that have changed since; not counted above.",
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n", pictures


def _suite_section(results: StudyResults, suite: PlannedSuite, *, is_main: bool) -> list[str]:
    found = final_scores(results, suite)
    better = "higher" if suite.direction == "max" else "lower"
    score = f"{plain(suite.average_label)}, {better} is better" if suite.average_groups else _NONE
    protocol = (
        f"{plain(suite.summary).rstrip('.')}. Protocol: {plain(suite.protocol).rstrip('.')}. "
        f"Score: {score}."
    )
    compared = curve_sources(results) if len(results.plan.objectives) > 1 else ()
    source = next((s for s in compared if s.name == suite.name), None)
    if suite.average_groups:
        parts = [f"## Ranking: {suite.name}", protocol, ranking_table(results, found)]
    else:
        parts = [f"## Measured: {suite.name}", protocol]
    # What was spent is the same whichever suite ranks it.
    if is_main or source is not None:
        parts.append(spend_table(results, found, source))
    parts += _titled(
        f"### All of {suite.name} in one number",
        aggregate_table(results, found),
        aggregate_sentence(results, found),
    )
    dashes = unscored_sentence(results, suite)
    parts += [f"### Columns of {suite.name}", dashes, column_table(results, found)]
    parts += _titled(
        f"### {suite.name} over the budget",
        budget_table(results, suite),
        f"Means over {count(len(results.seeds), 'pretraining seed')}.",
    )
    for objective, table in gain_tables(results, found).items():
        parts += [
            f"### {objective} against {results.plan.baseline} on each column of {suite.name}",
            _gains_sentence(results),
            table,
        ]
    return parts


def _gains_sentence(results: StudyResults) -> str:
    text = "Paired by seed. What the columns add to the average's gain adds up to it."
    if len(results.seeds) < MIN_RUNS:
        return text
    return (
        f"{text} Told apart: by the paired t-test at 5%, corrected for the number of columns "
        "(Holm). The averages without a column are one verdict seen several times, and not "
        "corrected."
    )


def _step_section(results: StudyResults, comparison: StepComparison | None) -> list[str]:
    table = NOT_MEASURED if comparison is None else step_table(comparison)
    return ["## Cost of an optimizer step", table] if results.plan.objectives else []


def _not_run(results: StudyResults) -> list[str]:
    devices = {plain(record.provenance.device) for record in results.records.values()}
    found = [
        "" if gaps_table(results) else "Every planned cell was run.",
        *missing_tasks(results),
        f"Nothing was run on any other machine than {listed(sorted(devices))}." if devices else "",
        not_judged(results),
    ]
    return [text for text in found if text]


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _heldout_sentence(table: str) -> str:
    return f"{_HELDOUT} {_ARRANGED}" if AFTER in table else _HELDOUT


def _titled(title: str, table: str, sentence: str = "") -> list[str]:
    return [title, sentence, table] if table else []
