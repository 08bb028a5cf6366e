"""What a CPU cannot show: one GPU measured and checked in at most eight minutes.

    python tests/gpu/check.py            on a GPU; writes .benchmarks/check-gpu.json
    python tests/gpu/check.py --dry      the same code at toy size on a CPU, in seconds

Each part (see ``PARTS``) runs in a process of its own with a time limit, and is an entry of the JSON
whatever becomes of it:

    {"schema": 1, "dry": false, "device": {"name": ..., "memory": ..., "versions": {...}},
     "seconds": ..., "unwritten": [...], "parts": [
       {"name": "presets", "status": "ok" | "failed" | "cut" | "skipped: <reason>",
        "seconds": ..., "limit": ..., "error": "", "rows": [{...}, ...]}]}

"cut" is a part that its limit ended; its rows until then are there. Times are milliseconds unless
a key says otherwise. Numbers of different devices are not to be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import part_conformance
import part_exactness
import part_finetuning
import part_interruption
import part_kernels
import part_presets
import part_sharing
import part_tests
import part_trainer
import part_waits
import torch
from own_process import DRY_PATIENCE, Part, in_own_process, run_part

from objbench.results.provenance import device_name, versions

ROOT = Path(__file__).parents[2]
OUT = ROOT / ".benchmarks" / "check-gpu.json"
SECONDS = 480.0
"""Limit of everything."""

# In order of value, should the time run out; together they stay within SECONDS with the imports.
PARTS = (
    Part("ceilings", part_kernels.ceilings, limit=15),
    Part("gpu tests", part_tests.run, limit=40),
    Part("kernels", part_kernels.triton, limit=35),
    Part("presets", part_presets.run, limit=80),
    Part("waits", part_waits.run, limit=35),
    Part("trainer", part_trainer.run, limit=50),
    Part("exactness", part_exactness.run, limit=45),
    Part("conformance", part_conformance.run, limit=55),
    Part("sharing", part_sharing.run, limit=40),
    Part("fine-tuning", part_finetuning.run, limit=30),
    Part("kill and resume", part_interruption.run, limit=35),
)

UNWRITTEN = ("whole-step CUDA graphs",)


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a part runs.

    Attributes:
        device: a GPU, or the CPU in a dry run.
        dry: whether everything is as small as it can be.
        folder: an empty folder of the part's own.
        found: name of an earlier part -> its rows.
    """

    device: torch.device
    dry: bool
    folder: Path
    found: Mapping[str, list[dict[str, Any]]]


def describe(device: str) -> dict[str, Any]:
    """The device as the records call it; {} if there is none. Only in a process of its own.

    CUDA must not be begun in a process that forks others.
    """
    if device == "cpu":
        return {"name": device_name("cpu"), "memory": 0, "versions": versions()}
    if not torch.cuda.is_available():
        return {}
    found = torch.cuda.get_device_properties(0)
    return {
        "name": found.name,
        "memory": found.total_memory,
        "capability": f"{found.major}.{found.minor}",
        "cuda": torch.version.cuda,
        "versions": versions(),
    }


def check(device: str, dry: bool, names: list[str], seconds: float) -> dict[str, Any]:
    """The result of every part that is named, as it goes into the JSON."""
    began = time.monotonic()
    seconds *= DRY_PATIENCE if dry else 1
    about = in_own_process(describe, device)
    if not about:
        return {}
    entries: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, part in enumerate(PARTS):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            found = {entry["name"]: entry["rows"] for entry in entries}
            setting = Setting(torch.device(device), dry, folder, found)
            left = seconds - (time.monotonic() - began)
            reason = "not asked for" if part.name not in names else "" if left > 1 else "no time"
            entry = part.skipped(reason) if reason else run_part(part, setting, left)
            entries.append(entry)
            print(f"{entry['status']:10} {part.name:16} {entry['seconds']:5.0f} s", flush=True)
            if entry["error"]:
                print(entry["error"].splitlines()[-1], flush=True)
    return {
        "schema": 1,
        "dry": dry,
        "device": about,
        "seconds": round(time.monotonic() - began, 1),
        "unwritten": list(UNWRITTEN),
        "parts": entries,
    }


def main(words: list[str]) -> int:
    """0 if nothing failed or was cut, and where there is no GPU to check."""
    everything = ",".join(part.name for part in PARTS)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT, help="the JSON (default: %(default)s)")
    parser.add_argument("--dry", action="store_true", help="toy sizes, on the CPU")
    parser.add_argument("--only", default=everything, help="parts, with commas between them")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="limit of everything")
    given = parser.parse_args(words)
    names = [name.strip() for name in given.only.split(",")]
    if unknown := {*names} - {part.name for part in PARTS}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {everything}")
    # One GPU: the Trainer would use all that it sees. Nothing has begun CUDA yet.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    result = check("cpu" if given.dry else "cuda", given.dry, names, given.seconds)
    if not result:
        print("check-gpu: torch sees no GPU here, so nothing was checked (--dry runs on the CPU)")
        return 0
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"written to {given.out}")
    return 1 if any(part["status"] in ("failed", "cut") for part in result["parts"]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
