"""Tasks of one's own: what a file may say, what data may be, and scores as GLUE has them."""

import csv
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from objbench.contract.options import configure
from objbench.contract.suite import EvaluationContext
from objbench.engine.evaluation.examples import Examples
from objbench.engine.evaluation.splits import hashed_order
from objbench.errors import ConfigError, DataError, ObjbenchError
from objbench_suites import task_files
from objbench_suites.glue import GlueSuite
from objbench_suites.glue_tasks import GLUE_TASKS
from objbench_suites.tasks import TasksSuite
from objbench_suites.tasks_probe import TasksProbeSuite
from objbench_suites.toy import ToySuite

SETTINGS = {
    "kind": "classification",
    "train": "train.csv",
    "share": 0.25,
    "text": "said",
    "label": "meant",
    "metric": "accuracy",
}
WORDS = ("the", "a", "dog", "cat", "bird", "house", "runs", "sees")
PAIRED = {"kind": "pair", "text": ["one", "other"]}
GRADED = {"kind": "regression", "metric": "pearson"}


def rows(count=40, seed=0, names=("bad", "good")):
    """Sentences that all differ, whose last word is the label."""
    generator = np.random.default_rng(seed)
    made = []
    for number in range(count):
        words = [*generator.choice(WORDS, 3), WORDS[number % 8], WORDS[number // 8 % 8]]
        name = names[number % len(names)]
        made.append({"said": " ".join([*words, name]), "meant": name, "id": number})
    return made


@pytest.fixture
def write(tmp_path):
    """(tables of each file, **settings of the task; None removes one) -> the file of tasks."""

    def put(name, table):
        path, columns = tmp_path / name, list(table[0]) if table else ["said", "meant"]
        if path.suffix == ".parquet":
            pa.parquet.write_table(pa.Table.from_pylist(table), path)
        elif path.suffix == ".jsonl":
            path.write_text("\n".join(json.dumps(row) for row in table))
        else:
            with path.open("w", newline="", encoding="utf-8") as stream:
                comma = "\t" if path.suffix == ".tsv" else ","
                writer = csv.DictWriter(stream, columns, delimiter=comma)
                writer.writeheader()
                writer.writerows(table)

    def make(files=None, **settings):
        for name, table in ({"train.csv": rows()} if files is None else files).items():
            put(name, table)
        given = {name: v for name, v in (SETTINGS | settings).items() if v is not None}
        lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
        path = tmp_path / "tasks.toml"
        path.write_text("\n".join(["[tasks.mood]", *lines]))
        return path

    return make


def suite_of(path, kind=TasksSuite, **options):
    return kind(configure(kind, {"file": str(path), **options}))


def parts(path):
    """(what is trained on, what is scored)."""
    suite = suite_of(path)
    task = suite.table["mood"]
    return suite.read(task, "train"), suite.read(task, "evaluation")


# -- what it is


def test_a_task_is_a_column_and_the_mean_of_all_is_the_score(write):
    suite = suite_of(write())
    assert suite.tasks() == ("mood",) and suite.missing() == {}
    (column,) = suite.columns()
    assert (column.name, column.metrics) == ("mood", ("accuracy",))
    assert suite.average().label == "score of mood"
    assert suite.average().score({"mood": 70.0}) == 70.0
    assert suite.floors() == ("majority", "bag-of-words")
    assert "mood: accuracy, 2 classes, 30 to train on, 10 scored (0.25 of the file held out)" in (
        suite.protocol
    )
    assert suite.protocol.startswith("small-encoder: AdamW, lr 0.0005")
    assert "sides pooling" in suite.protocol


def test_several_tasks_in_the_order_of_the_file(write, tmp_path):
    path = write(metric=["accuracy", "matthews_correlation"])
    second = path.read_text().replace("tasks.mood", "tasks.a-second_1")
    path.write_text(f"{path.read_text()}\n{second}")
    suite = suite_of(path)
    assert suite.tasks() == ("mood", "a-second_1")
    assert suite.average().label == "mean of 2 tasks"
    assert suite.columns()[0].metrics == ("accuracy", "matthews_correlation")
    chosen = suite_of(path, tasks="mood")
    assert chosen.average().label == "mean of 1 of 2 tasks (without a-second_1)"


def test_the_recipe_is_one_of_glues_and_can_be_changed(write):
    path = write()
    suite = suite_of(path, protocol="default", learning_rate="5e-5")
    glue = GlueSuite(configure(GlueSuite, {"learning_rate": "5e-5"}))
    assert suite.settings() == glue.settings()
    assert suite.fingerprint("mood") != suite_of(path).fingerprint("mood")
    assert suite_of(path, seeds=3).fingerprint("mood") == suite_of(path).fingerprint("mood")


def test_what_existed_before_has_the_keys_it_had():
    """Splitting a suite's module and adding metrics changed no fingerprint."""
    toy = ToySuite(configure(ToySuite, {}))
    assert toy.fingerprint("polarity") == "e724ff2b5ac71d06612cbd302bdf4b26"


# -- parts


def test_a_share_is_the_last_by_the_hash_of_the_text(write):
    table = rows()
    train, scored = parts(write())
    numbers = [("bad", "good").index(row["meant"]) for row in table]
    order = hashed_order(Examples([row["said"] for row in table], None, np.array(numbers)))
    assert list(train.first) == [table[row]["said"] for row in order[:30]]
    assert list(scored.first) == [table[row]["said"] for row in order[30:]]
    assert scored.labels.tolist() == [numbers[row] for row in order[30:]]


@pytest.mark.parametrize("ending", ["tsv", "jsonl", "parquet"])
def test_neither_format_nor_order_nor_another_column_changes_a_score(ending, write):
    expected = suite_of(write()).fingerprint("mood")
    shuffled = [{**row, "more": "x"} for row in reversed(rows())]
    path = write({f"train.{ending}": shuffled}, train=f"train.{ending}")
    assert suite_of(path).fingerprint("mood") == expected
    changed = [{**row, "said": f"{row['said']} ."} if row["id"] == 7 else row for row in rows()]
    assert suite_of(write({"train.csv": changed})).fingerprint("mood") != expected


def test_equal_texts_are_in_one_part(write):
    twice = [{**row, "id": f"{row['id']}-{again}"} for row in rows(24) for again in range(5)]
    for share in (0.2, 0.22, 0.33, 0.5):
        train, scored = parts(write({"train.csv": twice}, share=share))
        assert len(train) + len(scored) == 120
        assert not set(train.first) & set(scored.first)
        assert len(scored) >= round(share * 120)


def test_files_of_their_own_and_limits(write, caplog):
    files = {"train.csv": rows(60), "dev.jsonl": rows(30, seed=1)}
    path = write(files, share=None, evaluation="dev.jsonl", most_train=20, most_evaluation=12)
    train, scored = parts(path)
    assert (len(train), len(scored)) == (20, 12)
    whole, others = parts(write(files, share=None, evaluation="dev.jsonl"))
    assert list(whole.first)[:20] == list(train.first)
    assert list(others.first)[:12] == list(scored.first)
    assert caplog.text == ""


def test_scored_examples_that_are_trained_on_are_reported(write, caplog):
    task_files._warn_once.cache_clear()
    files = {"train.csv": rows(40), "dev.csv": [*rows(12, seed=1), *rows(3)]}
    path = write(files, share=None, evaluation="dev.csv")
    suite = suite_of(path)
    assert "15 scored, of which 3 are trained on too" in suite.protocol
    suite_of(path, TasksProbeSuite)
    (warning,) = caplog.records
    assert "task mood trains on the texts of 3 of its 15 scored examples" in warning.getMessage()


def test_classes_are_in_the_order_of_their_numbers_or_names_or_as_declared(write):
    numbered = [{**row, "meant": number % 3 * 5} for number, row in enumerate(rows(45))]
    train, _ = parts(write({"train.csv": numbered}))
    assert {int(text.split()[-1] == "x") for text in train.first} == {0}
    assert set(train.labels) == {0, 1, 2}
    as_text = [{**row, "meant": str(row["meant"])} for row in numbered]
    expected = suite_of(write({"train.csv": numbered})).fingerprint("mood")
    path = write({"train.jsonl": as_text}, train="train.jsonl")
    assert suite_of(path).fingerprint("mood") == expected
    path = write({"train.parquet": numbered}, train="train.parquet")
    assert suite_of(path).fingerprint("mood") == expected
    assert parts(write())[0].labels.tolist() == [
        1 - label for label in parts(write(classes=["good", "bad"]))[0].labels
    ]


def test_grades_of_any_scale_are_learnt_alike(write):
    table = [{**row, "meant": row["id"] ** 2} for row in rows()]
    train, scored = parts(write({"train.csv": table}, **GRADED))
    assert train.labels.dtype == np.float32
    assert train.labels.mean() == pytest.approx(0, abs=1e-6)
    assert train.labels.std() == pytest.approx(1, abs=1e-6)
    raw = dict(zip([row["said"] for row in table], [row["meant"] for row in table], strict=True))
    grades = np.array([raw[text] for text in train.first])
    expected = (np.array([raw[text] for text in scored.first]) - grades.mean()) / grades.std()
    np.testing.assert_allclose(scored.labels, expected, rtol=1e-5)


def test_a_file_that_changes_while_it_is_used_is_refused(write):
    path = write()
    suite = suite_of(path)
    changed = [{**row, "said": f"{row['said']} ."} for row in rows()]
    write({"train.csv": changed})
    os.utime(path.parent / "train.csv", ns=(1, 1))
    with pytest.raises(DataError, match="a file of task mood has changed"):
        suite.read(suite.table["mood"], "train")


# -- faults of the file


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": None}, "task mood: kind is missing"),
        ({"kind": "ranking"}, "task mood: kind = 'ranking': Input should be 'classification'"),
        ({"lable": "x"}, "unknown setting 'lable'; did you mean 'label'?"),
        ({"share": None}, "give either evaluation, a file, or share"),
        ({"evaluation": "dev.csv"}, "give either evaluation, a file, or share"),
        ({"share": 1.5}, "share = '1.5': Input should be less than or equal to 0.9"),
        ({"share": "much"}, "share = 'much': Input should be a valid number"),
        ({"text": ["a", "b"]}, 'does not have 2 columns of text; write kind = "pair"'),
        ({"kind": "pair"}, "the kind pair does not have 1 columns of text"),
        ({**PAIRED, "text": ["a", "a"]}, "text and label name one column twice"),
        ({"label": "said"}, "text and label name one column twice"),
        ({"metric": "acuracy"}, "unknown metric of classification 'acuracy'; did you mean 'acc"),
        ({"metric": "pearson"}, "unknown metric of classification 'pearson'"),
        ({"kind": "regression"}, "unknown metric of regression 'accuracy'"),
        ({"metric": []}, "metric = '[]'"),
        ({"metric": ["accuracy", "accuracy"]}, "metric names one twice"),
        ({**PAIRED, "metric": ["accuracy", "pearson"]}, "metric mixes accuracy and pearson"),
        ({**GRADED, "classes": ["a", "b"]}, "it has classes, and its metric scores grades"),
        ({"classes": ["a"]}, "classes must be two or more, each once"),
        ({"classes": ["a", "a"]}, "classes must be two or more, each once"),
        ({"most_train": 3}, "most_train = '3': Input should be greater than or equal to 10"),
        ({"most_train": True}, "most_train = 'True': Input should be a valid integer"),
        ({"train": ""}, "train = ''"),
        ({"train": "x" * 5000}, "train = 'xxx"),
    ],
)
def test_a_fault_of_the_file_is_one_line(settings, message, write):
    path = write(**settings)
    with pytest.raises(ConfigError) as caught:
        suite_of(path)
    line = str(caught.value)
    assert message in line and str(path) in line
    assert "\n" not in line and len(line.replace(str(path), "")) < 250


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[tasks.mood", "is not TOML"),
        (b"\xff\xfe", "is not UTF-8 (at byte 0)"),
        (b"", "has no task: write [tasks.NAME]"),
        (b"tasks = 3", "has no task"),
        (b"[mood]\nkind = 3", "'mood' is not known; write [tasks.NAME]"),
        (b"[tasks]\nmood = 3", "task mood is no table"),
        (b"[tasks.'a b']", "a task cannot be called 'a b'"),
        (b"[tasks.'../../x']", "a task cannot be called '../../x'"),
        (b'[tasks."\\u001b[31m<script>"]', "a task cannot be called '[31m<script>'"),
        (b"[tasks." + b"a" * 31 + b"]", "at most 30"),
        (b"[tasks.A]", "use lowercase letters"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "is nested too deeply"),
        (b"a = " + b"9" * 5000, "is not TOML"),
        (b"#" * (1 << 20) + b"#", "larger than 1 MiB"),
        (b"".join(b"[tasks.t%d]\n" % n for n in range(101)), "has 101 tasks: at most 100"),
    ],
)
def test_a_hostile_file_is_one_line(text, message, tmp_path):
    path = tmp_path / "tasks.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        suite_of(path)
    line = str(caught.value)
    assert message in line and line.isprintable()
    assert len(line.replace(str(path), "")) < 250


def test_no_file(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read \(No such file or directory\)"):
        suite_of(tmp_path / "absent.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (tmp_path, tmp_path / "pipe.toml"):
        with pytest.raises(ConfigError, match="is no file: name a TOML file"):
            suite_of(path)
    with pytest.raises(ConfigError, match=r"cannot be read \(File name too long\)"):
        suite_of(tmp_path / ("x" * 300))
    for kind in (TasksSuite, TasksProbeSuite):
        with pytest.raises(DataError, match=r"has no tasks: name a file .* with --tasks FILE"):
            kind(configure(kind, {})).tasks()


# -- faults of the data


def with_row(place, **changes):
    table = rows()
    table[place] = {**table[place], **changes}
    return table


LATE = [*rows(12, seed=1), {"said": "the end", "meant": "odd", "id": 9}]
FAULTS = [
    ({"other.csv": rows()}, {}, "train.csv does not exist: correct the file of task mood"),
    ({"train.txt": rows()}, {"train": "train.txt"}, "train.txt of task mood is no table: name a"),
    ({"train.csv": rows()}, {"train": "."}, "is no file: correct the file of task mood"),
    ({"train.csv": rows()}, {"train": "~nobody-x/a.csv"}, "does not exist"),
    ({"train.csv": rows()}, {"train": "x" * 900}, "which cannot be read (File name too long)"),
    ({"train.csv": rows()}, {"text": "say"}, "train.csv has no column 'say' (its columns: said, "),
    ({"train.csv": with_row(6, said=" ")}, {}, "train.csv, row 7: column 'said' has no text"),
    (
        {"train.jsonl": with_row(6, said=None)},
        {"train": "train.jsonl"},
        "train.jsonl, row 7: column 'said' has no text",
    ),
    ({"train.csv": with_row(2, meant=" ")}, {}, "train.csv, row 3: column 'meant' has no label"),
    ({"train.csv": rows()}, GRADED, "train.csv:2: no number in the field 'meant': 'bad'"),
    (
        {"train.csv": [{**row, "meant": row["id"] or "nan"} for row in rows()]},
        GRADED,
        "train.csv, row 1: column 'meant' has nan, which is no grade",
    ),
    (
        {"train.csv": [{**row, "meant": row["id"] or ""} for row in rows()]},
        GRADED,
        "train.csv, row 1: column 'meant' has no label",
    ),
    (
        {"train.csv": [{**row, "meant": row["id"] * 1e-200} for row in rows()]},
        GRADED,
        "the grades are too far apart or too close together",
    ),
    ({"train.csv": []}, {}, "train.csv has no rows"),
    ({"train.csv": rows(12)}, {}, "has 9 rows to train on: at least 10 are needed"),
    ({"train.csv": rows(30)}, {"share": 0.1}, "has 3 rows to score: at least 10 are needed"),
    (
        {"train.csv": rows(names=["good"])},
        {},
        "all 30 rows of task mood that are trained on have the label 'good' in column 'meant'",
    ),
    (
        {"train.csv": rows(), "dev.csv": rows(12, names=["bad"])},
        {"share": None, "evaluation": "dev.csv"},
        "dev.csv: all 12 rows of task mood that are scored have the label 'bad'",
    ),
    (
        {"train.csv": [{**row, "meant": 1} for row in rows()]},
        GRADED,
        "have the label '1.0' in column 'meant'",
    ),
    (
        {"train.csv": rows(), "dev.csv": LATE},
        {"share": None, "evaluation": "dev.csv"},
        "dev.csv, row 13: column 'meant' has the class 'odd', which no training example has",
    ),
    (
        {"train.csv": with_row(3, meant="odd")},
        {"classes": ["bad", "good"]},
        "train.csv, row 4: column 'meant' has the class 'odd', which is not declared",
    ),
    (
        {"train.csv": rows(), "dev.csv": LATE},
        {"share": None, "evaluation": "dev.csv", "classes": ["bad", "good", "odd"]},
        "row 13: column 'meant' has the class 'odd', which is scored in task mood and in no",
    ),
    ({"train.csv": rows()}, {"metric": "f1"}, "f1 is that of the second of two classes"),
    (
        {"train.csv": rows(names=["a", "b", "c"])},
        {"metric": "f1", "classes": ["a", "b", "c"]},
        "and 3 are declared",
    ),
    (
        {"train.csv": rows(1200)},
        {"label": "id"},
        "column 'id' has 1,200 classes, more than 1,000",
    ),
]


@pytest.mark.parametrize(("files", "settings", "message"), FAULTS)
def test_a_fault_of_the_data_is_one_line_with_file_row_and_column(files, settings, message, write):
    path = write(files, **settings)
    with pytest.raises(ObjbenchError) as caught:
        suite_of(path)
    line = str(caught.value)
    assert message in line, line
    assert line.isprintable() and len(line.replace(str(path.parent), "")) < 250


def test_other_encodings_and_special_files(write):
    path = write()
    train = path.parent / "train.csv"
    train.write_bytes(b"said,meant\nr\xe9sum\xe9,good\n")
    with pytest.raises(DataError, match=r"train\.csv:2: not UTF-8 at byte"):
        suite_of(path)
    train.unlink()
    os.mkfifo(train)
    with pytest.raises(DataError, match="is no file"):
        suite_of(path)


# -- scores


def test_f1_of_numbered_or_declared_classes(write, tiny_encoder, tmp_path):
    table = [{**row, "meant": int(row["meant"] == "good")} for row in rows()]
    context = EvaluationContext(cache=tmp_path / "cache")
    suite = suite_of(write({"train.csv": table}, metric=["accuracy", "f1"]), epochs=1)
    found = suite.evaluate_floor("majority", tiny_encoder, "mood", 0, context)
    assert set(found.scores["mood"]) == {"accuracy", "f1"}
    suite_of(write(metric="f1", classes=["bad", "good"]))


@pytest.mark.parametrize("kind", [TasksSuite, TasksProbeSuite])
def test_it_is_scored_as_glue_is(kind, write, write_glue, tiny_encoder, tmp_path):
    """The same examples in GLUE's folder, in the order of the hash, give the same scores."""
    from objbench_suites.probe import ProbeSuite

    files = {"train.csv": rows(40), "dev.csv": rows(24, seed=1)}
    path = write(files, share=None, evaluation="dev.csv")
    folder = write_glue("sst2") / "sst2"
    for split, examples in zip(("train", "validation"), parts(path), strict=True):
        columns = {"sentence": list(examples.first), "label": examples.labels}
        pa.parquet.write_table(pa.table(columns), folder / f"{split}.parquet")
    options = {"epochs": 2, "protocol": "small-encoder"} if kind is TasksSuite else {}
    other = GlueSuite if kind is TasksSuite else ProbeSuite
    glue = other(configure(other, {"dir": str(folder.parent), **options}))
    mine = suite_of(path, kind, **options)
    context = EvaluationContext(cache=tmp_path / "cache")
    for score in (
        lambda suite, task: suite.evaluate(tiny_encoder, task, 0, context),
        lambda suite, task: suite.evaluate_floor("bag-of-words", tiny_encoder, task, 0, context),
        lambda suite, task: suite.evaluate_floor("majority", tiny_encoder, task, 0, context),
    ):
        a, b = score(mine, "mood"), score(glue, "sst2")
        assert a.scores["mood"] == b.scores["sst2"]
        assert a.examples["mood"].values["accuracy"].tolist() == (
            b.examples["sst2"].values["accuracy"].tolist()
        )
        assert a.official_examples == {}
    assert GLUE_TASKS["sst2"].labels == mine.table["mood"].labels


def test_pairs_of_grades_and_a_part_held_out_for_tuning(write, tiny_encoder, tmp_path):
    table = [
        {"one": row["said"], "other": f"{row['said']} too", "meant": row["id"] % 7}
        for row in rows(60)
    ]
    path = write({"train.tsv": table}, train="train.tsv", metric=["pearson", "spearmanr"], **PAIRED)
    context = EvaluationContext(cache=tmp_path / "cache", tuning=True)
    for kind in (TasksSuite, TasksProbeSuite):
        result = suite_of(path, kind).evaluate(tiny_encoder, "mood", 0, context)
        assert set(result.scores["mood"]) == {"pearson", "spearmanr"}
        assert (result.train_examples, result.eval_examples["mood"]) == (36, 9)
        values = result.examples["mood"].values
        assert values["spearmanr"].mean() == pytest.approx(
            result.scores["mood"]["spearmanr"], abs=1e-5
        )
