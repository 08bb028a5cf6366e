"""The page of the track: what it says of rows, and that nothing in a hostile row does anything in it."""

import json

import pytest
from foreign_study import MARKUP
from made_track import FALLING, track_study

from objbench.errors import ConfigError
from objbench.judge.track.rows import rows_in
from objbench.judge.track.track import read_track
from objbench.leaderboard.track.page import MARK, track_document, write_track_page
from objbench.leaderboard.track.report import report_lines

NEVER = tuple(loss + 0.5 for loss in FALLING)
RUNS = [tuple(loss + 0.01 * seed for loss in FALLING) for seed in range(5)]


@pytest.fixture
def folder(tmp_path):
    """A folder with the toy track, two studies that keep its rules and one that does not."""
    from importlib.resources import files

    place = tmp_path / "track"
    place.mkdir()
    text = files("objbench_published").joinpath("track/toy.toml").read_text("utf-8")
    (place / "toy.toml").write_text(text)
    track_study({"mlm": RUNS, "wwm": [NEVER] * 5}, day=1).write(place / "toy" / "first")
    track_study({"mlm": RUNS}, day=2, flops=0.5e9).write(place / "toy" / "second")
    track_study({"mlm": RUNS[:4]}, day=3).write(place / "toy" / "short")
    return place


def page(folder):
    return write_track_page(folder).read_text("utf-8")


def test_it_says_who_holds_the_record_and_why_a_study_is_not_ranked(folder):
    text = page(folder)
    assert "The record is held by second: mlm: 73.9B" in text
    assert "Not ranked: short: it declares 4 seeds, and the track needs 5" in text
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    order = [line.split("|")[1].strip() for line in lines if "modernbert" in line]
    assert order == ["second: mlm", "first: mlm", "first: wwm"]
    assert any("first: wwm" in line and "0 of 5" in line and "> 240B" in line for line in lines)
    assert (
        "Brackets: the 93.75% interval of a median of 5 runs and the 96.83% interval of the speedup of 5 runs over 5."
        in text
    )
    assert any("2026-01-02" in line and "takes over" in line and "0.004" in line for line in lines)


def test_a_smaller_median_that_does_not_take_over_is_explained(folder):
    said = "A smaller median is not enough to take over: "
    assert said not in page(folder)
    lower = [tuple(loss - 0.002 for loss in losses) for losses in RUNS]
    track_study({"mlm": lower}, day=4).write(folder / "toy" / "lower")
    assert f"{said}lower: mlm had p &gt;= 0.01 against the holder of the time." in page(folder)


def test_a_study_without_a_suite_is_named_below_the_target_in_it(folder):
    digest = "0" * 64
    with (folder / "toy.toml").open("a") as file:
        file.write(f"""
[[targets]]
id = "pairs"
words = "55% on pairs"
at_least = 55.0
suite = {{ name = "blimp", digest = "{digest}" }}
""")
    _, below = page(folder).split("55% on pairs", 1)
    assert "No recipe is scored by this target yet." in below
    assert "first: wwm is not in this ranking: the study does not score blimp." in below


def test_the_same_rows_give_the_same_bytes_and_what_was_written_by_hand_stays(folder, tmp_path):
    assert page(folder) == page(folder)
    html = write_track_page(folder, is_html=True).read_text("utf-8")
    assert MARK in html and "second: mlm" in html
    other = tmp_path / "other"
    other.mkdir()
    (other / "README.md").write_text("mine")
    with pytest.raises(ConfigError, match="was not made by --track"):
        write_track_page(folder, other)


def test_a_folder_without_a_track_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no track file"):
        track_document(tmp_path)
    (tmp_path / "study.toml").write_text("seeds = [0, 1]")
    with pytest.raises(ConfigError, match=r"study\.toml is not valid: .*a folder of tracks"):
        track_document(tmp_path)


def test_a_link_out_of_the_folder_is_not_followed(folder, tmp_path):
    outside = tmp_path / "outside"
    (folder / "toy").rename(outside)
    (folder / "toy").symlink_to(outside)
    with pytest.raises(ConfigError, match="leads out of its folder"):
        page(folder)


def hostile(folder, change):
    """The first study with its plan changed, unsealed as a stranger would leave it."""
    path = folder / "toy" / "first" / "plan.json"
    plan = json.loads(path.read_text())
    plan.pop("sha256", None)
    change(plan)
    path.write_text(json.dumps(plan))


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan["study"].update(evaluation=MARKUP),
        lambda plan: plan["study"]["evaluation"].update(points={MARKUP: [1]}),
        lambda plan: plan["study"]["training"].update(batch=True),
        lambda plan: plan["study"]["data"].update(length=[32]),
        lambda plan: plan["study"].pop("data"),
        lambda plan: plan.update(data={MARKUP: MARKUP, "vocabulary": "420"}),
        lambda plan: plan.update(declared=[]),
        lambda plan: plan.update(cells=[]),
        lambda plan: plan["objectives"][0].update(overrides={"training.batch": MARKUP}),
        lambda plan: plan["objectives"][0].update(overrides={"encoder.model_type": MARKUP}),
        lambda plan: plan["objectives"][0].update(overrides={"encoder.model_type": [1]}),
        lambda plan: plan.update(schema_version=2),
    ],
)
def test_a_hostile_plan_does_nothing_and_the_other_rows_stay(folder, change):
    hostile(folder, change)
    text = page(folder)
    assert "The record is held by second: mlm" in text
    assert "<script" not in text and "<img" not in text


def test_a_record_that_is_none_is_a_line(folder):
    (record,) = (folder / "toy" / "first" / "records" / "pretrain").glob("mlm.seed-0.*")
    record.write_text("{}")
    assert "Not ranked: first: " in page(folder)


def test_what_check_says_line_by_line(folder):
    track = read_track(str(folder / "toy.toml"))
    found = rows_in(track, folder / "toy")
    others = [row for judged in found.values() for row in judged.rows]
    lines = [*report_lines(track, found["first"].rows, others)]
    assert lines[0].startswith("target: 1.20 bits per character")
    assert "at 93.75%; 5 of 5 runs reached it, first at evaluation point 5" in lines[1]
    assert (
        "speedup over second: mlm: 0.50x" in lines[2]
        and "at 96.83%" in lines[2]
        and "no record" in lines[2]
    )
    assert lines[3].endswith("0 of 5 runs reached it")
    again = [*report_lines(track, found["second"].rows, others)][2]
    assert again == "    its runs are those of second: mlm, which holds the record"
    assert "no row has reached" in [*report_lines(track, found["first"].rows, [])][2]
