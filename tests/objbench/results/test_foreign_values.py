"""Plans and records that someone else sent: nothing in them leads out, and no number is a guess."""

import json

import pytest

from objbench.errors import RecordError
from objbench.results.json_files import dump, parsed
from objbench.results.run_folder import RunFolder
from objbench.results.study_results import join

HOSTILE = (
    "../x",
    "/etc/passwd",
    "<script>",
    "a\x1b[31m",
    "a\r",
    "$x$",
    "a\u202eb",
    "a\0",
    "a" * 999,
)


@pytest.fixture
def run(make_study, tmp_path):
    study = make_study(points=1)
    run = RunFolder(tmp_path / "run")
    run.write_plan(study.plan)
    for record in study.records.values():
        run.write_record(record)
    return run, study


def path_of(run, study, cell_id):
    (cell,) = (cell for cell in study.plan.cells if cell.id == cell_id)
    return run.path / run.where(cell).removeprefix(f"{run.path}/")


def refused(run, study, change):
    path = path_of(run, study, "mlm.seed-1")
    fields = json.loads(path.read_text())
    del fields["sha256"]
    change(fields)
    path.write_text(json.dumps(fields))
    with pytest.raises(RecordError, match="delete it") as caught:
        run.read_records()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("field", ["id", "key", "objective"])
def test_no_name_is_more_than_a_name(run, field, value):
    refused(*run, lambda fields: fields.update({field: value}))


@pytest.mark.parametrize("value", ["/tmp", "../e", "e/../../f", "e//f", "e\\f", "e\0"])
def test_no_encoder_is_outside(run, value):
    refused(*run, lambda fields: fields["points"][0].update(encoder=value))


@pytest.mark.parametrize("value", ["3", True, -1, 10**40, 1.5, float("nan")])
def test_a_count_is_a_bounded_number(run, value):
    refused(*run, lambda fields: fields.update(steps=value))


def test_another_schema_is_refused(run):
    refused(*run, lambda fields: fields.update(schema_version=99))


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', "NaN", "[" * 100_000, "1" * 5000, "\xff"])
def test_text_that_is_not_plain_json(text):
    with pytest.raises(ValueError, match=r"."):
        parsed(text.encode("latin-1"))


def test_a_record_under_another_cells_name_is_refused(run):
    run, study = run
    path = path_of(run, study, "mlm.seed-1")
    path.write_text(dump(study.records["mlm.seed-2"]))
    for read in (run.read_records, lambda: run.finished_cells(study.plan.cells)):
        with pytest.raises(RecordError, match=r"the record of another cell, pretrain mlm\.seed-2"):
            read()


def test_two_records_of_one_cell_are_refused(make_study):
    study = make_study(points=1)
    records = list(study.records.values())
    with pytest.raises(RecordError, match="two records of"):
        join(study.plan, [*records, records[0]])


def test_a_link_out_of_the_folder_is_not_followed(run, tmp_path):
    run, study = run
    path = path_of(run, study, "mlm.seed-1")
    outside = tmp_path / "outside.json"
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(
        RecordError, match="a link leads out of its folder: put the file itself there"
    ):
        run.read_records()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plan: plan["objectives"][0].update(flops_per_step=0), "greater than 0"),
        (lambda plan: plan["cells"][0].update(objective="other"), "no objective of it"),
        (lambda plan: plan["cells"][-1].update(needs=["other"]), "no cell of it"),
        (lambda plan: plan.update(baseline="other"), "no objective of it"),
        (lambda plan: plan["cells"].append(plan["cells"][0]), "two cells are called"),
    ],
)
def test_a_plan_fits_together(run, change, message):
    run, _ = run
    path = run.path / "plan.json"
    plan = json.loads(path.read_text())
    del plan["sha256"]
    change(plan)
    path.write_text(json.dumps(plan))
    with pytest.raises(RecordError, match=message):
        run.read_plan()


@pytest.mark.parametrize("value", ["0.99", True, 10**400])
def test_a_curves_value_is_a_number(run, value):
    run, study = run
    cell = next(cell for cell in study.plan.cells if cell.kind == "curve")
    path = path_of(run, study, cell.id)
    fields = json.loads(path.read_text())
    del fields["sha256"]
    next(iter(fields["values"].values()))["value"] = value
    path.write_text(json.dumps(fields))
    with pytest.raises(RecordError, match=r"values\.speedup_.*delete it"):
        run.read_records()
