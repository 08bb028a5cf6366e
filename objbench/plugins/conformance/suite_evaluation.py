"""What a suite measures must fit its columns, be repeatable, and leave everything else alone."""

from __future__ import annotations

import hashlib
import json
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter, ValidationError

from objbench.contract.suite import Suite, TaskResult
from objbench.plugins.conformance.check import Broken, Check, NotChecked
from objbench.plugins.conformance.suite_subject import MOST_TRAINED, SuiteSubject
from objbench.results.foreign_values import Scores
from objbench.results.json_files import fault
from objbench.results.packed_values import stored_examples

_SCORES: TypeAdapter[dict[str, dict[str, float]]] = TypeAdapter(Scores)


def columns_are_scored(subject: SuiteSubject) -> str:
    """Every column of a task has finite values of its metrics, or a reason why it has none."""
    suite = subject.make()
    for task in subject.tasks:
        _require_columns(suite, task, subject.scored(task), "the evaluation")
    return f"{', '.join(subject.tasks)} scored"


def repeats(subject: SuiteSubject) -> str:
    """The same encoder, task and seed give the same scores, whatever was drawn before."""
    for task in subject.tasks:
        first = subject.scored(task)
        torch.rand(1), np.random.random(), random.random()
        if subject.evaluate(task).scores != first.scores:
            raise Broken(f"a second evaluation of {task} with the same seed has other scores")
    return "equal when evaluated again"


def examples_are_limited(subject: SuiteSubject) -> str:
    """No more training examples are used than the context allows."""
    most = 0
    for task in subject.tasks:
        used = subject.scored(task).train_examples
        if used > MOST_TRAINED:
            raise Broken(f"{task} trains on {used} examples where {MOST_TRAINED} are allowed")
        most = max(most, used)
    return f"at most {most} of {MOST_TRAINED}"


def tuning_holds_back(subject: SuiteSubject) -> str:
    """For tuning the same columns are scored on other examples than those that are reported."""
    suite = subject.make()
    if not suite.tunable:
        raise NotChecked("the suite says that nothing can be tuned by it")
    for task in subject.tasks:
        tuned, reported = subject.scored(task, tuning=True), subject.scored(task)
        _require_columns(suite, task, tuned, "for tuning, the evaluation")
        for column, scores in tuned.examples.items():
            if column in reported.examples and reported.examples[column].of == scores.of:
                raise Broken(f"tuning scores the examples of {column} that are reported")
    return "scored on other examples"


def examples_make_scores(subject: SuiteSubject) -> str:
    """The values of a column's examples have its scores as their mean."""
    checked = 0
    for task in subject.tasks:
        result = subject.scored(task)
        for column, scores in result.examples.items():
            if column not in result.scores:
                raise Broken(f"there are examples of {column!r}, which is not scored")
            try:
                stored_examples(scores)
            except ValueError as error:
                raise Broken(f"{column}: {error}") from error
            for metric, values in scores.values.items():
                given, count = result.scores[column].get(metric), result.eval_examples[column]
                if given is None or not np.isclose(np.mean(values), given, atol=1e-4):
                    raise Broken(
                        f"the examples of {column} have a mean {metric} of {np.mean(values):.5g}, and "
                        f"its score is {given}"
                    )
                if len(values) != count:
                    raise Broken(f"{column} has {len(values)} values for {count} examples")
            checked += 1
    if not checked:
        raise NotChecked("the suite gives no examples, so intervals do not know their noise")
    return f"{checked} columns agree"


def floors_are_scored(subject: SuiteSubject) -> str:
    """Every floor that the suite names is scored in the columns and on the examples of encoders."""
    suite = subject.make()
    names = suite.floors()
    for task in subject.tasks:
        wanted = subject.scored(task).eval_examples
        for floor in names:
            result = subject.make().evaluate_floor(
                floor, subject.encoder, task, suite.seeds()[0], subject.context()
            )
            _require_columns(suite, task, result, f"the floor {floor}")
            if result.eval_examples != wanted:
                raise Broken(
                    f"the floor {floor} scores {dict(result.eval_examples)} examples of {task}, an "
                    f"encoder {dict(wanted)}"
                )
    if not names:
        raise NotChecked("the suite names no floor but the untrained encoder")
    return ", ".join(names)


def leaves_all_alone(subject: SuiteSubject) -> str:
    """Neither the encoder's folder nor a global generator is changed by an evaluation."""
    before, drawn = _digest(subject.encoder), _generators()
    for task in subject.tasks:
        subject.evaluate(task)
    if _digest(subject.encoder) != before:
        raise Broken("the evaluation writes into the encoder's folder")
    for name, state in _generators().items():
        if state != drawn[name]:
            raise Broken(f"the evaluation changes the global generator of {name}")
    return "folder and generators unchanged"


def _require_columns(suite: Suite, task: str, result: TaskResult, what: str) -> None:
    columns = {column.name: column for column in suite.columns() if column.task == task}
    try:
        _SCORES.validate_python({c: dict(metrics) for c, metrics in result.scores.items()})
    except ValidationError as error:
        raise Broken(f"{what} of {task}: {fault(error)}") from error
    for name in {**result.scores, **result.unscored}:
        if name not in columns:
            raise Broken(f"{what} of {task} gives {name!r}, which is no column of it")
    for name, column in columns.items():
        if name in result.unscored:
            continue
        lacking = [m for m in column.metrics if m not in result.scores.get(name, {})]
        if lacking:
            raise Broken(f"{what} of {task} has no {lacking[0]} of the column {name!r}")
        if not result.eval_examples.get(name):
            raise Broken(f"{what} of {task} does not say how many examples of {name!r} it scored")
    try:
        json.dumps(dict(result.details), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Broken(f"{what} of {task}: details are no JSON ({error})") from error


def _digest(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _generators() -> dict[str, Any]:
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": pickle.dumps(np.random.get_state()),
        "random": random.getstate(),
    }


def _check(name: str, run: Any, meaning: str, remedy: str) -> Check:
    return Check(name=name, meaning=meaning, remedy=remedy, run=run, by_mode=False)


CHECKS: tuple[Check, ...] = (
    _check(
        "columns are scored",
        columns_are_scored,
        "a record needs a finite number for every metric that a column shows, or a reason",
        "return scores for each column of the task, or put the column into unscored with the reason",
    ),
    _check(
        "same seed, same scores",
        repeats,
        "a study that is continued or verified elsewhere would have other numbers",
        "derive everything random from the seed that evaluate is given",
    ),
    _check(
        "training examples are limited",
        examples_are_limited,
        "--max-train-samples would not bound what an evaluation costs",
        "use at most context.max_train_samples examples and say how many in train_examples",
    ),
    _check(
        "tuning holds back",
        tuning_holds_back,
        "settings chosen on the examples that are reported make the reported scores too good",
        "score a held-out part of the training examples where context.tuning is set, or declare "
        "tunable = False",
    ),
    _check(
        "examples make the scores",
        examples_make_scores,
        "intervals over examples would be of another number than the score",
        "give one value per scored example, in one order, whose mean is the metric",
    ),
    _check(
        "floors are scored alike",
        floors_are_scored,
        "a score is compared with its floors, which must be of the same examples and metrics",
        "let evaluate_floor score each name of floors() in the columns of the task",
    ),
    _check(
        "leaves all else alone",
        leaves_all_alone,
        "later evaluations would depend on this one",
        "write only into context.cache, and fork the global generators where a library draws",
    ),
)
