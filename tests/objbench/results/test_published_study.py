"""Published studies: the same records in another form, and damage that is named by file and line."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.contract.suite import CurveValue
from objbench.errors import RecordError
from objbench.results import atomic_files
from objbench.results.canonical_lines import by_rows, canonical_line, digest
from objbench.results.foreign_values import RANGES
from objbench.results.json_files import dump, sealed
from objbench.results.published_study import is_published, read_published, write_published
from objbench.results.records import (
    RECORD,
    Cost,
    CurveRecord,
    EvaluationRecord,
    Plugin,
    PretrainRecord,
    Provenance,
    TrialEvaluationRecord,
    TrialRecord,
)
from objbench.results.run_folder import RunFolder, read_plan, read_records
from objbench.results.study_results import read_study_results
from objbench.results.training_points import ExportedPoint, LoggedPoint, Meters

ROOT = Path(__file__).parents[3]
STUDIES = sorted(path.parent for path in (ROOT / "leaderboard").glob("*/plan.json"))

number = st.floats(-1e40, 1e40)
count = st.integers(0, 10**12)
spend = st.floats(0, 1e40)
label = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=6)
key = st.text("abc", min_size=1, max_size=3)
time = st.sampled_from(["", "2026-11-28T22:34:06+00:00", "2026-11-28T22:34:07+00:00"])
share = st.floats(0, 1)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
name = st.from_regex(r"[ab][ab.1é-]{0,3}", fullmatch=True)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | number | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)
meters = st.builds(lambda n: Meters(steps=n, tokens=n, flops=n / 3, seconds=n / 7), count)


def in_order(points):
    """Up to two points of a run, which spends more and more."""
    return st.lists(points, max_size=2, unique_by=lambda point: point.meters.steps).map(
        lambda found: sorted(found, key=lambda point: point.meters.steps)
    )


shared = {
    "id": name,
    "key": key,
    "status": st.sampled_from(["ok", "failed", "diverged"]),
    "reason": text,
    "objective": name,
    "seed": count,
    "provenance": st.builds(
        Provenance,
        command=text,
        versions=st.dictionaries(label, label, max_size=2),
        device=label,
        threads=count,
        git_commit=st.none() | label,
        started=time,
        finished=time,
    ),
    "plugin": st.builds(Plugin, name=name, project=label, version=label, source=key),
}
pretraining = shared | {
    "config": st.dictionaries(text, json_value, max_size=2),
    "steps": count,
    "cost": st.none()
    | st.builds(Cost, flops_per_step=spend, tokens_per_second=spend, memory_kind=label),
    "log": in_order(
        st.builds(
            LoggedPoint,
            meters=meters,
            loss=number,
            terms=st.dictionaries(name, number, max_size=2),
            learning_rate=number,
        )
    ),
    "points": in_order(
        st.builds(
            ExportedPoint,
            encoder=name,
            meters=meters,
            share=share,
            heldout=st.dictionaries(name, number, max_size=2),
            digest=key,
        )
    ),
}
evaluating = shared | {
    "suite": name,
    "suite_version": count,
    "task": name,
    "finetune_seed": count,
    "train_examples": count,
    "seconds": spend,
    "protocol": text,
    "meters": meters,
    "share": share,
    "scores": st.dictionaries(
        label,
        st.dictionaries(label.filter(lambda name: name not in RANGES), number, max_size=2),
        max_size=2,
    ),
    "upstream": key,
    "details": st.dictionaries(text, json_value, max_size=2),
}
record = (
    st.builds(PretrainRecord, **pretraining)
    | st.builds(TrialRecord, **pretraining, settings=st.dictionaries(text, json_value, max_size=2))
    | st.builds(EvaluationRecord, **evaluating)
    | st.builds(TrialEvaluationRecord, **evaluating)
    | st.builds(
        CurveRecord,
        **shared,
        suite=name,
        suite_version=count,
        follows=name,
        baseline=name,
        upstream=st.lists(key, max_size=2),
        values=st.dictionaries(label, st.builds(CurveValue, value=st.none() | number), max_size=2),
    )
)


def identity(one):
    return one.kind, one.id, one.key


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def plan():
    return read_plan(ROOT / "leaderboard" / "toy-same")


def there_and_back(plan, records, folder):
    """Published, as a run, and published again: the records of the last, and the same bytes."""
    write_published(folder / "published", plan, records)
    found = read_published(folder / "published")
    for one in found:
        RunFolder(folder / "run").write_record(one)
    as_run = [*map(RunFolder(folder / "run").with_log, read_records(folder / "run"))]
    write_published(folder / "again", read_plan(folder / "published"), reversed(as_run))
    assert contents(folder / "published") == contents(folder / "again")
    return found


@settings(max_examples=60, deadline=None, derandomize=True)
@given(records=st.lists(record, max_size=6, unique_by=lambda one: one.id), data=st.data())
def test_any_records_survive_in_any_order(plan, records, data):
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as scratch:
        patch.setattr(atomic_files.os, "fsync", lambda number: None)
        found = there_and_back(plan, data.draw(st.permutations(records)), Path(scratch))
    assert len(found) == len(records)
    before = {identity(one): dump(one) for one in records}
    assert {identity(one): dump(one) for one in found} == before


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.name)
def test_committed_studies_are_as_they_would_be_written(study, tmp_path):
    assert is_published(study)
    records = there_and_back(read_plan(study), read_published(study), tmp_path)
    assert records == read_published(study)
    written = contents(tmp_path / "published")
    assert written == {name: (study / name).read_bytes() for name in written}
    kept = {path.name for path in study.glob("*.jsonl")} | {"plan.json", "sources.json"}
    assert kept == set(written)


def test_a_record_of_an_older_version_gets_the_defaults(plan, tmp_path):
    older = (ROOT / "tests" / "data" / "older_record.json").read_text()
    assert "unscored" not in json.loads(older)
    write_published(tmp_path, plan, [RECORD.validate_json(older)])
    (found,) = read_published(tmp_path)
    assert json.loads(dump(found)) == json.loads(older) | {"unscored": {}}


def test_rows_are_numbered_by_first_use_and_repeated_nowhere(make_study, tmp_path):
    study = make_study(points=1)
    early = study.records["taco.seed-2"].provenance.model_copy(
        update={"started": "2020-01-01T00:00:00+00:00", "device": "the first"}
    )
    study.change("taco.seed-2", provenance=early)
    write_published(tmp_path, study.plan, study.records.values())
    sources = json.loads((tmp_path / "sources.json").read_text())
    assert [row["device"] for row in sources["origins"]] == ["the first", "cpu: Test CPU"]
    assert sources["protocols"] == ["made up"]
    assert [row["name"] for row in sources["plugins"]] == ["any"]
    lines = (tmp_path / "pretrain.jsonl").read_text().splitlines()
    assert [json.loads(line)["provenance"]["origin"] for line in lines] == [1, 1, 1, 0]
    assert not (tmp_path / "logs.jsonl").exists()


def test_a_study_without_records_is_published_too(make_study, tmp_path):
    plan = make_study().plan
    write_published(tmp_path, plan, [])
    assert sorted(contents(tmp_path)) == ["plan.json", "sources.json"]
    results = read_study_results(tmp_path)
    assert results.plan == plan
    assert not results.records


def test_one_more_seed_is_more_lines(make_study, tmp_path):
    for folder, seeds in (("two", (1, 2)), ("three", (1, 2, 3))):
        study = make_study(seeds=seeds, points=1)
        write_published(tmp_path / folder, study.plan, study.records.values())
    for name in ("pretrain", "evaluation", "curve"):
        two, three = (
            set((tmp_path / folder / f"{name}.jsonl").read_text().splitlines())
            for folder in ("two", "three")
        )
        assert two < three


@pytest.fixture
def published(make_study, tmp_path):
    study = make_study(points=1)
    point = LoggedPoint(
        meters=Meters(steps=1, tokens=2, flops=3.0, seconds=4.0),
        loss=5.0,
        terms={},
        learning_rate=6.0,
    )
    study.change("mlm.seed-1", log=[point])
    write_published(tmp_path, study.plan, study.records.values())
    assert len(read_published(tmp_path)) == len(study.records)
    return tmp_path


def put(published, name, lines):
    """Replace a file's lines, and its digest as if they had been published."""
    data = "".join(line + "\n" for line in lines).encode()
    (published / f"{name}.jsonl").write_bytes(data)
    sources = json.loads((published / "sources.json").read_text())
    sources["files"][name] = digest(data)
    del sources["sha256"]
    (published / "sources.json").write_text(by_rows(sealed(sources)))


def edited(**changes):
    def edit(lines):
        return [canonical_line(json.loads(lines[0]) | changes), *lines[1:]]

    return edit


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("pretrain", lambda lines: [lines[0], *lines], "pretrain.jsonl:2: a second record of mlm"),
        (
            "pretrain",
            lambda lines: lines[::-1],
            "pretrain.jsonl:2: taco.seed-1 is not in the order",
        ),
        ("pretrain", edited(plugin=7), "pretrain.jsonl:1: plugin 7 is not one of the 1"),
        ("pretrain", edited(plugin=True), "pretrain.jsonl:1: plugin True is not one of"),
        ("evaluation", edited(protocol=-1), "evaluation.jsonl:1: protocol -1 is not one of"),
        ("curve", edited(provenance={"origin": 1}), "curve.jsonl:1: origin 1 is not one of"),
        ("curve", edited(provenance=[]), "curve.jsonl:1: "),
        ("curve", edited(kind="pretrain"), "curve.jsonl:1: a record of kind 'pretrain'"),
        ("curve", edited(seed="one"), "curve.jsonl:1: curve.seed: "),
        ("curve", lambda lines: ["[]", *lines], "curve.jsonl:1: not a record"),
        ("curve", lambda lines: ['{"id":', *lines], "curve.jsonl:1: not a record"),
        ("curve", lambda lines: ['{"id":NaN}', *lines], "curve.jsonl:1: not a record"),
        ("curve", lambda lines: ['{"id":1,"key":"k","kind":"curve"}'], "curve.jsonl:1: not a rec"),
        ("logs", lambda lines: [], "pretrain.jsonl:1: logs.jsonl has 0 of 1 log points"),
        ("logs", edited(log=[]), "pretrain.jsonl:1: logs.jsonl has 0 of 1 log points"),
        ("logs", edited(id="other"), "pretrain.jsonl:1: logs.jsonl has 0 of 1 log points"),
        ("logs", edited(extra=1), "logs.jsonl:1: not a log"),
        ("pretrain", lambda lines: lines[1:], "logs.jsonl has a log of mlm.seed-1"),
        ("another", lambda lines: [], "sources.json names unknown records: another"),
    ],
)
def test_damage_is_one_line_that_names_the_place(published, name, edit, message):
    path = published / f"{name}.jsonl"
    put(published, name, edit(path.read_text().splitlines() if path.exists() else []))
    with pytest.raises(RecordError) as caught:
        read_study_results(published)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "evaluation.jsonl:24: the last line is cut off"),
        (lambda data: data[: len(data) // 2], "the last line is cut off"),
        (lambda data: data.replace(b'"seed":1', b'"seed": 1', 1), ":1: not sorted keys"),
        (lambda data: data.replace(b'"seed":1,', b'"seed":1,"seed":1,', 1), ":1: not a record"),
        (lambda data: data.replace(b"\n", b"\r\n"), ":1: not sorted keys"),
        (lambda data: data.replace(b'"seed":1', b'"seed":NaN', 1), ":1: not a record"),
        (lambda data: data.replace(b'"share":1.0', b'"share":0.5', 1), "jsonl was changed after"),
        (lambda data: data[data.index(b"\n") + 1 :], "jsonl was changed after"),
        (lambda data: b"\xff" + data, ":1: not a record"),
    ],
)
def test_a_changed_file_is_refused(published, change, message):
    path = published / "evaluation.jsonl"
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before
    with pytest.raises(RecordError) as caught:
        read_study_results(published)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(published):
    (published / "curve.jsonl").unlink()
    with pytest.raises(RecordError, match=r"curve\.jsonl cannot be read"):
        read_published(published)


def test_a_file_that_was_not_published_is_refused(published):
    (published / "trial.jsonl").write_text("")
    with pytest.raises(RecordError, match=r"trial\.jsonl was changed"):
        read_published(published)


def test_both_forms_in_one_folder_are_refused(published, make_study):
    RunFolder(published).write_record(make_study().records["mlm.seed-1"])
    with pytest.raises(RecordError, match="of a published study and records/ of a run"):
        read_study_results(published)
