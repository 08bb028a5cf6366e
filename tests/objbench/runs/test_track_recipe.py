"""Recipes: a study file that sets what its track fixes is refused in one line, and nothing else is."""

from hashlib import sha256

import pytest
from made_track import TOY

from objbench.errors import ConfigError
from objbench.judge.track.track import read_track
from objbench.runs.track_recipe import fixed_layer, require_seeds
from objbench.runs.track_text import require_files
from objbench.study.files import file_layer
from objbench.study.study import build_study

RECIPE = """
preset = "demo"
objectives = ["mlm", "taco"]
seeds = [0, 1, 2, 3, 4]
budget = "100-steps"
"""


@pytest.fixture
def recipe(tmp_path):
    """(text) -> the path of a recipe with it."""

    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(RECIPE + text)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[training]\nbatch = 64", "sets training.batch = 64, which track toy fixes as 32"),
        ("[data]\ncorpus = 'mine/'", "sets data.corpus = 'mine/', which track toy fixes as 'toy'"),
        ("[data]\ntokenizer = 'train:500'", "data.tokenizer"),
        ("[data]\nlength = 64", "data.length"),
        ("[evaluation]\npoints = 60", "evaluation.points"),
        ("[evaluation]\nspacing = 'equal'", "evaluation.spacing"),
        ("[evaluation]\nsuites = ['glue']", "evaluation.suites"),
        ("[evaluation]\nmax_train_samples = 5", "evaluation.max_train_samples"),
        ("looks = [3, 5]", "sets looks"),
        ("[encoder]\ninit = 'a/model'", "starts from random weights"),
        ("[overrides.mlm]\n'training.batch' = 64", "sets overrides.mlm.training.batch"),
        ("[overrides.mlm.training]\nbatch = 64", "sets overrides.mlm.training.batch"),
    ],
)
def test_what_the_track_fixes_is_refused(recipe, text, said):
    # Tables come last in TOML, single settings first.
    path = recipe(text)
    with pytest.raises(ConfigError) as refused:
        fixed_layer(TOY, path)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_a_file_that_is_no_recipe_is_refused(tmp_path):
    path = tmp_path / "toy.toml"
    path.write_text("title = 'A track'")
    with pytest.raises(ConfigError, match=r"names no objectives: write objectives = \["):
        fixed_layer(TOY, path)


def test_options_of_a_suite_that_the_track_scores_are_refused(recipe):
    with pytest.raises(ConfigError, match=r"options\.blimp\.dir.*--set"):
        fixed_layer(read_track("english"), recipe("[options.blimp]\ndir = 'x'"))


@pytest.mark.parametrize(
    "text",
    [
        "[encoder]\nwidth = 32\nlayers = 1",
        "[training]\nlearning_rate = 1e-2\nschedule = 'linear'\n[training.optimizer]\nname = 'muon'",
        "[options.mlm]\nrate = 0.4",
        "[tuning]\nscore = 'mlm'\n[tuning.grid]\n'training.learning_rate' = [1e-3, 2e-3]",
        "[overrides.taco]\n'training.learning_rate' = 1e-3",
    ],
)
def test_what_a_recipe_may_choose_is_taken(recipe, text):
    path = recipe(text)
    study = build_study([file_layer(path), fixed_layer(TOY, path)], "recipe")
    assert study.evaluation.points == 6 and study.evaluation.suites == ()
    assert study.data.corpus == "toy" and study.training.batch == 32
    require_seeds(TOY, study)


@pytest.mark.parametrize(
    ("text", "batches"),
    [
        ("[data]\nlength = 64", 32),
        ("[data]\nlength = 128\n[training]\nbatch = 64", 8),
        ("[data]\nlength = 64\n[training]\nbatch = 1024", 1),
    ],
)
def test_the_held_out_text_is_of_one_size_whatever_the_batch(recipe, text, batches):
    layer = fixed_layer(read_track("english"), recipe(text))
    assert layer["evaluation"]["heldout_batches"] == batches
    assert layer["evaluation"]["suites"] == ["blimp"]


@pytest.mark.parametrize("text", ["[data]\nlength = 100", "[training]\nbatch = 4096"])
def test_a_batch_that_does_not_divide_it_is_refused(recipe, text):
    with pytest.raises(ConfigError, match="does not divide the 65,536 tokens"):
        fixed_layer(read_track("english"), recipe(text))


def test_too_few_seeds_are_refused(recipe):
    path = recipe("")
    path.write_text(RECIPE.replace("[0, 1, 2, 3, 4]", "[0, 1, 2]"))
    study = build_study([file_layer(path)], "recipe")
    with pytest.raises(ConfigError, match=r"has 3: write seeds = \[0, 1, 2, 3, 4\]"):
        require_seeds(TOY, study)


def test_the_files_of_the_text_are_compared_one_by_one(tmp_path):
    english = read_track("english")
    with pytest.raises(
        ConfigError, match=r"19 files, which english\.toml lists: name it with --corpus"
    ):
        require_files(english, None)
    with pytest.raises(
        ConfigError, match="--corpus toy is no folder: name the one with the 19 files"
    ):
        require_files(english, "toy")
    folder = tmp_path / "texts"
    folder.mkdir()
    first = next(iter(english.text.files))
    with pytest.raises(ConfigError, match=f"{first} of track english cannot be read"):
        require_files(english, str(folder))
    (folder / first).parent.mkdir(parents=True)
    (folder / first).write_text("something else")
    with pytest.raises(ConfigError, match=f"{first} is not the file of track english"):
        require_files(english, str(folder))


def test_a_track_with_a_text_of_its_own_takes_no_other():
    require_files(TOY, None)
    require_files(TOY, "toy")
    with pytest.raises(
        ConfigError, match="/tmp: track toy fixes its text as 'toy': leave --corpus out"
    ):
        require_files(TOY, "/tmp")


def test_one_more_file_that_would_be_read_is_refused(tmp_path):
    folder = tmp_path / "texts"
    (folder / "a").mkdir(parents=True)
    files = {"a/one.txt": "First.", "heldout.txt": "Second."}
    for name, text in files.items():
        (folder / name).write_text(text)
    digests = {name: sha256(text.encode()).hexdigest() for name, text in files.items()}
    track = read_track("english")
    track = track.model_copy(update={"text": track.text.model_copy(update={"files": digests})})
    for name in ("README.md", ".hidden.txt", "picture.png"):
        (folder / name).write_text("Not read.")
    require_files(track, str(folder))
    # A second name of what is there already is one more, too.
    (folder / "a" / "two.txt").write_text("First.")
    with pytest.raises(
        ConfigError, match=r"a/two\.txt is no file of track english.*: move it elsewhere"
    ):
        require_files(track, str(folder))
