"""Whatever is changed in a submission is found: a byte, a field, a record, a seed."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.results.sealed_folder import SEAL, damages, seal
from objbench.results.submissions.sealed_study import check_files

HONEST = Path(__file__).parents[3] / "data" / "submission"
FILES = sorted(path.name for path in HONEST.iterdir())
SEALED = [name for name in FILES if name != SEAL]
# Every example reads all files of the submission.
few = settings(max_examples=40, deadline=None)


def changed(folder, name, place, mask):
    """A copy of the submission in ``folder`` with one byte of a file changed."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HONEST, folder)
    data = bytearray((folder / name).read_bytes())
    data[place % len(data)] ^= mask
    (folder / name).write_bytes(bytes(data))
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("changed") / "copy"


def test_an_honest_one_has_no_fault(honest):
    found = check_files(honest)
    assert found.faults == []
    assert found.unchecked == []
    assert len(found.results.records) == len(found.results.plan.cells) == 29
    assert found.statement.by == "A. Reader"
    assert found.digest == check_files(honest).digest


@few
@given(st.sampled_from(FILES), st.integers(0, 10**6), st.integers(1, 255))
def test_any_byte_that_is_changed_is_found(place, name, byte, mask):
    assert damages(changed(place, name, byte, mask))


@few
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_every_byte_of_the_seal_counts_also_between_words(place, byte, mask):
    assert damages(changed(place, SEAL, byte, mask))


def test_a_seal_in_another_layout_is_another(copy):
    written = json.loads((copy / SEAL).read_bytes())
    (copy / SEAL).write_text(json.dumps(written))
    assert damages(copy) == [f"{SEAL} is not as it was written"]


@few
@given(st.sampled_from(SEALED), st.integers(0, 10**6), st.integers(1, 255))
def test_a_byte_is_found_too_where_the_outer_seal_was_made_again(place, name, byte, mask):
    folder = changed(place, name, byte, mask)
    seal(folder)
    assert damages(folder) == []
    # A space that became a line feed says nothing else.
    try:
        same = json.loads((folder / name).read_bytes()) == json.loads((HONEST / name).read_bytes())
    except ValueError:
        same = False
    assert same or check_files(folder).faults


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_named(copy, name):
    (copy / name).unlink()
    assert any(name in fault for fault in check_files(copy).faults)
    if name not in (SEAL, "overhead.json", "lines.json"):
        seal(copy)
        assert check_files(copy).faults


def test_all_files_that_were_changed_are_listed_and_not_the_first_alone(copy):
    for name in ("pretrain.jsonl", "plan.json", "statement.json"):
        (copy / name).write_bytes((copy / name).read_bytes().replace(b"0", b"1"))
    faults = check_files(copy).faults
    assert {name for name in SEALED if any(f.startswith(name) for f in faults)} >= {
        "pretrain.jsonl",
        "plan.json",
        "statement.json",
    }
    assert all("\n" not in fault and str(copy) not in fault for fault in faults)
