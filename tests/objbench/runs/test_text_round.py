"""A text that cells make is the text that one process makes, and no worker needs the corpus for it."""

import threading
import time
from types import SimpleNamespace

import pytest

from objbench.cli.main import main
from objbench.data import tokenising
from objbench.errors import ConfigError, DataError
from objbench.results.run_folder import RunFolder, read_plan, read_records
from objbench.runs.cells import made_text
from objbench.runs.cells.prepared_study import prepare
from objbench.runs.dry_run import dry_run
from objbench.runs.executors import pull_workers
from objbench.runs.executors.place import Place
from objbench.runs.executors.process_pool import ProcessPool
from objbench.runs.text_round import make_text
from objbench.runs.work import work

# What a run took, and not what it computed.
_TIMES = {"provenance", "seconds", "branch_seconds", "tokens_per_second", "peak_memory"}
CELLS = ["tokenizer", "tokens.0-of-3", "tokens.1-of-3", "tokens.2-of-3", "cache"]


def numbers(value):
    """A record's content without what depends on the clock and the machine."""
    if isinstance(value, dict):
        return {name: numbers(inner) for name, inner in value.items() if name not in _TIMES}
    return [numbers(inner) for inner in value] if isinstance(value, list) else value


def content(folder):
    return {r.id: numbers(r.model_dump(mode="json")) for r in read_records(folder)}


def cached(cache):
    """The files of the only token cache in ``cache``; nothing else is left beside it."""
    (folder,) = (path for path in (cache / "tokens").iterdir() if path.is_dir())
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def small(make_study):
    return make_study(
        objectives=["mlm"],
        budget="2-steps",
        evaluation={"suites": ["heldout"], "points": 1, "heldout_batches": 1},
    )


@pytest.fixture(scope="module")
def whole(small, run, tmp_path_factory):
    """(run, cache) of a text that was made in one piece."""
    folder, cache = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("cache")
    assert run(small, folder, cache=cache).complete
    return folder, cache


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several parts, in this process; others have the whole text in one."""
    monkeypatch.setattr(tokenising, "CHUNK_DOCUMENTS", 9)
    monkeypatch.setattr(tokenising, "BLOCK_CHARACTERS", 2000)


def test_cells_of_one_process_make_the_same_text_and_the_same_study(
    small, whole, run, registry, tmp_path, capsys
):
    folder, cache = tmp_path / "run", tmp_path / "cache"
    assert run(small, folder, cache=cache, shares=3).complete
    assert cached(cache) == cached(whole[1])
    assert content(folder) == content(whole[0])
    assert read_plan(folder).cells == read_plan(whole[0]).cells
    shown = capsys.readouterr().err
    assert "5 cells tokenise" in shown and shown.index("cache: ") < shown.index("cells to run")

    run_folder = RunFolder(folder)
    planned = run_folder.read_text_plan()
    assert [cell.id for cell in planned.cells] == CELLS
    tokens = [run_folder.read_record(cell).tokens for cell in planned.cells]
    assert min(tokens) > 0 and sum(tokens[1:4]) == tokens[4]
    listed = dry_run(small, run=folder, registry=registry).splitlines()[:5]
    assert [line.split() for line in listed] == [["done", cell] for cell in CELLS]

    # What is made is not made again, and the number of cells changes nothing.
    assert run(small, folder, cache=cache, shares=2).complete
    assert "tokenise" not in capsys.readouterr().err


def test_a_round_that_ends_early_goes_on_with_the_parts_that_are_missing(
    small, whole, run, tmp_path, monkeypatch
):
    folder, cache = tmp_path / "run", tmp_path / "cache"
    made = made_text.make_parts

    def fail(*given, share, **options):
        if share == 1:
            raise DataError("the disk with the corpus\nis gone")
        made(*given, share=share, **options)

    monkeypatch.setattr(made_text, "make_parts", fail)
    with pytest.raises(DataError, match=r"not made: tokens\.1-of-3: the disk .*corpus is gone"):
        run(small, folder, cache=cache, shares=3)
    assert not (folder / "plan.json").exists()
    (parts,) = (cache / "tokens").glob("*.parts")
    before = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    assert before

    def noted(parts, *given, **options):
        for path in map(parts.store.root.joinpath, parts.store.list(parts.folder)):
            assert before.setdefault(path.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns
        made(parts, *given, **options)

    monkeypatch.setattr(made_text, "make_parts", noted)
    assert run(small, folder, cache=cache, shares=3).complete
    assert cached(cache) == cached(whole[1])
    assert content(folder) == content(whole[0])


def test_a_round_that_goes_on_with_another_cache_trains_its_tokenizer_again(
    small, whole, run, tmp_path, monkeypatch
):
    made, is_gone = made_text.make_parts, True

    def fail(*given, **options):
        if is_gone:
            raise DataError("the machine is switched off")
        made(*given, **options)

    monkeypatch.setattr(made_text, "make_parts", fail)
    with pytest.raises(DataError, match="switched off"):
        run(small, tmp_path / "run", cache=tmp_path / "deleted", shares=3)
    is_gone = False
    assert run(small, tmp_path / "run", cache=tmp_path / "cache", shares=3).complete
    assert cached(tmp_path / "cache") == cached(whole[1])


@pytest.mark.slow
def test_a_pool_makes_it(small, whole, registry, tmp_path):
    folder, cache = RunFolder(tmp_path / "run"), tmp_path / "cache"
    folder.make()
    prepared = prepare(small, registry, folder, cache=cache, device="cpu")
    text = make_text(prepared, ProcessPool(2), shares=3).text
    assert cached(cache) == cached(whole[1])
    assert text.description() == read_plan(whole[0]).data
    assert len(folder.ended_cells(folder.read_text_plan().cells)) == 5


@pytest.mark.slow
def test_workers_make_it_and_others_need_no_corpus(small, whole, run, registry, corpus, tmp_path):
    text = tmp_path / corpus.name
    text.write_bytes(corpus.read_bytes())
    data = small.data.model_copy(update={"corpus": str(text)})
    study, folder, ends = small.model_copy(update={"data": data}), tmp_path / "run", []

    def drive():
        place = Place("workers")
        ends.append(run(study, folder, cache=tmp_path / "1", jobs=None, place=place, shares=3))

    driver = threading.Thread(target=drive)
    driver.start()
    while not RunFolder(folder).read_worker_terms():
        assert driver.is_alive()
        time.sleep(0.1)
    mine = work(folder, cache=tmp_path / "2", jobs=1, device="cpu")
    driver.join()
    assert ends[0].complete and not mine.failures
    assert {*CELLS} < {outcome.id for outcome in mine.ran}
    assert content(folder).keys() == content(whole[0]).keys()
    assert not RunFolder(folder).store.list("leases")

    # On a machine that has nothing but the run folder.
    text.unlink()
    here = prepare(
        study, registry, RunFolder(folder), cache=tmp_path / "3", device="cpu", is_planned=True
    )
    assert here.text.description() == read_plan(folder).data == read_plan(whole[0]).data
    for number in "123":
        for name in ("train.bin", "heldout.bin"):
            assert cached(tmp_path / number)[name] == cached(whole[1])[name]


def test_a_planned_text_is_opened_without_the_corpus_or_refused(
    small, run, registry, corpus, tmp_path, monkeypatch
):
    text = tmp_path / corpus.name
    text.write_bytes(corpus.read_bytes())
    data = small.data.model_copy(update={"corpus": str(text)})
    study = small.model_copy(update={"data": data})
    assert run(study, tmp_path / "run", cache=tmp_path / "cache").complete
    text.unlink()

    def prepared(cache):
        folder = RunFolder(tmp_path / "run")
        return prepare(study, registry, folder, cache=cache, device="cpu", is_planned=True)

    plan = read_plan(tmp_path / "run")
    assert prepared(tmp_path / "cache").text.description() == plan.data
    with pytest.raises(
        DataError, match=r"^tokenizer train:400 was trained elsewhere.*--cache"
    ) as e:
        _ = prepared(tmp_path / "empty").text
    assert str(e.value).count("\n") == 0
    (tokens,) = (tmp_path / "cache" / "tokens").glob("*.lock")
    tokens.with_suffix("").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"the tokenized text is not in .*--cache, or run"):
        _ = prepared(tmp_path / "cache").text


def test_a_worker_without_the_corpus_makes_no_text(small, run, corpus, tmp_path, monkeypatch):
    text = tmp_path / corpus.name
    text.write_bytes(corpus.read_bytes())
    data = small.data.model_copy(update={"corpus": str(text)})
    folder, seen = tmp_path / "run", []

    def look(seconds):
        """What the driver does while it waits for workers."""
        text.rename(tmp_path / "away")
        for _ in range(2):
            with pytest.raises(ConfigError, match=r"is still to be made.*(no such|another one)"):
                work(folder, cache=tmp_path / "2", jobs=1, device="cpu")
            text.write_text("something else\n\nand more\n")
        seen.append(main(["watch", str(folder), "--once"]))
        raise KeyboardInterrupt

    monkeypatch.setattr(pull_workers, "time", SimpleNamespace(sleep=look, monotonic=time.monotonic))
    with pytest.raises(KeyboardInterrupt):
        run(
            small.model_copy(update={"data": data}),
            folder,
            cache=tmp_path / "1",
            jobs=None,
            place=Place("workers"),
            shares=3,
        )
    assert seen == [0]
    records = RunFolder(folder).ended_cells(RunFolder(folder).read_text_plan().cells)
    assert records == {}
