"""What studies of up to 150,000 cells take before and after their cells run: ``make simulate``.

    python tests/simulation/simulate.py                1,500, 15,000 and 150,000 cells
    python tests/simulation/simulate.py 10x3 30x10     objectives x seeds, with 50 cells for each

Nothing is trained: plans are the planner's, records are made up. Every part runs in a process of its
own, with one thread. Printed is a table in markdown: CPU seconds, user and system, and the largest
memory of the process so far, which for a machine that others use says more than its clock.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from made_cells import MadeStudy
from parts import PROCESSES
from tabulate import tabulate

from objbench import __version__
from objbench.judge.formatting import three_digits
from objbench.results.provenance import device_name

SIZES = ("10x3", "30x10", "100x30")
_VERSIONS = ("numpy", "pydantic")


def measure(part: str, made: MadeStudy, folder: Path) -> list[dict[str, str | float]]:
    """The steps of one part, each with its CPU seconds and the MiB that this process had at most."""
    found: list[dict[str, str | float]] = []
    for step in PROCESSES[part](made, folder):
        began = time.process_time()
        said = step.work()
        seconds = time.process_time() - began
        found.append({"name": step.name, "seconds": seconds, "memory": _peak(), "said": said})
    return found


def measured(size: str, logged: int, parts: Sequence[str]) -> list[dict[str, str | float]]:
    """The steps of some parts of one size, in their order."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for part in (name for name in PROCESSES if name in parts):
            words = [sys.executable, __file__, size, "--part", part, "--folder", folder]
            ended = subprocess.run(
                [*words, "--logged", str(logged)],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
            found += json.loads(ended.stdout)
            print(f"{size}: {part} is measured", file=sys.stderr, flush=True)
    return found


def table(sizes: list[str], columns: list[list[dict[str, str | float]]]) -> str:
    """A row for each step, and two columns for each size."""
    lines = []
    for steps in zip(*columns, strict=True):
        line = {"": str(steps[0]["name"])}
        for size, step in zip(sizes, steps, strict=True):
            line[f"{size}: s"] = three_digits(float(step["seconds"]))
            # Two columns of one title would be one.
            line["MiB" + " " * sum("MiB" in title for title in line)] = f"{step['memory']:,.0f}"
        line["of the largest"] = str(steps[-1]["said"])
        lines.append(line)
    right = ["left", *["right"] * (2 * len(sizes)), "left"]
    return tabulate(lines, "keys", tablefmt="pipe", disable_numparse=True, colalign=right)


def where() -> str:
    """The machine and the versions."""
    from importlib.metadata import version

    named = [f"{name} {version(name)}" for name in _VERSIONS]
    python = f"Python {platform.python_version()}"
    return f"{device_name('cpu')}, one thread; {', '.join(['objbench ' + __version__, python, *named])}"


def main() -> int:
    """Measure the sizes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", help="objectives x seeds, such as 10x3")
    parser.add_argument("--logged", type=int, default=100, help="points of a pretraining's log")
    parser.add_argument(
        "--only",
        default=",".join(PROCESSES),
        help="parts to measure, of which each needs those before it (default: %(default)s)",
    )
    parser.add_argument("--part", choices=PROCESSES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sizes = given.sizes or [*SIZES]
    studies = {}
    for size in sizes:
        objectives, _, seeds = size.partition("x")
        if not (objectives.isdecimal() and seeds.isdecimal() and int(objectives) and int(seeds)):
            parser.error(f"{size!r} is no size: name objectives x seeds, such as 10x3")
        studies[size] = MadeStudy(int(objectives), int(seeds), given.logged)
    if given.part:
        print(json.dumps(measure(given.part, studies[sizes[0]], given.folder)))
        return 0
    columns = [measured(size, given.logged, given.only.split(",")) for size in sizes]
    print(table(sizes, columns))
    print(f"\nCPU seconds and the process's largest memory, on {where()}; `make simulate`.")
    return 0


def _peak() -> float:
    """The largest memory that this process has had, in MiB."""
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
