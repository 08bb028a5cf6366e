"""The page of measured numbers, from made JSON."""

import importlib.util
import json
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("report", Path(__file__).with_name("report.py"))
report = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(report)


def benchmark(name, **extra):
    return {
        "name": name,
        "group": "made",
        "stats": {"median": 0.0123, "rounds": 5},
        "extra_info": extra,
    }


def row(what, floor, ratio, meets=True):
    return benchmark(
        what, row=what, at="here", floor=floor, ratio=ratio, meets=meets, note="as made"
    )


@pytest.fixture
def found():
    return {
        "machine_info": {
            "cpu": {},
            "device": "Test CPU (2 cores)",
            "threads": 2,
            "versions": {"torch": "2.13.0", "python": "3.11.9", "idle": "1"},
        },
        "benchmarks": [
            row("step", ">= 4.2x", 4.4428),
            row("engine", "<= 3%, waiting <= 1%", 0.0312, meets=False),
            row("start", "< 0.5 s", 0.25),
            row("encoders", "1 encoder read", 1),
            benchmark("test_objective[mlm]", tokens_per_second=12345),
        ],
    }


def cells(text, what):
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {what}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_row_has_its_number_in_the_unit_of_its_floor(found):
    text = report.page(found, report.measured_rows(found))
    assert cells(text, "step ") == ["step", "here", "4.44x", ">= 4.2x", "yes", "as made"]
    assert cells(text, "engine")[2:5] == ["3.12%", "<= 3%, waiting <= 1%", "**no**"]
    assert cells(text, "start")[2:5] == ["0.250 s", "< 0.5 s", "yes"]
    assert cells(text, "encoders")[2] == "1.00"
    seconds = cells(text, "made: test_objective")
    assert seconds[1:] == ["12.3 ms", "5", "tokens_per_second 12,345"]


def test_what_a_user_waits_for_comes_first_as_a_bound_or_as_not_run(found):
    what = "time to a held-out loss, beside another"
    bound = row(what, "> 1x sooner", 10.04)
    bound["extra_info"]["at_least"] = True
    nothing = row(what, "> 1x sooner", None, meets=None)
    found["benchmarks"] += [bound, nothing]
    rows = report.measured_rows(found)
    assert [each["ratio"] for each in rows] == [10.04, None, 4.4428, 0.0312, 0.25, 1]
    lines = [line for line in report.page(found, rows).splitlines() if line.startswith("| time")]
    assert ["> 10.0x" in lines[0], "yes" in lines[0]] == [True, True]
    assert "| not run" in lines[1] and "| -" in lines[1]
    assert sum(name.startswith(what) for name, _, _ in report.margins_of(rows)) == 1


def test_the_page_says_where_with_what_and_how(found):
    text = report.page(found, report.measured_rows(found))
    assert (
        "Measured on Test CPU (2 cores) with torch 2.13.0, python 3.11.9, by `make bench` "
        "(threads: 2 unless a row says otherwise)." in text
    )


def test_notes_by_hand_stand_on_the_page(found, tmp_path):
    source = tmp_path / "made.json"
    source.write_text(json.dumps(found))
    (tmp_path / report.NOTES).write_text("One row was not run.\n")
    report.main([str(source), str(tmp_path)])
    assert "\n\nOne row was not run.\n\n" in (tmp_path / report.PAGE).read_text()


def test_margins_are_times_better_than_the_floor(found):
    found = report.margins_of(report.measured_rows(found))
    margins = {name.split("\n")[0]: margin for name, margin, _ in found}
    assert margins == pytest.approx({"step": 4.4428 / 4.2, "engine": 0.03 / 0.0312, "start": 2.0})


def test_written_twice_the_bytes_are_the_same_and_missed_floors_are_named(found, tmp_path, capsys):
    source = tmp_path / "made.json"
    source.write_text(json.dumps(found))
    written = []
    for _ in range(2):
        report.main([str(source), str(tmp_path)])
        written.append([(tmp_path / name).read_bytes() for name in (report.PAGE, report.PICTURE)])
    assert written[0] == written[1]
    assert "4 rows, floors missed: engine (here)" in capsys.readouterr().out


def test_the_page_is_made_again_from_its_record(found, tmp_path):
    source = tmp_path / "made.json"
    source.write_text(json.dumps(found))
    report.main([str(source), str(tmp_path / "first")])
    report.main([str(tmp_path / "first" / report.RECORD), str(tmp_path / "again")])
    for name in (report.PAGE, report.PICTURE, report.RECORD):
        first, again = tmp_path / "first" / name, tmp_path / "again" / name
        assert first.read_bytes() == again.read_bytes()


def test_what_is_measured_later_takes_the_place_of_its_row_and_says_on_what(
    found, tmp_path, capsys
):
    again = row("engine", "<= 3%, waiting <= 1%", 0.012)
    slow = benchmark("test_objective[mlm]", tokens_per_second=99)
    later = {
        "machine_info": {"cpu": {}, "device": "Other CPU", "versions": {"torch": "2.14.0"}},
        "benchmarks": [again, slow, row("new", ">= 1x", 2.0)],
    }
    for name, what in (("first", found), ("later", later)):
        (tmp_path / name).write_text(json.dumps(what))
    report.main([str(tmp_path / "first"), str(tmp_path), str(tmp_path / "later")])
    assert "5 rows, floors missed: none" in capsys.readouterr().out
    text = (tmp_path / report.PAGE).read_text()
    assert cells(text, "engine")[2:] == [
        *("1.20%", "<= 3%, waiting <= 1%", "yes"),
        "as made; on Other CPU with torch 2.14.0",
    ]
    assert cells(text, "made: test_objective")[-1] == (
        "tokens_per_second 99, on Other CPU with torch 2.14.0"
    )
    assert cells(text, "new")[2] == "2.00x"
    assert cells(text, "step ")[-1] == "as made"
    # With the same versions the device alone is named, and nothing of what was not run.
    like = {"machine_info": found["machine_info"] | {"device": "Other CPU"}}
    nothing = row("start", "< 0.5 s", None, meets=None)
    (tmp_path / "later").write_text(json.dumps(like | {"benchmarks": [again, nothing]}))
    report.main([str(tmp_path / report.RECORD), str(tmp_path / "like"), str(tmp_path / "later")])
    text = (tmp_path / "like" / report.PAGE).read_text()
    assert cells(text, "engine")[-1] == "as made; on Other CPU"
    assert cells(text, "start")[-1] == "as made"
    # Measured once more on the page's own machine it has no such note.
    again["extra_info"].pop("measured_on", None)
    (tmp_path / "later").write_text(json.dumps(found | {"benchmarks": [again]}))
    report.main([str(tmp_path / report.RECORD), str(tmp_path), str(tmp_path / "later")])
    text = (tmp_path / report.PAGE).read_text()
    assert cells(text, "engine")[-1] == "as made"
    assert "on Other CPU" in cells(text, "new")[-1]


def test_without_benchmarks_there_is_a_page_all_the_same(found, tmp_path):
    found["benchmarks"] = []
    assert "# Performance" in report.page(found, [])
    assert report.picture([]).startswith(b"<?xml")
