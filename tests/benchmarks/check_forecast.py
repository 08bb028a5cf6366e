"""Is what a plan says what the study then takes? ``make check-forecast``, on a quiet machine.

Runs the demo and, where a corpus and GLUE are named, ``tiny`` with mlm, taco and rtd, each after its
plan, three times. Printed are predicted / actual of device seconds, of the time of all, and of bytes
on disk, as medians. A machine that others use at the same time is refused, since its clock says
nothing: the exit code is then 3.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

BUSY = 0.05
"""Share of a second of spinning that others may take."""

WITHIN = (0.85, 1.15)
OBJECTIVES = "mlm,taco,rtd"


def spin(seconds: float) -> float:
    """The share of ``seconds`` during which this process did not run though it never waited."""
    began, used = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        pass
    return 1 - (time.process_time() - used) / (time.perf_counter() - began)


def stolen(seconds: float = 1.0) -> float:
    """The largest share that is taken from one of as many spinning processes as there are cores."""
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores) as pool:
        return max(pool.map(spin, [seconds] * cores))


def ratios(predicted: dict[str, float], actual: dict[str, float]) -> dict[str, float]:
    """predicted / actual of each number."""
    return {name: predicted[name] / actual[name] for name in predicted}


def outside(found: dict[str, float]) -> list[str]:
    """The seconds that were not predicted well enough.

    Bytes are not judged: a plan takes the largest vocabulary that the tokenizer may have.
    """
    return [
        name
        for name, ratio in found.items()
        if name != "bytes" and not WITHIN[0] <= ratio <= WITHIN[1]
    ]


def predicted(words: list[str]) -> dict[str, float]:
    """What the plan of a study says."""
    from objbench.cli.chosen_study import chosen_study
    from objbench.cli.main import parse
    from objbench.cli.plugin_arguments import load
    from objbench.runs.executors.choose import choose_executor
    from objbench.runs.forecast.plan_ahead import Asked, forecast_ahead

    study = chosen_study(parse(["plan", *words])).study
    executor = choose_executor(None, "cpu", len(study.objectives) * len(study.seeds))
    asked = Asked(jobs=executor.jobs, threads=executor.threads)
    found = forecast_ahead(study, load(), asked)
    of_steps = sum(o.runs * o.route_steps * (o.seconds or 0) for o in found.pretrainings)
    return {
        "pretraining device seconds": of_steps,
        "evaluation seconds": found.evaluation_seconds or 0.0,
        "time of all": found.seconds or 0.0,
        "bytes": found.disk.encoders + found.disk.records,
    }


def actual(words: list[str], folder: Path) -> dict[str, float]:
    """What the study took."""
    from objbench.results.run_folder import read_records

    command = [sys.executable, "-m", "objbench", "run", *words, "--out", str(folder)]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    whole = time.perf_counter() - began
    records = read_records(folder)
    return {
        "pretraining device seconds": sum(
            r.points[-1].meters.seconds for r in records if r.kind == "pretrain"
        ),
        "evaluation seconds": sum(r.seconds for r in records if hasattr(r, "scores")),
        "time of all": whole,
        "bytes": sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()),
    }


def main() -> int:
    """Print the ratios as JSON; the exit code is 1 if one is outside of ``WITHIN``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="text for the preset tiny")
    parser.add_argument("--glue-dir", help="GLUE for the preset tiny")
    parser.add_argument("--budget", help="of the preset tiny, in place of its own")
    parser.add_argument("--only", choices=["demo", "tiny"], help="of the two studies")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    studies = {"demo": ["--objectives", OBJECTIVES, "--preset", "demo"]}
    if given.corpus and given.glue_dir:
        text = ["--corpus", given.corpus, "--glue-dir", given.glue_dir]
        cap = ["--max-train-samples", "256"]
        budget = ["--budget", given.budget] if given.budget else []
        studies["tiny"] = ["--objectives", OBJECTIVES, "--preset", "tiny", *text, *cap, *budget]
    if given.only:
        studies = {name: words for name, words in studies.items() if name == given.only}
    failed = False
    for name, words in studies.items():
        taken = stolen()
        if taken > BUSY:
            print(f"skipped: others take {taken:.0%} of this machine's cores", file=sys.stderr)
            return 3
        said, found = predicted(words), []
        for _ in range(given.repeats):
            with tempfile.TemporaryDirectory() as folder:
                found.append(ratios(said, actual(words, Path(folder) / "run")))
        middle = {key: median(each[key] for each in found) for key in said}
        failed |= bool(outside(middle))
        print(json.dumps({"study": name, "ratios": middle, "outside": outside(middle)}), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
