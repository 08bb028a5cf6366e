"""Made-up studies, as the tests of objbench have them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "objbench"))

from made_study import make_study  # noqa: F401
