"""How soon the command line answers when nothing needs computing: help and typing errors.

Run with ``pytest --benchmark-only tests/benchmarks/test_command_line_start.py``. Every command
line runs in a process of its own, from the start of the interpreter to its exit. Reported are CPU
seconds, user and system, which on an otherwise idle machine are the seconds one waits; ``bare`` is
an interpreter that does nothing, run alternately with it.
"""

import os
import subprocess
import sys
from statistics import median

import pytest

ROUNDS, MOST = 7, 0.5
LINES = {
    "help": ["--help"],
    "unknown objective": ["run", "--objectives", "mlm,typo"],
    "unknown term": ["run", "--objectives", "mlm+typo"],
    "unknown flag": ["run", "--objectives", "mlm,taco", "--preset", "demo", "--typo", "1"],
    "option that does not fit": ["run", "--objectives", "mlm", "--preset", "demo", "--mlm-rate=x"],
}

pytestmark = pytest.mark.benchmark(group="command line start")


def cpu_seconds(words, folder):
    """CPU seconds and exit code of a process of ``words``."""
    child = subprocess.Popen(
        words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime, child.returncode


@pytest.mark.parametrize("name", LINES)
def test_command_line_start(name, benchmark, measures, tmp_path):
    words = [sys.executable, "-m", "objbench", *LINES[name]]

    def answer():
        return cpu_seconds(words, tmp_path)

    if measures:
        answer()  # byte code is compiled once, at installation
        pairs = [
            (answer()[0], cpu_seconds([sys.executable, "-c", ""], tmp_path)[0])
            for _ in range(ROUNDS)
        ]
        ours, bare = (median(column) for column in zip(*pairs, strict=True))
        benchmark.extra_info |= {
            "row": "command line start",
            "at": name,
            "floor": f"< {MOST} s",
            "ratio": round(ours, 3),
            "meets": ours < MOST,
            "note": f"CPU seconds of the process; an interpreter that does nothing: {bare:.3f}",
        }
    _, code = benchmark.pedantic(answer, rounds=1)
    assert code == (0 if name == "help" else 2)
