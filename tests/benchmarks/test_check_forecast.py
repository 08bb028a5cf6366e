"""The check of the forecast: what it calls busy, and what it calls wrong."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from check_forecast import outside, ratios, spin


def test_a_spinning_process_is_never_more_than_all_of_the_time():
    assert -0.05 <= spin(0.05) <= 1


def test_what_is_off_by_more_than_15_percent_is_named():
    found = ratios({"seconds": 80.0, "bytes": 98.0}, {"seconds": 100.0, "bytes": 100.0})
    assert found == {"seconds": 0.8, "bytes": 0.98}
    assert outside(found) == ["seconds"]
