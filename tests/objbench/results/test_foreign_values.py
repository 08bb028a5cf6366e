"""Plans and records that someone else sent: nothing in them leads out, and no number is a guess."""

import json

import pytest
from foreign_study import stored

from objbench.errors import RecordError
from objbench.results.json_files import dump, parsed
from objbench.results.records import RECORD
from objbench.results.run_folder import RunFolder
from objbench.results.study_results import join
from objbench.results.training_points import LoggedPoint

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
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "ok"}, "what it reached is said of runs that diverged alone"),
        ({"status": "diverged", "steps": 3}, "it reached step 1200 of 3"),
    ],
)
def test_no_run_reached_what_it_did_not(run, changes, message):
    """A trial of a grid would cost what it says there."""

    def change(fields):
        fields.update(changes, reached=fields["points"][-1]["meters"])

    assert message in refused(*run, change)


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ([{"loss": "low"}], "pretrain.log.points.0.meters: Field required"),
        ("none", "pretrain.log.points: Input should be a valid list"),
        ({"points": 1, "digest": "z"}, "pretrain.log.apart.digest: String should match pattern"),
    ],
)
def test_what_is_wrong_with_a_log_is_told_of_what_it_is(run, log, message):
    assert message in refused(*run, lambda fields: fields.update(log=log))


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
    cells = study.plan.cells
    for read in (run.read_records, lambda: [run.read_record(cell) for cell in cells]):
        with pytest.raises(RecordError, match=r"the record of another cell, pretrain mlm\.seed-2"):
            read()


def test_two_records_of_one_cell_are_refused(make_study):
    study = make_study(points=1)
    records = list(study.records.values())
    with pytest.raises(RecordError, match="two records of"):
        join(study.plan, [*records, records[0]])


@pytest.mark.parametrize(
    ("cell", "changes", "message"),
    [
        ("mlm.seed-1", {"objective": "taco"}, "its objective is taco, planned mlm"),
        ("mlm.seed-1", {"seed": 2}, "its seed is 2, planned 1"),
        ("mlm.seed-1", {"steps": 7}, "it took 7 steps, planned 1200"),
        ("glue.cola.mlm.seed-1.1of1.ft-0", {"task": "mrpc"}, "its task is mrpc, planned cola"),
        ("glue.cola.mlm.seed-1.1of1.ft-0", {"finetune_seed": 1}, "its finetune seed is 1"),
        ("glue.cola.mlm.seed-1.1of1.ft-0", {"share": 0.5}, "its share is 0.5, planned 1"),
        ("glue.cola.mlm.seed-1.1of1.ft-0", {"meters.steps": 7}, "took 7 steps, planned 1200"),
        ("glue.cola.mlm.seed-1.1of1.ft-0", {"meters.flops": 7.0}, "1200 steps took 7 FLOPs"),
        ("mlm.trial-0", {"settings": {"a": 1}}, "its settings is"),
        ("convergence.mlm.seed-1", {"suite": "glue"}, "its suite is glue, planned convergence"),
    ],
)
def test_a_record_is_what_its_cell_was_planned_to_be(make_study, cell, changes, message):
    study = make_study(points=1, trials=1)
    for name, value in changes.items():
        if name.startswith("meters."):
            own = study.records[cell].meters
            changes = {"meters": own.model_copy(update={name.removeprefix("meters."): value})}
    study.change(cell, **changes)
    with pytest.raises(RecordError, match=f"{cell} does not fit the plan: .*{message}.*delete it"):
        join(study.plan, study.records.values())


@pytest.mark.parametrize("what", ["log", "points"])
def test_what_was_spent_only_grows(make_study, what):
    point = make_study().records["mlm.seed-1"].points[-1]
    logged = LoggedPoint(meters=point.meters, loss=1.0, terms={}, learning_rate=0.1)
    fields = stored(make_study().records["mlm.seed-1"])
    fields[what] = [stored(point if what == "points" else logged)] * 2
    with pytest.raises(ValueError, match=f"the steps of its {what} are not in order"):
        RECORD.validate_python(fields)


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


def pretraining(plan, objective):
    return [c for c in plan["cells"] if c["kind"] == "pretrain" and c["objective"] == objective]


def all_to_mlm(plan):
    """Every pretraining of taco is one of mlm with a seed of its own."""
    for seed, cell in enumerate(pretraining(plan, "taco"), start=3):
        cell.update(objective="mlm", seed=seed)


def evaluations(plan):
    return [cell for cell in plan["cells"] if cell["kind"] == "evaluation"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plan: plan["objectives"][0].update(flops_per_step=0), "greater than 0"),
        (lambda plan: plan["cells"][0].update(objective="other"), "is not one of its objectives"),
        (lambda plan: plan["cells"][-1].update(needs=["other"]), "no cell of it"),
        (lambda plan: plan.update(baseline="other"), "is not one of its objectives"),
        (lambda plan: plan["cells"].append(plan["cells"][0]), "two cells are called"),
        (lambda plan: plan["objectives"].append(plan["objectives"][0]), "two objectives are"),
        (lambda plan: plan["suites"].append(plan["suites"][0]), "two suites are called"),
        (lambda plan: plan["objectives"][0].update(teachers=["other"]), "learns from other"),
        (lambda plan: plan["suites"][0]["columns"].pop(), "not all columns of it"),
        (lambda plan: plan["suites"][1].update(follows="other"), "no evaluating suite of it"),
        (lambda plan: plan["suites"][1].update(seeds_per_point=0), "no fine-tuning seed per"),
        (lambda plan: plan["suites"][0].update(seeds=[0, 0]), "the fine-tuning seed 0 of glue"),
        (lambda plan: plan["cells"][-1].update(suite="glue"), "is of glue, which is not such"),
        (lambda plan: pretraining(plan, "taco")[0].update(seed=7), "with different seeds"),
        (lambda plan: pretraining(plan, "taco")[0].update(seed=2), "twice with seed 2"),
        (lambda plan: all_to_mlm(plan), "only mlm of its objectives are pretrained"),
        (lambda plan: plan.update(declared=[[1], [1]]), "the seed 1 is declared twice"),
        (lambda plan: plan.update(declared=[[1]]), "the seed 2 is not among those declared"),
        (lambda plan: evaluations(plan)[0].update(step=5), "step 1200 of mlm is 1 of its budget"),
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


@pytest.mark.parametrize(
    ("study", "place"),
    [
        ({"training": {"micro_batches": "all"}}, "training.micro_batches"),
        ({"training": {"micro_batches": 10**40}}, "training.micro_batches"),
        ({"training": {"warmup": "x"}}, "training.warmup"),
        ({"training": ["x"]}, "training"),
        ({"tuning": {"grid": 3}}, "tuning.grid"),
        ({"tuning": {"objectives": {"mlm": None}}}, "tuning.objectives.mlm"),
        ({"data": 3}, "data"),
        ({"preset": {}}, "preset"),
        ({"seeds": 3}, "seeds"),
    ],
)
def test_what_is_read_of_a_plans_study_can_be_read(run, study, place):
    run, _ = run
    path = run.path / "plan.json"
    plan = json.loads(path.read_text())
    plan.pop("sha256", None)
    path.write_text(json.dumps({**plan, "study": study}))
    with pytest.raises(RecordError, match=f"study: Value error, {place}: .*run the study again"):
        run.read_plan()


def test_only_the_log_goes_along_one_clock(make_study):
    """A point of a trunk has the seconds of its own branch; a nearer one may have taken longer."""
    record = make_study(points=2).records["mlm.seed-1"]
    late, early = record.points[-1].meters, record.points[0].meters
    slow = early.model_copy(update={"seconds": late.seconds + 1.0})
    points = [record.points[0].model_copy(update={"meters": slow}), record.points[-1]]
    fields = stored(record) | {"points": [stored(point) for point in points]}
    assert [p.meters.seconds for p in RECORD.validate_python(fields).points] == [
        slow.seconds,
        late.seconds,
    ]
    log = [LoggedPoint(meters=m, loss=1.0, terms={}, learning_rate=0.1) for m in (slow, late)]
    with pytest.raises(ValueError, match="the seconds of its log are not in order"):
        RECORD.validate_python(fields | {"log": [stored(point) for point in log]})
