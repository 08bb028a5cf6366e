"""Every field of every stored model, fed with what a stranger may send: one line or harmless."""

import json

import pytest
from foreign_study import (
    FREE,
    HEX,
    MODELS,
    adapter,
    classes,
    leaves,
    named,
    put,
    reference_lines,
    step_comparison,
    step_cost,
    stored,
    unfilled,
    whole_study,
)

from objbench.errors import RecordError
from objbench.results.json_files import read_from
from objbench.results.training_points import LogApart

FIELDS = sorted(
    {
        (kind.__name__, name)
        for model in MODELS
        for kind in classes(model)
        for name, inner in named(kind).items()
        if not any(classes(inner))
    }
)
SHOWN = {
    *("command", "budget", "summary", "reference", "across_sequences", "protocol", "missing"),
    *("average_label", "average_groups", "versions", "device", "git_commit", "project", "version"),
    *("reason", "unscored", "memory_kind", "note", "metrics"),
}
"""Text for readers, which the renderers escape: see ``leaderboard.test_foreign_pages``."""
LABELS = {("Column", "name"), ("Plan", "name"), ("PhaseCost", "mode")}
"""Names that are only shown."""
NO_NUMBER = ('"0.99"', "true", "NaN", "Infinity", "-Infinity", "1e999", "1" * 400, "[1]", "{}")
NO_COUNT = ("-1", "1.5", str(10**40))
NO_NAME = (
    "../x",
    "/etc/passwd",
    "a//b",
    "a\\b",
    "a\0",
    "a\nb",
    "a\n",
    "\x1b[31m",
    "\u202e",
    "<b>",
    "$x$",
)


class Memory:
    """A store of one file."""

    def __init__(self, text):
        self.text = text

    def read(self, name):
        return self.text.encode()

    def where(self, name):
        return f"run/{name}"


def refusal(text, kind):
    """Why ``text`` is not read; "" where it is."""
    try:
        read_from(Memory(text), "file.json", kind)
    except RecordError as error:
        found = str(error)
        assert found.startswith("run/file.json is ")
        assert found.isprintable()
        assert len(found) < 700
        assert "run the study again" in found
        return found
    return ""


@pytest.fixture
def models(make_study):
    study = whole_study(make_study)
    records = {record.kind: record for record in study.records.values()}
    meters = records["pretrain"].points[0].meters
    apart = {"log": LogApart(points=1, digest=HEX), "status": "diverged", "reached": meters}
    return [
        study.plan,
        *records.values(),
        records["pretrain"].model_copy(update=apart),
        step_cost(),
        step_comparison(study),
        reference_lines(study),
    ]


def test_the_study_fills_every_field_and_is_read(models):
    assert unfilled(models) == set()
    for model in models:
        assert not refusal(json.dumps(stored(model)), adapter(model))


@pytest.mark.parametrize("field", FIELDS, ids=".".join)
def test_a_field_takes_nothing_else(models, field):
    tried = 0
    for model in models:
        first = {}
        for place, where, value in leaves(model):
            if where == field:
                first.setdefault(type(value), (place, value))
        for kind, (place, value) in first.items():
            bad = [json.dumps("a" * 10**6), '"\\ud800"']
            if kind in (int, float):
                bad = NO_NUMBER + NO_COUNT * (kind is int)
                if field[1] in FREE:
                    bad = ("NaN", "Infinity", "1e999", "1" * 400)
            elif field[1] not in FREE | SHOWN and field not in LABELS:
                bad += map(json.dumps, NO_NAME)
            for text in bad:
                whole = json.dumps(put(stored(model), place, "@")).replace('"@"', text)
                assert refusal(whole, adapter(model)), (place, value, text)
                tried += 1
        if first:
            whole = stored(model) | {"schema_version": 99}
            assert refusal(json.dumps(whole), adapter(model))
    assert tried
