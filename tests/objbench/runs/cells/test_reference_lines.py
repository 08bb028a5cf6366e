"""The reference lines of a study are measured once per text, and never in the way of the study."""

import math

import numpy as np
import pytest

from objbench.blocks.masking import mask_tokens
from objbench.contract.random_streams import Streams
from objbench.data.corpus import open_corpus
from objbench.data.counts.lines import count_text
from objbench.data.loader import Loader
from objbench.engine.training.heldout_loss import HELDOUT_SEED
from objbench.errors import RecordError
from objbench.results.run_folder import RunFolder
from objbench.runs.cells import reference_lines
from objbench.runs.cells.prepared_study import prepare
from objbench.runs.progress import Display


class Heard(Display):
    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)


@pytest.fixture
def own_cache(tmp_path_factory):
    """A cache of each test alone: what one measures another would not measure again."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def ready(own_cache, registry, tmp_path):
    """(study, display) -> the study prepared to be run in ``tmp_path``."""

    def do(study, shown=None):
        folder = RunFolder(tmp_path)
        return prepare(study, registry, folder, cache=own_cache, device="cpu", display=shown)

    return do


@pytest.fixture
def keep(ready):
    """(study) -> the lines shown while its reference lines are measured in ``tmp_path``."""

    def do(study):
        shown = Heard()
        reference_lines.keep_reference_lines(ready(study, shown))
        return [line for line in shown.said if not line.startswith(("corpus ", "tokenising "))]

    return do


def test_a_study_measures_its_lines_before_its_cells_and_uses_them_again(
    make_study, run, own_cache, tmp_path, capsys
):
    folder = tmp_path / "run"
    study = make_study(evaluation={"suites": ["toy"], "points": 1, "max_train_samples": 16})
    assert run(study, folder, cache=own_cache).exit_code == 0
    shown = capsys.readouterr().err
    line = "counting words for the reference lines: "
    assert shown.index(line) < shown.index("cells to run")
    stored = (folder / "lines.json").read_bytes()
    found = RunFolder(folder).read_reference_lines()
    assert found.provenance.command == "objbench run of a test"
    assert found.lines.keys() == {"masked", "next"}
    assert found.lines["masked"].uniform == math.log(400)
    # The two held-out sequences are enough for that.
    after = found.lines["next"]
    assert after.bigram < after.unigram < after.uniform
    assert found.lines["masked"].neighbours is not None and after.neighbours is None
    # Words of the toy language are short, and some are of several tokens.
    assert 2 < found.characters_per_token < 8

    # An encoder is measured on the same tokens.
    for record in RunFolder(folder).read_records():
        if record.kind == "pretrain":
            common = record.points[-1].common
            assert (common.of, common.tokens) == ("masked", found.heldout_tokens)

    for again in (folder, tmp_path / "another"):
        assert run(study, again, cache=own_cache).exit_code == 0
        assert line not in capsys.readouterr().err
        assert (again / "lines.json").read_bytes() == stored


def test_lines_that_are_known_but_damaged_are_measured_again(make_study, keep, own_cache, tmp_path):
    assert len(keep(make_study())) == 1
    (known,) = (own_cache / "lines").iterdir()
    whole = known.read_bytes()
    for damaged in (whole[:-9], whole.replace(b'"uniform": 5', b'"uniform": 6'), b"{}"):
        assert damaged != whole
        known.write_bytes(damaged)
        (tmp_path / "lines.json").unlink()
        assert len(keep(make_study())) == 1
        assert known.read_bytes() == (tmp_path / "lines.json").read_bytes()
    (tmp_path / "lines.json").unlink()
    assert keep(make_study()) == []


def test_a_cache_that_takes_nothing_loses_no_lines(make_study, keep, own_cache, tmp_path):
    keep(make_study())
    measured = RunFolder(tmp_path).read_reference_lines()
    (tmp_path / "lines.json").unlink()
    (known,) = (own_cache / "lines").iterdir()
    known.unlink()
    known.mkdir()  # No file can take its place.
    assert len(keep(make_study())) == 1
    assert RunFolder(tmp_path).read_reference_lines().lines == measured.lines


def test_other_text_or_other_masks_are_measured_again(make_study, keep, tmp_path):
    said = "counting words for the reference lines: "
    assert [line.startswith(said) for line in keep(make_study())] == [True]
    first = RunFolder(tmp_path).read_reference_lines()
    assert keep(make_study(seeds=[0, 1], budget="9-steps", objectives=["taco"])) == []
    assert RunFolder(tmp_path).read_reference_lines() == first
    data = make_study().data.model_dump(mode="json")
    keys = {first.key}
    for changes in (
        {"data": data | {"tokenizer": "train:300"}},
        {"data": data | {"length": 12}},
        {"training": {"batch": 8}},
        {"evaluation": {"heldout_batches": 2}},
    ):
        assert len(keep(make_study(**changes))) == 1
        keys.add(RunFolder(tmp_path).read_reference_lines().key)
    assert len(keys) == 5


def test_another_version_of_the_code_measures_again(make_study, keep, tmp_path, monkeypatch):
    keep(make_study())
    first = RunFolder(tmp_path).read_reference_lines()
    monkeypatch.setattr(reference_lines, "LINES_VERSION", 99)
    assert len(keep(make_study())) == 1
    second = RunFolder(tmp_path).read_reference_lines()
    assert second.key != first.key and second.lines == first.lines


def test_the_tokens_are_those_of_the_common_loss(make_study, ready):
    """The batches of the held-out half, with the masks that ``HELDOUT_SEED`` gives each."""
    prepared = ready(make_study(training={"batch": 1}, evaluation={"heldout_batches": 3}))
    text = prepared.text
    loader = Loader(text.train, text.vocabulary, seed=7, batch=1)
    special = np.isin(np.arange(text.vocabulary.size), text.vocabulary.special)
    q = count_text(text.train, special).neighbours.unigram(np.arange(len(special)))
    losses = []
    for number, batch in enumerate(loader.heldout(text.heldout, 3)):
        streams = Streams(HELDOUT_SEED, number, rows=len(batch.input_ids))
        made = mask_tokens(batch, text.vocabulary, streams)
        seen, true = made.input_ids[made.predicted], batch.input_ids[made.predicted]
        for x, w in zip(seen.tolist(), true.tolist(), strict=True):
            joint = q * (0.8 * (x == text.vocabulary.mask) + 0.1 / len(q))
            joint[x] += 0.1 * q[x]
            losses.append(-math.log(joint[w] / joint.sum()))
    assert number == 1
    found = reference_lines.measured_lines(prepared, "0" * 64)
    assert found.heldout_tokens == len(losses)
    assert found.lines["masked"].unigram == pytest.approx(np.mean(losses), rel=1e-9)


def test_characters_are_those_of_the_held_out_text(make_study, ready):
    prepared = ready(make_study())
    text = prepared.text
    special = np.isin(np.asarray(text.heldout.tokens), text.vocabulary.special)
    documents = open_corpus(prepared.study.data.corpus).heldout()
    exact = sum(map(len, documents)) / (~special).sum()
    found = reference_lines.measured_lines(prepared, "0" * 64).characters_per_token
    # The toy language has a space before a full stop, which decoding takes away.
    assert found == pytest.approx(exact, rel=0.05)


def test_only_the_main_process_measures(make_study, keep, tmp_path, monkeypatch):
    monkeypatch.setattr(reference_lines, "is_main", lambda: False)
    assert keep(make_study()) == []
    assert RunFolder(tmp_path).read_reference_lines() is None


def test_what_cannot_be_measured_is_said_and_stops_nothing(make_study, keep, monkeypatch, tmp_path):
    def fail(*given):
        raise RuntimeError("planted\nfault")

    keep(make_study())
    monkeypatch.setattr(reference_lines, "count_text", fail)
    assert keep(make_study()) == []
    shown = keep(make_study(training={"batch": 8}))
    assert shown[-1] == "the reference lines are not measured: RuntimeError: planted fault"
    # Those of other masks do not stay.
    assert RunFolder(tmp_path).read_reference_lines() is None


def test_a_damaged_file_is_named(make_study, keep, tmp_path):
    keep(make_study())
    (tmp_path / "lines.json").write_text("{")
    with pytest.raises(RecordError, match=r"lines\.json.*delete it"):
        keep(make_study())
