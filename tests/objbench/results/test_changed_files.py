"""A digit that was changed in a stored file is an error, not another result."""

import json
import re

import pytest

from objbench.errors import RecordError
from objbench.results.json_files import dump
from objbench.results.published_study import write_published
from objbench.results.run_folder import RunFolder
from objbench.results.step_cost import StepCost
from objbench.results.study_results import read_study_results

KEY = "a" * 64


def write_all(folder, study):
    study.write(folder)
    run = RunFolder(folder)
    run.write_cost("mlm", KEY, StepCost(tokens=2048.0, flops=1.5e9, seconds=0.25))
    write_published(folder / "published", study.plan, study.records.values())
    return folder


def read_all(folder):
    run = RunFolder(folder)
    return [
        run.read_plan(),
        run.read_records(),
        run.read_cost("mlm", KEY),
        read_study_results(folder / "published").records,
    ]


def digits(text):
    """The places of the first digit of every number that is a value."""
    return [found.start() for found in re.finditer(r'(?<![\w."])\d[\d.e+-]*(?=[,\s}\]])', text)]


def test_no_number_changes_in_silence(make_study, tmp_path):
    write_all(tmp_path, make_study(seeds=(1,), points=1))
    files = [path for path in tmp_path.rglob("*") if path.suffix in (".json", ".jsonl")]
    assert len({path.relative_to(tmp_path).parts[0] for path in files}) == 4
    for path in files:
        text = path.read_text()
        places = digits(text)
        for place in [*places[:: max(1, len(places) // 3)], *places[-1:]]:
            other = "1" if text[place] != "1" else "2"
            path.write_text(text[:place] + other + text[place + 1 :])
            with pytest.raises(RecordError) as caught:
                read_all(tmp_path)
            assert path.name in str(caught.value)
            assert "\n" not in str(caught.value)
        path.write_text(text)
    read_all(tmp_path)


def test_a_file_in_another_layout_is_the_same_file(make_study, tmp_path):
    write_all(tmp_path, make_study(points=1))
    before = read_all(tmp_path)
    for path in tmp_path.rglob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text())))
    assert read_all(tmp_path) == before


def test_files_from_before_there_were_digests_are_read(make_study, tmp_path):
    study = make_study(points=1)
    write_all(tmp_path, study)
    before = read_all(tmp_path)
    for path in tmp_path.rglob("*.json"):
        fields = json.loads(path.read_text())
        del fields["sha256"]
        path.write_text(json.dumps(fields))
    assert read_all(tmp_path) == before
    (tmp_path / "plan.json").write_text(dump(study.plan))
    assert RunFolder(tmp_path).read_plan() == study.plan
