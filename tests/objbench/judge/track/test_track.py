"""Track files: those that ship are read, and what is not valid is refused in one line."""

import tomllib
from pathlib import Path

import pytest

from objbench.errors import ConfigError, UnknownNameError
from objbench.judge.track.track import read_track, track_names

SHIPPED = Path(__file__).parents[4] / "leaderboard" / "track"
TOY = (SHIPPED / "toy.toml").read_text("utf-8")


@pytest.mark.parametrize("name", ["english", "toy"])
def test_those_that_ship_are_read(name):
    track = read_track(name)
    assert track.name == name and name in track_names()
    assert track.seeds >= 5


def test_the_keys_of_published_studies_are_those_of_the_track():
    """The same text was cut into the same sequences in studies that are published."""
    for name, study, length in (("toy", "toy", 32), ("english", "small-english", 64)):
        plan = (SHIPPED.parent / study / "plan.json").read_text("utf-8")
        assert read_track(name).text.key(length) in plan


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("at_most = 1.20", "", "give at_most for the loss"),
        ("at_most = 1.20", "at_most = 1.20\nat_least = 50.0", "give at_most for the loss"),
        ("at_most = 1.20", "at_most = nan", "finite number"),
        ("at_most = 1.20", "at_most = -1.0", "greater than 0"),
        ("seeds = 5", 'seeds = "5"', "valid integer"),
        ("seeds = 5", "seeds = 5\nmore = 1", "Extra inputs"),
        ("vocabulary = 420", "", "Field required"),
        ('spacing = "geometric"', "", "evaluation.spacing as equal or geometric"),
        ('spacing = "geometric"', 'spacing = "log"', "evaluation.spacing as equal or geometric"),
        ("points = 6", "points = 0", "fix evaluation.points as a number"),
        ("[[targets]]", "[more]", "targets"),
        ('heldout = "a', 'heldout = "z', "match pattern"),
        (
            "[measurement]",
            '[text.files]\n"../x" = "' + "0" * 64 + '"\n[measurement]',
            "no path below",
        ),
        (
            "[measurement]",
            '[text.files]\n"/x" = "' + "0" * 64 + '"\n[measurement]',
            "no path below",
        ),
        ("seeds = 5", "seeds = ", "is not TOML"),
    ],
)
def test_what_is_no_track_is_refused_in_one_line(tmp_path, old, new, said):
    assert old in TOY
    path = tmp_path / "mine.toml"
    path.write_text(TOY.replace(old, new, 1))
    with pytest.raises(ConfigError, match="mine") as refused:
        read_track(str(path))
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_an_unknown_name_is_refused_with_those_that_ship():
    with pytest.raises(UnknownNameError, match="toy"):
        read_track("toi")


def test_the_files_of_a_track_are_as_they_are_in_toml():
    files = tomllib.loads((SHIPPED / "english.toml").read_text("utf-8"))["text"]["files"]
    assert read_track("english").text.files == files and len(files) == 19
