"""How long the leaderboard of 10,000 records takes.

Run with ``pytest --benchmark-only tests/benchmarks/test_leaderboard_seconds.py``. The study is made
up: 8 objectives, 10 seeds, 37 points of the budget, 3 tasks, 5 fine-tuning seeds at the last point,
and a training log of 100 points in every pretraining record. ``objbench leaderboard`` runs in a
process of its own and writes the page and its four pictures. Reported are CPU seconds, user and
system, of one thread, without the start of the interpreter; the note gives them with it.

Without ``--benchmark-only`` the study is small and only the page is checked.
"""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from objbench.results import atomic_files
from objbench.results.training_points import LoggedPoint, Meters

ROUNDS, MOST = 3, 3.0
CHILD = """
import json, sys, time
from objbench.cli.main import main
started, clock = time.process_time(), time.perf_counter()
code = main(sys.argv[1:])
seconds = {"cpu": time.process_time() - started, "wall": time.perf_counter() - clock}
print(json.dumps(seconds | {"code": code, "all": time.process_time()}), file=sys.stderr)
"""
WHOLE = {
    "objectives": ("mlm", "taco", *(f"other-{number}" for number in range(6))),
    "seeds": tuple(range(1, 11)),
    "points": 37,
    "finetune": tuple(range(5)),
}
# The fixture of the tests of the package itself; the tests are no package.
make_study = runpy.run_path(str(Path(__file__).parents[1] / "objbench" / "made_study.py"))[
    "make_study"
]

pytestmark = pytest.mark.benchmark(group="leaderboard")


def log(points):
    return [
        LoggedPoint(
            meters=Meters(steps=n, tokens=n * 2048, flops=n * 3.0e9, seconds=0.0625 * n),
            loss=9.0 - 0.01 * n,
            terms={"mlm": 9.0 - 0.01 * n},
            learning_rate=1e-3,
        )
        for n in range(1, points + 1)
    ]


def test_leaderboard(benchmark, measures, make_study, tmp_path, monkeypatch):
    study = make_study(**WHOLE if measures else {})
    for cell in study.plan.cells:
        if cell.kind == "pretrain":
            study.change(cell.id, log=log(100 if measures else 2))
    # What is written here need not outlast a power cut.
    monkeypatch.setattr(atomic_files.os, "fsync", lambda number: None)
    run = study.write(tmp_path / "run")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def leaderboard():
        words = ["leaderboard", str(run), "--out", str(tmp_path / "out")]
        ended = subprocess.run(
            [sys.executable, "-c", CHILD, *words],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return json.loads(ended.stderr.splitlines()[-1])

    if measures:
        assert len(study.records) == 10_000
        found = [leaderboard() for _ in range(ROUNDS)]
        cpu, wall, everything = (median(row[k] for row in found) for k in ("cpu", "wall", "all"))
        benchmark.extra_info |= {
            "row": "leaderboard",
            "at": f"{len(study.records):,} records",
            "floor": f"< {MOST:g} s",
            "ratio": round(cpu, 2),
            "meets": cpu < MOST,
            "note": f"CPU seconds; {everything:.2f} with the interpreter's start, "
            f"{wall:.2f} by the clock with whatever else the machine did",
        }
    assert benchmark.pedantic(leaderboard, rounds=1)["code"] == 0
    assert (tmp_path / "out" / "README.md").read_text().startswith("# ")
