"""What the numbers do and do not show, said from the numbers.

Each function states one kind of fact and says nothing where it has nothing to say. The words are
chosen by counts and intervals alone, so that a page cannot claim more than its records hold.
"""

from __future__ import annotations

from collections.abc import Mapping

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.budgets import measured_spend
from objbench.judge.formatting import amount, count, listed, plain, signed, three_digits
from objbench.judge.score_arrays import final_scores
from objbench.judge.statistics.estimate import Estimate
from objbench.judge.teacher_costs import qualified
from objbench.leaderboard.curve_sources import curve_sources, unfinished_schedule
from objbench.leaderboard.missing import gaps_sentence, missing_tasks
from objbench.leaderboard.ranking import Row, ranking
from objbench.leaderboard.speedups import axes_sentence, direction_sentences
from objbench.leaderboard.teacher_sentences import uncounted_sentences
from objbench.results.plan import PlannedSuite
from objbench.results.records import EvaluationRecord, Provenance
from objbench.results.study_results import StudyResults


def verdicts(results: StudyResults) -> list[str]:
    """What may be said of each suite's scores and of the axes, a sentence or two each.

    The intervals and speedups are those of the judge, so no sentence here contradicts a verdict.
    """
    found = [text for suite in results.suites for text in _suite_verdicts(results, suite)]
    for source in curve_sources(results):
        found += [*direction_sentences(results, source), axes_sentence(results, source)]
    return [text for text in found if text]


def limits(results: StudyResults) -> list[str]:
    """What the numbers do not show."""
    found = [
        gaps_sentence(results),
        *missing_tasks(results),
        _samples(results),
        scale_sentence(results),
        _spend(results),
        *uncounted_sentences(results),
        _machines(results),
        _side_by_side(results),
        _annealing(results),
    ]
    return [text for text in found if text]


def _suite_verdicts(results: StudyResults, suite: PlannedSuite) -> list[str]:
    if not suite.average_groups:
        # Nothing is better or worse on it.
        return []
    rows = ranking(results, final_scores(results, suite))
    baseline = next(row for row in rows if row.objective == results.plan.baseline)
    unranked = [f"{row.objective} ({row.why})" for row in rows if row.rank is None]
    found = []
    if unranked:
        found.append(f"Not ranked on {suite.name}: {listed(unranked)}.")
    if len(rows) == 1:
        found.append(f"Only {rows[0].objective} was run: nothing is compared.")
    elif baseline.rank is None:
        found.append(f"No gain on {suite.name}: the baseline {baseline.objective} is not ranked.")
    by_name = {row.objective: row for row in rows}
    for objective in results.plan.objectives:
        row = by_name[objective.name]
        if row.gain is not None:
            sentence = _gain(results, suite, row, row.gain)
            found.append(qualified(results, [row.objective], sentence))
    return found


def _gain(results: StudyResults, suite: PlannedSuite, row: Row, gain: Estimate) -> str:
    baseline = results.plan.baseline
    what = f"on {suite.name}, {row.objective} minus {baseline} is {signed(gain.mean)} points"
    if suite.direction == "min":
        what += ", lower being better"
    if gain.interval is None:
        seeds = count(gain.runs, "pretraining seed")
        spread = f" ({signed(gain.low)} to {signed(gain.high)})" if gain.runs > 1 else ""
        verb = "carries" if gain.runs == 1 else "carry"
        return f"Inconclusive: {what}{spread}, and {seeds} {verb} no interval."
    low, high = gain.interval
    over = f"95% interval {signed(low)} to {signed(high)} over {gain.runs} paired seeds"
    if low <= 0 <= high:
        return f"Not told apart: {what}, {over}, which contains 0."
    better = (gain.mean > 0) == (suite.direction == "max")
    word = "Better" if better else "Worse"
    if row.is_apart:
        return f"{word}: {what}, {over}."
    return (
        f"Not told apart: {what}, {over}; {word.lower()} if asked about alone, and not with all "
        "pairs of objectives compared at once (Holm)."
    )


def _samples(results: StudyResults) -> str:
    limits_seen: dict[str, set[int]] = {}
    for record in results.records.values():
        if not isinstance(record, EvaluationRecord) or record.max_train_samples is None:
            continue
        # A suite that trains nothing is not limited by it.
        if record.train_examples:
            limits_seen.setdefault(record.suite, set()).add(record.max_train_samples)
    parts = [
        f"{suite} fine-tuned on at most {max(sizes):,} examples a task"
        for suite, sizes in sorted(limits_seen.items())
    ]
    return f"A quick look: {listed(parts)}; not comparable with published scores." if parts else ""


def scale_sentence(results: StudyResults) -> str:
    """How large the encoder is and how much text it saw; "" before the baseline has run."""
    records = results.pretrained(results.plan.baseline)
    if not records or records[0].cost is None or not records[0].points:
        return ""
    parameters = amount(records[0].cost.encoder_parameters)
    tokens = amount(records[0].points[-1].meters.tokens)
    return (
        f"Measured with an encoder of {parameters} parameters and {tokens} tokens for "
        f"{results.plan.baseline}; nothing here says what happens at another scale."
    )


def _spend(results: StudyResults) -> str:
    spends: Mapping[str, float] = measured_spend(results)
    baseline = spends.get(results.plan.baseline)
    if not baseline:
        return ""
    # Whole steps and the clock's noise keep spends from being equal to the last digit.
    off = [
        f"{name} {three_digits(100 * spend / baseline)}%"
        for name, spend in spends.items()
        if abs(spend / baseline - 1) > 0.02
    ]
    axis = AXIS_WORDS[results.plan.equalize]
    return f"Measured {axis} against the baseline's: {listed(off)}." if off else ""


def _machines(results: StudyResults) -> str:
    seen = {
        (r.provenance.device, r.provenance.threads, r.provenance.processes)
        for r in results.records.values()
        if r.kind == "pretrain"
    }
    if len(seen) < 2:
        return ""
    return (
        f"Pretraining ran in {len(seen)} different settings of device, threads and processes "
        "(see Settings): device seconds and tokens/s are not comparable between them."
    )


def _side_by_side(results: StudyResults) -> str:
    baseline = {record.seed: record for record in results.pretrained(results.plan.baseline)}
    apart = [
        objective.name
        for objective in results.plan.objectives
        if any(
            record.seed in baseline and _apart(record.provenance, baseline[record.seed].provenance)
            for record in results.pretrained(objective.name)
        )
    ]
    if not apart:
        return ""
    return (
        f"Not trained side by side with {results.plan.baseline}: {listed(apart)}. Where a machine "
        "is shared, their device seconds and tokens/s are not comparable."
    )


def _apart(one: Provenance, other: Provenance) -> bool:
    # Times of one form, in one time zone: they sort as text.
    return one.finished <= other.started or other.finished <= one.started


def _annealing(results: StudyResults) -> str:
    schedule = unfinished_schedule(results)
    if not schedule or not curve_sources(results):
        return ""
    return (
        "Points of the curves before the last are unfinished models: the learning rate "
        f"({plain(schedule)}) has not come down there as it has at the end, which as a rule "
        "understates a speedup."
    )
