"""The log of a run comes back from a checkpoint as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from objbench.engine.training.checkpoint_files import (
    Checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from objbench.engine.training.stored_log import GROUP, log_tables, logged_points
from objbench.results.training_points import LoggedPoint, Meters

TERMS = ("mlm", "contrast")
FINITE = st.floats(-1e40, 1e40)
SPENT = st.floats(0, 1e40)
POINTS = st.lists(
    st.builds(
        LoggedPoint,
        meters=st.builds(
            Meters,
            steps=st.integers(0, 10**12),
            tokens=st.integers(0, 10**18),
            flops=SPENT,
            seconds=SPENT,
        ),
        loss=FINITE,
        terms=st.dictionaries(st.sampled_from(TERMS), FINITE),
        learning_rate=FINITE,
    ),
    max_size=4,
)


@given(POINTS)
def test_tables(points):
    tables = log_tables(points, TERMS)
    assert tables["counts"].shape == (len(points), 2)
    assert tables["values"].shape == (len(points), 6)
    assert logged_points(Checkpoint(1, {GROUP: tables}, {}), TERMS) == points


def test_an_empty_log_and_one_of_the_older_form(tmp_path):
    write_checkpoint(tmp_path, "key", Checkpoint(1, {GROUP: log_tables([], TERMS)}, {}))
    assert logged_points(read_checkpoint(tmp_path, "key"), TERMS) == []
    point = LoggedPoint(
        meters=Meters(steps=1, tokens=2, flops=3.0, seconds=0.5),
        loss=1.5,
        terms={"mlm": 1.5},
        learning_rate=1e-3,
    )
    older = Checkpoint(1, {}, {"log": [point.model_dump(mode="json")]})
    assert logged_points(older, TERMS) == [point]
