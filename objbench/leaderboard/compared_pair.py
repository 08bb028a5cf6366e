"""Two objectives of a study as a document: what may be concluded of them, and every number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from objbench.contract.meters import AXES, AXIS_WORDS, Axis
from objbench.judge.answers import Answer, Question
from objbench.judge.formatting import count, listed
from objbench.judge.obstacle_text import answer_obstacles
from objbench.judge.pairwise import ComparedScore, ExampleTest, compare_pair
from objbench.judge.score_source import Pair
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.judge.stuck_share import stuck_share, stuck_text
from objbench.judge.verdict import NO_GAIN, NO_SPEEDUP, Finding
from objbench.judge.verdict_sentence import few_seeds_text, level_text
from objbench.leaderboard.curve_sources import score_words
from objbench.leaderboard.document import (
    Block,
    Cell,
    Comment,
    Heading,
    bullets,
    paragraph,
    table,
)
from objbench.leaderboard.quantity import Notation, Quantity
from objbench.leaderboard.sent_words import marked_name, sent_blocks
from objbench.results.study_results import StudyResults
from objbench.results.submissions.marks import SentIn

MARK = "Made by `objbench compare` from the records; edits are overwritten."


def compared_document(
    results: StudyResults, pair: Pair, studies: Mapping[str, SentIn | None]
) -> list[Block]:
    """The whole page.

    Args:
        pair: two objectives of the study, the first of which a positive gain speaks for.
        studies: name of each study that the results are of, the baseline's first -> what is known of
            it where somebody else sent it.
    """
    plan, scores = results.plan, compare_pair(results, pair)
    found = [part for part in (plan.preset, plan.corpus) if part]
    what = ", ".join(
        [
            f"{pair.objective} against {pair.baseline} at equal {AXIS_WORDS[plan.equalize]}",
            *found,
            count(len(results.seeds), "seed"),
        ]
    )
    stuck = stuck_text((stuck_share(results, pair.baseline), stuck_share(results, pair.objective)))
    return [
        Heading(1, _title(pair, [marked_name(name, sent) for name, sent in studies.items()])),
        Comment(MARK),
        *(
            block
            for name, sent in studies.items()
            for block in sent_blocks(sent, name if len(studies) > 1 else "")
        ),
        *paragraph(f"{what}.", f"Stuck runs: {stuck}." if stuck else ""),
        Heading(2, "What may be concluded"),
        *bullets([conclusion(results, pair, score) for score in scores] or [_nothing(pair)]),
        *paragraph(
            "Each sentence is by an interval of its own, not corrected for the number of scores."
            if len(scores) > 1
            else ""
        ),
        *_gains(results, pair, scores),
        *_speedups(results, pair, scores),
        *_examples(results, pair, scores),
    ]


def _title(pair: Pair, studies: Sequence[str]) -> str:
    if len(studies) == 1:
        return f"{pair.objective} against {pair.baseline}: {studies[0]}"
    of_baseline, of_objective = studies
    return f"{pair.objective} of {of_objective} against {pair.baseline} of {of_baseline}"


def conclusion(results: StudyResults, pair: Pair, score: ComparedScore) -> str:
    """What one score shows, or why it shows nothing."""
    answer, name = score.main, score_words(results.plan, score.source)
    kind: Literal["gain", "speedup"] = "gain" if score.gain is not None else "speedup"
    neutral = NO_GAIN if kind == "gain" else NO_SPEEDUP
    question = Question(kind, results.plan.equalize, neutral)
    why = answer_obstacles(answer, question, score.source)
    if why or answer.finding is None:
        reasons = "; ".join(why) or "no seed of both is complete"
        return f"By {name} nothing may be concluded: {reasons}."
    finding = answer.finding
    if finding.low is None:
        return f"By {name} nothing may be concluded: {few_seeds_text(finding.seeds)}."
    number = _quantity(finding, kind).text
    unit = "points" if kind == "gain" else f"in {question.axis_words}"
    words = {
        "better": f"{pair.objective} is significantly better than {pair.baseline}",
        "worse": f"{pair.objective} is significantly worse than {pair.baseline}",
        "unclear": f"{pair.objective} and {pair.baseline} are not significantly different",
    }[finding.comparison]
    over = f"{level_text(finding.level)} interval over {count(finding.seeds, 'paired seed')}"
    return f"By {name} {words}: {kind} {number} {unit}, {over}."


def _nothing(pair: Pair) -> str:
    return f"Nothing: {pair.objective} and {pair.baseline} have no score in common."


def _quantity(finding: Finding, notation: Notation) -> Quantity:
    return Quantity(
        estimate=finding.estimate, low=finding.low, high=finding.high, notation=notation
    )


def _gains(results: StudyResults, pair: Pair, scores: tuple[ComparedScore, ...]) -> Iterator[Block]:
    shares = sorted({share for score in scores for share in score.along})
    if not shares:
        return
    lines: list[dict[str, Cell]] = []
    for score in scores:
        if not score.along:
            continue
        line: dict[str, Cell] = {"score": score_words(results.plan, score.source)}
        notation: Notation = "gain" if score.gain is not None else "loss gain"
        for share in shares:
            own = score.along.get(share)
            line[f"{share:.0%} of the budget"] = None if own is None else _quantity(own, notation)
        if score.gain is not None and score.gain.over_examples is not None:
            low, high = score.gain.over_examples
            line["100%, over seeds and examples"] = f"[{low:+.2f}, {high:+.2f}]"
        lines.append(line)
    titles = dict.fromkeys(title for line in lines for title in line)
    yield Heading(2, f"Gain of {pair.objective} over {pair.baseline} at each budget")
    yield from paragraph(
        f"Positive is better, also for losses (in nats). Brackets: interval over paired seeds, from "
        f"{MIN_RUNS} on. Points before the last are of unfinished runs unless the schedule is trunk."
    )
    yield table([{title: line.get(title) for title in titles} for line in lines])


def _speedups(
    results: StudyResults, pair: Pair, scores: tuple[ComparedScore, ...]
) -> Iterator[Block]:
    lines: list[dict[str, Cell]] = []
    for score in scores:
        if score.speedup is None:
            continue
        for where, by_axis in _targets(score.speedup):
            line: dict[str, Cell] = {
                "score": score_words(results.plan, score.source),
                f"to {pair.baseline}'s": where,
            }
            for axis in AXES:
                own = by_axis.get(axis)
                line[f"in {AXIS_WORDS[axis]}"] = None if own is None else _quantity(own, "speedup")
            lines.append(line)
    if lines:
        yield Heading(2, f"Speedup of {pair.objective} over {pair.baseline}")
        yield table(lines, text_columns=2)


def _targets(answer: Answer) -> Iterator[tuple[str, Mapping[Axis, Finding]]]:
    if answer.by_axis:
        yield "final score", answer.by_axis
    if answer.by_axis_early:
        yield "score at two thirds of its budget", answer.by_axis_early


def _examples(
    results: StudyResults, pair: Pair, scores: tuple[ComparedScore, ...]
) -> Iterator[Block]:
    yield Heading(2, "Example by example")
    lines = [
        _example_line(results, pair, score, test) for score in scores for test in score.examples
    ]
    if len(results.seeds) > 1:
        yield from paragraph(
            f"Not tested: there are {len(results.seeds)} pretraining seeds, whose interval says more "
            "than the examples of one. McNemar's test compares two encoders where each objective was "
            "pretrained once."
        )
    elif not lines:
        yield from paragraph(
            "Not tested: no column of both has the same stored examples, each right or wrong."
        )
    else:
        seeds = listed([str(seed) for seed in results.seeds])
        yield from paragraph(
            f"McNemar's exact test on the stored examples, both encoders of pretraining seed {seeds}, "
            "corrected for the columns of a suite (Holm). It tells two encoders apart and not two "
            "objectives: another seed may turn it round."
        )
        yield table(lines, text_columns=2)


def _example_line(
    results: StudyResults, pair: Pair, score: ComparedScore, test: ExampleTest
) -> dict[str, Cell]:
    words = {
        "better": f"{pair.objective}'s is better",
        "worse": f"{pair.objective}'s is worse",
        "unclear": "not significantly different",
    }
    return {
        "score": score_words(results.plan, score.source),
        "column": test.column,
        "examples": f"{test.examples:,}",
        f"only {pair.objective} right": f"{test.only_objective:,}",
        f"only {pair.baseline} right": f"{test.only_baseline:,}",
        "p": "<0.001" if test.p_value < 0.001 else f"{test.p_value:.3f}",
        "encoders": words[test.comparison],
    }
