"""The GLUE suite: data in every state, averages over what is there, and real evaluations."""

import dataclasses
import json

import numpy as np
import pyarrow.parquet
import pytest

from objbench.contract.options import configure
from objbench.contract.suite import EvaluationContext
from objbench.data.table_files import read_columns
from objbench.errors import ConfigError, DataError, HubError, UnknownNameError
from objbench_suites import glue_work, probe_work
from objbench_suites.glue import GlueSuite
from objbench_suites.glue_tasks import GLUE_TASKS, unofficial, usual_tokens
from objbench_suites.probe import ProbeSuite
from objbench_suites.sentence_table import examples_of, schema_of

EIGHT = ["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte"]


def _suite(folder=None, **options):
    if folder is not None:
        options["dir"] = str(folder)
    return GlueSuite(configure(GlueSuite, options))


# -- what is there


def test_everything_is_there(write_glue):
    suite = _suite(write_glue())
    assert suite.tasks() == (*EIGHT, "wnli") and suite.missing() == {}
    names = [column.name for column in suite.columns()]
    assert names == [*EIGHT[:5], "mnli_m", "mnli_mm", "qnli", "rte", "wnli"]
    average = suite.average()
    assert average.label == "mean of eight tasks"
    # WNLI is printed and not averaged; MNLI's two columns count once.
    scores = dict.fromkeys(names, 50.0) | {"wnli": 0.0, "mnli_m": 40.0, "mnli_mm": 76.0}
    assert average.score(scores) == pytest.approx((7 * 50 + 58) / 8)


def test_missing_tasks_are_named_and_left_out(write_glue):
    folder = write_glue("cola", "stsb", "wnli")
    suite = _suite(folder)
    assert suite.tasks() == ("cola", "stsb", "wnli")
    assert suite.missing()["mnli"] == f"{folder} has no folder mnli"
    average = suite.average()
    assert average.label == "mean of 2 of 8 tasks (without sst2, mrpc, qqp, mnli, qnli, rte)"
    assert average.score({"cola": 10.0, "stsb": 30.0, "wnli": 99.0}) == 20.0
    nine = _suite(folder, protocol="taco-2022").average()
    assert nine.label.startswith("mean of 2 of 9 columns (without mnli_m, mnli_mm, qqp,")


def test_an_average_of_nothing_is_no_number(write_glue):
    assert _suite(write_glue("wnli")).average().score({"wnli": 50.0}) is None


def test_chosen_tasks(write_glue):
    folder = write_glue()
    suite = _suite(folder, tasks="rte,cola")
    assert suite.tasks() == ("cola", "rte")
    assert suite.missing()["mrpc"] == "not among the chosen tasks"
    with pytest.raises(UnknownNameError, match="did you mean 'mrpc'"):
        _suite(folder, tasks="mrcp")


def test_a_chosen_task_must_be_there(write_glue):
    with pytest.raises(DataError, match=r"task rte was asked for but .* has no folder rte"):
        _suite(write_glue("cola"), tasks="cola,rte").tasks()


def test_nothing_is_there(tmp_path):
    with pytest.raises(DataError, match="glue has no task to run"):
        _suite(tmp_path).tasks()
    with pytest.raises(DataError, match="does not exist"):
        _suite(tmp_path / "absent").tasks()


def test_the_hubs_own_file_names_and_jsonl(write_glue):
    folder = write_glue("cola", "rte")
    train = folder / "cola" / "train.parquet"
    whole = _suite(folder).fingerprint("cola")
    rows = pyarrow.parquet.read_table(train)
    for part, (start, count) in enumerate([(0, 20), (20, 28)]):
        name = folder / "cola" / f"train-0000{part}-of-00002.parquet"
        pyarrow.parquet.write_table(rows.slice(start, count), name)
    train.unlink()
    assert _suite(folder).fingerprint("cola") == whole
    file = folder / "rte" / "validation.parquet"
    expected = _suite(folder).fingerprint("rte")
    lines = map(json.dumps, pyarrow.parquet.read_table(file).to_pylist())
    file.with_suffix(".jsonl").write_text("\n".join(lines))
    file.unlink()
    assert _suite(folder).fingerprint("rte") == expected


@pytest.mark.parametrize(
    ("remove", "add", "message"),
    [
        ("validation-00001-of-00003", None, r"part 1 of the 3 parts of validation is missing"),
        ("validation-00002-of-00003", None, r"part 2 of the 3 parts of validation is missing"),
        (None, "validation-00000-of-00002.parquet", "parts of two versions of one data set"),
        (None, "validation-00001-of-00003.jsonl", "parts of two versions of one data set"),
        (
            None,
            "validation.parquet",
            r"more than one version of validation \(validation\.parquet, ",
        ),
        (None, "validation.jsonl.gz", r"more than one version of validation \(validation\.jsonl"),
        (None, "validation_2.parquet", None),
        (None, "validation-notes.txt", None),
    ],
)
def test_a_split_is_whole_and_there_once(remove, add, message, write_glue):
    folder = write_glue("rte")
    whole = folder / "rte" / "validation.parquet"
    expected = _suite(folder).fingerprint("rte")
    rows = pyarrow.parquet.read_table(whole)
    whole.unlink()
    for part, (start, count) in enumerate([(0, 10), (10, 0), (10, 14)]):
        name = folder / "rte" / f"validation-0000{part}-of-00003.parquet"
        pyarrow.parquet.write_table(rows.slice(start, count), name)
    assert _suite(folder).fingerprint("rte") == expected
    if remove:
        (folder / "rte" / f"{remove}.parquet").unlink()
    if add:
        (folder / "rte" / add).write_bytes(b"")
    if message is None:
        assert _suite(folder).fingerprint("rte") == expected
        return
    with pytest.raises(DataError, match=message) as found:
        _suite(folder).tasks()
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("ending", [".jsonl", ".ndjson", ".json", ".csv", ".jsonl.gz"])
def test_every_format_gives_the_same_examples(ending, write_glue):
    folder = write_glue("stsb", "rte")
    before = [_suite(folder).fingerprint(task) for task in ("stsb", "rte")]
    for file in folder.glob("*/*.parquet"):
        rows = pyarrow.parquet.read_table(file).to_pandas()
        path = file.with_name(file.stem + ending)
        if ending == ".csv":
            rows.to_csv(path, index=False, encoding="utf-8-sig")
        else:
            rows.to_json(path, orient="records", lines=ending != ".json")
        file.unlink()
    assert [_suite(folder).fingerprint(task) for task in ("stsb", "rte")] == before


def test_odd_text_long_rows_and_labels_of_both_kinds_are_read(write_glue):
    folder = write_glue("stsb")
    file = folder / "stsb" / "validation.parquet"
    file.unlink()
    odd = "a\u2028b\u0085c\x1ed"
    texts = [odd, "x" * 3_000_000]
    for part, labels in enumerate([[1, 5], [2.5, 0.0]]):
        lines = [
            json.dumps({"sentence1": text, "sentence2": odd, "label": label}, ensure_ascii=False)
            for text, label in zip(texts, labels, strict=True)
        ]
        name = f"validation-0000{part}-of-00002.jsonl"
        (folder / "stsb" / name).write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    found = _suite(folder).read(GLUE_TASKS["stsb"], "validation")
    assert list(found.first) == texts * 2 and list(found.second) == [odd] * 4
    assert found.labels.tolist() == [1.0, 5.0, 2.5, 0.0] and found.labels.dtype == np.float32


def test_whole_labels_may_be_written_as_fractions(write_glue, rewrite):
    folder = write_glue("cola")
    before = _suite(folder).fingerprint("cola")
    path = folder / "cola" / "train.parquet"
    labels = pyarrow.parquet.read_table(path)["label"].to_pylist()
    rewrite(path, label=[float(label) for label in labels])
    assert _suite(folder).fingerprint("cola") == before


# -- malformed files


def test_a_missing_split(write_glue):
    folder = write_glue("cola", "mnli")
    (folder / "mnli" / "validation_mismatched.parquet").unlink()
    with pytest.raises(DataError, match=r"mnli/validation_mismatched\.parquet is missing"):
        _suite(folder).tasks()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"sentence": None}, r"has no column 'sentence' \(its columns: label, idx\)"),
        ({"label": None}, "has no column 'label'"),
        ({"label": [2] * 48}, "label 2 in row 1; cola needs the whole numbers from 0 to 1"),
        ({"label": [0, -1] + [0] * 46}, r"label -1 in row 2 \(-1 marks a test set"),
        ({"label": ["no"] * 48}, "'label' holds string, not numbers"),
        ({"label": [0.5] * 48}, "label 0.5 in row 1; cola needs the whole numbers from 0 to 1"),
        ({"label": [0] * 47 + [None]}, "1 rows without a label"),
        ({"sentence": [1] * 48}, "'sentence' holds int64, not text"),
        ({"sentence": ["a"] * 47 + [None]}, "1 rows without a text"),
    ],
)
def test_malformed_columns(columns, message, write_glue, rewrite):
    folder = write_glue("cola")
    rewrite(folder / "cola" / "train.parquet", **columns)
    with pytest.raises(DataError, match=message) as found:
        _suite(folder).fingerprint("cola")
    assert str(folder / "cola" / "train.parquet") in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("value", [5.5, -0.1, float("nan")])
def test_a_similarity_out_of_range(value, write_glue, rewrite):
    folder = write_glue("stsb")
    rewrite(folder / "stsb" / "validation.parquet", label=[0.0] * 23 + [value])
    with pytest.raises(DataError, match="in row 24; stsb needs numbers from 0 to 5"):
        _suite(folder).fingerprint("stsb")


def test_files_that_cannot_be_read(write_glue):
    folder = write_glue("cola", "rte")
    file = folder / "cola" / "train.parquet"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"train\.parquet: not a readable parquet file"):
        _suite(folder).fingerprint("cola")
    file.unlink()
    file.with_suffix(".jsonl").write_text('{"sentence": "a", ')
    with pytest.raises(DataError, match=r"train\.jsonl:1: not JSON"):
        _suite(folder).fingerprint("cola")
    empty = pyarrow.parquet.read_table(folder / "rte" / "train.parquet").slice(0, 0)
    pyarrow.parquet.write_table(empty, folder / "rte" / "train.parquet")
    with pytest.raises(DataError, match="is empty"):
        _suite(folder).fingerprint("rte")


def test_the_hub_out_of_reach(monkeypatch):
    def fail(*arguments, **options):
        raise ConnectionError("Couldn't reach\nthe hub")

    monkeypatch.setattr("datasets.load_dataset", fail)
    suite = _suite()
    assert len(suite.tasks()) == 9
    with pytest.raises(HubError, match="nyu-mll/glue rte train cannot be loaded") as found:
        suite.fingerprint("rte")
    assert "--glue-dir" in str(found.value) and "\n" not in str(found.value)


def test_the_hub_gives_what_a_folder_gives(write_glue, monkeypatch):
    import datasets

    folder = write_glue("mnli")

    def load(name, task, split):
        assert name == "nyu-mll/glue"
        rows = pyarrow.parquet.read_table(folder / task / f"{split}.parquet")
        return datasets.Dataset(rows)

    monkeypatch.setattr("datasets.load_dataset", load)
    assert _suite().fingerprint("mnli") == _suite(folder).fingerprint("mnli")


def test_labels_are_those_of_the_file(write_glue):
    path = write_glue("stsb") / "stsb" / "train.parquet"
    task = GLUE_TASKS["stsb"]
    made = examples_of(read_columns(path, schema_of(task)), task, "x")
    assert made.labels.dtype == np.float32 and set(made.labels) == {0.0, 4.5}


# -- options and identity


def test_options(write_glue):
    folder = write_glue("cola", "mrpc")
    suite = _suite(folder, learning_rate="5e-4", epochs="2", seeds="3")
    assert suite.seeds() == (0, 1, 2)
    assert suite.protocol == (
        "default (changed: learning_rate 0.0005, epochs 2): AdamW, lr 0.0005 linear, "
        "warm-up 10%, batch 32, 2 epochs, each a plain shuffle, length 128, weight decay 0.01; "
        "3 fine-tuning seeds; mrpc accuracy+f1; mean of 2 of 8 tasks (without sst2, stsb, qqp, mnli, qnli, rte)"
    )
    with pytest.raises(ConfigError, match="epochs = 0"):
        _suite(folder, epochs=0)
    with pytest.raises(ConfigError, match=r"glue\.seeds = -1"):
        _suite(folder, seeds=-1)


def test_a_protocol_must_fit_the_table(tmp_path, write_glue):
    from importlib import resources

    text = resources.files("objbench_suites").joinpath("protocols/default.toml").read_text()
    file = tmp_path / "mine.toml"
    file.write_text(text.replace('wnli = ["accuracy"]', ""))
    with pytest.raises(ConfigError, match="protocol mine has no column wnli"):
        _suite(write_glue(), protocol=str(file))
    file.write_text(text.replace('rte = ["accuracy"]', 'rte = ["f1"]'))
    with pytest.raises(UnknownNameError, match="unknown metric of rte 'f1'"):
        _suite(protocol=str(file))


def test_the_fingerprint_is_of_data_and_recipe(write_glue, rewrite):
    folder = write_glue("cola", "rte")
    before = _suite(folder).fingerprint("cola")
    assert _suite(folder, seeds=4).fingerprint("cola") == before
    assert _suite(folder, epochs=9).fingerprint("cola") != before
    assert _suite(folder).fingerprint("rte") != before
    rewrite(folder / "cola" / "validation.parquet", label=[1] * 24)
    assert _suite(folder).fingerprint("cola") != before


# -- evaluations


def test_evaluations(write_glue, tiny_encoder, tmp_path):
    suite = _suite(write_glue(), epochs=1, batch=16)
    context = EvaluationContext(cache=tmp_path / "cache")
    columns = {column.name: column for column in suite.columns()}
    for task in suite.tasks():
        result = suite.evaluate(tiny_encoder, task, 0, context)
        assert set(result.scores) == {c for c in columns if columns[c].task == task}
        for column, scores in result.scores.items():
            assert set(columns[column].metrics) <= set(scores)
            assert all(np.isfinite(value) for value in scores.values())
            assert result.eval_examples[column] == 24
            values = result.examples[column].values
            assert {name: own.mean() for name, own in values.items()} == pytest.approx(
                scores, abs=1e-6
            )
            # Which is not the official size: the page says so.
            assert result.official_examples[column] > 24
        assert result.train_examples == 48
        assert json.dumps(result.details) and result.details["steps"] == 3


def test_the_same_seed_gives_the_same_scores(write_glue, tiny_encoder, tmp_path):
    folder = write_glue("stsb")
    context = EvaluationContext(cache=tmp_path / "cache", max_train_samples=20)
    runs = [_suite(folder).evaluate(tiny_encoder, "stsb", 7, context) for _ in range(2)]
    assert runs[0] == runs[1] and runs[0].train_examples == 20
    other = _suite(folder).evaluate(tiny_encoder, "stsb", 8, context)
    assert other.scores != runs[0].scores


def test_a_learnable_task_is_learnt(write_glue, tiny_encoder, tmp_path):
    suite = _suite(write_glue("sst2"), epochs=20, batch=8, learning_rate=3e-3)
    context = EvaluationContext(cache=tmp_path / "cache")
    assert suite.evaluate(tiny_encoder, "sst2", 0, context).scores["sst2"]["accuracy"] == 1.0


def test_every_split_has_its_official_number_of_rows():
    for task in GLUE_TASKS.values():
        parts = {"train": 0, **dict.fromkeys(task.evaluation, 0)}
        assert unofficial(task, parts).keys() == parts.keys()
    mrpc, mnli = GLUE_TASKS["mrpc"], GLUE_TASKS["mnli"]
    assert unofficial(mrpc, {"train": 3668, "mrpc": 300}) == {"mrpc": 408}
    assert unofficial(mnli, {"mnli_m": 9815, "mnli_mm": 24}) == {"mnli_mm": 9832}
    # A task of a user's own has no official size, whatever it is called.
    assert unofficial(dataclasses.replace(mrpc), {"train": 1, "mrpc": 1}) == {}


def test_the_work_of_a_task_is_the_protocols_over_the_official_examples():
    suite = GlueSuite(GlueSuite.Config(protocol="taco-2022"))  # the data is not asked for
    assert len(suite.planned_tasks()) == 9
    work = suite.work("mnli", None)
    assert (work.steps, work.trained) == (4 * -(-392_702 // 32), 4 * 392_702)
    assert work.read == 9815 + 9832
    assert "official" in work.assumed
    few = suite.work("mnli", 1000)
    assert (few.steps, few.trained, few.read) == (4 * 32, 4000, work.read)


def test_a_plan_counts_what_a_folder_has_and_takes_the_hubs_numbers_as_published(write_glue):
    suite, task = _suite(write_glue("mnli")), GLUE_TASKS["mnli"]
    found = glue_work.work(suite, "mnli", None, 64, None)
    train = len(suite._place.read(task, "train"))
    scored = [
        suite._place.read(task, split) for split in ("validation_matched", "validation_mismatched")
    ]
    assert found.trained % train == 0 and 0 < found.trained < 392_702
    assert found.read == sum(map(len, scored)) < 9_815 + 9_832
    assert (found.length, found.assumed) == (
        usual_tokens(task),
        "the usual lengths of GLUE's examples",
    )
    hub = GlueSuite(configure(GlueSuite, {}))
    assert glue_work.work(hub, "mnli", 1000, 64, None) == hub.work("mnli", 1000)
    probe = ProbeSuite(configure(ProbeSuite, {"dir": suite.config.dir}))
    # Sentences of a pair are read one by one.
    assert probe_work.work(probe, "mnli", None, 64, None).read == 2 * (train + found.read)
    toy = ProbeSuite(configure(ProbeSuite, {"of": "toy"}))
    assert probe_work.work(toy, "polarity", None, 64, None) == toy.work("polarity", None)
