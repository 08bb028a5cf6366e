"""The log of a running pretraining: whole lines, torn ones skipped, cut back, followed."""

import os

import pytest

from objbench.results.training_log import (
    EvaluationLine,
    FollowedLog,
    TrainingLine,
    TrainingLog,
    read_training_log,
)

POINT = {"time": "2026-11-29T12:00:00+00:00", "total": 100, "tokens": 8, "flops": 1e9}


def line(done, **fields):
    usual = {
        "loss": 2.5,
        "terms": {"mlm": 2.5},
        "gradient_norm": 1.0,
        "learning_rate": 1e-3,
        "tokens_per_second": 100.0,
    }
    return TrainingLine(**{**POINT, "done": done, "step": done, "seconds": 1.0, **usual, **fields})


def evaluation(done):
    return EvaluationLine(
        **POINT,
        done=done,
        step=done,
        seconds=1.0,
        share=0.5,
        heldout={"mlm": 2.0, "loss": 2.0},
        common_loss=2.1,
        order_gain=0.3,
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "logs" / "mlm.seed-0.abc.jsonl"


def written(path, *lines, after=0):
    log = TrainingLog(path)
    log.begin(after, 100)
    for each in lines:
        log.add(each)
    log.sync()
    log.close()


def test_lines_are_read_as_they_were_written(path):
    lines = [line(5, gradient_norm=None), line(10, branch=True), evaluation(10)]
    written(path, *lines)
    assert read_training_log(path) == lines
    assert path.read_text().count("\n") == 3


def test_every_line_is_there_as_soon_as_it_is_added(path):
    log = TrainingLog(path)
    log.begin(0, 100)
    for number in range(1, 4):
        log.add(line(number))
        assert [each.done for each in read_training_log(path)] == list(range(1, number + 1))
    log.close()


def test_a_run_that_continues_cuts_back_to_its_checkpoint(path):
    written(path, line(5), line(10), evaluation(10), line(15), line(20))
    written(path, line(12), after=10)
    assert [(each.kind, each.done) for each in read_training_log(path)] == [
        ("training", 5),
        ("training", 10),
        ("evaluation", 10),
        ("training", 12),
    ]
    written(path, line(1))
    assert [each.done for each in read_training_log(path)] == [1]


@pytest.mark.parametrize("torn", [b'{"kind": "training", "do', b"\xff\xfe", b"null", b"{}"])
def test_a_torn_last_line_is_skipped_and_then_cut_off(path, torn):
    written(path, line(5))
    with path.open("ab") as file:
        file.write(torn)
    assert [each.done for each in read_training_log(path)] == [5]
    written(path, line(10), after=5)
    assert [each.done for each in read_training_log(path)] == [5, 10]


@pytest.mark.parametrize(
    "text",
    [
        '{"loss": 1}',
        "[" * 100_000,
        line(5).model_dump_json().replace("2.5", "NaN"),
        line(5).model_dump_json().replace('"mlm"', '"../mlm"'),
        line(5).model_dump_json().replace('"step":5', '"step":"5"'),
        line(5).model_dump_json().replace('"loss":2.5', '"loss":2.5,"loss":2.5'),
        line(5).model_dump_json().replace('"done":5', '"done":-5'),
    ],
)
def test_what_is_no_line_of_a_log_is_skipped(path, text):
    written(path, line(1))
    with path.open("a") as file:
        file.write(text + "\n" + line(9).model_dump_json() + "\n")
    assert [each.done for each in read_training_log(path)] == [1, 9]


def test_a_log_that_grows_is_followed(path):
    followed = FollowedLog(path)
    followed.look()
    assert followed.last is None
    log = TrainingLog(path)
    log.begin(0, 100)
    log.add(line(5))
    followed.look()
    assert (followed.training.done, followed.evaluation) == (5, None)
    log.add(evaluation(5))
    whole = line(10).model_dump_json().encode() + b"\n"
    os.write(log._file.fileno(), whole[:20])
    followed.look()
    assert (followed.last.done, followed.evaluation.done) == (5, 5)
    os.write(log._file.fileno(), whole[20:])
    followed.look()
    assert (followed.last.done, followed.training.done) == (10, 10)
    log.close()
    # Begun again by a run that continues from an earlier step.
    written(path, line(7), after=5)
    followed.look()
    assert (followed.last.done, followed.evaluation.done) == (7, 5)
    path.unlink()
    followed.look()
    assert followed.last is None
