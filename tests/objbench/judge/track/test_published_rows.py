"""Every study that is published beside a track keeps its rules; a row that no longer does is noticed here."""

from pathlib import Path

import pytest

from objbench.judge.track.rows import rows_in
from objbench.judge.track.track import read_track, track_names
from objbench.results.run_folder import studies_in

PUBLISHED = Path(__file__).parents[4] / "leaderboard" / "track"


@pytest.mark.parametrize("name", track_names())
def test_every_objective_of_a_published_study_is_a_row(name):
    found = rows_in(read_track(name), PUBLISHED / name)
    assert set(found) == {study.name for study in studies_in(PUBLISHED / name)} != set()
    for study, judged in found.items():
        assert judged.all_faults == (), study
        objectives = [o.name for o in judged.rows[0].results.plan.objectives]
        assert [row.objective for row in judged.rows] == objectives, study
