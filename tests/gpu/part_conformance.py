"""``objbench check``'s comparisons of precisions and devices, for three objectives."""

from __future__ import annotations

from typing import Any

from own_process import Row

from objbench.cli.check_subject import chosen_subject
from objbench.plugins.conformance.agreement import CHECKS
from objbench.plugins.conformance.check import result_of
from objbench.plugins.loading import load_plugins
from objbench.runs.progress import Display


def run(setting: Any, row: Row) -> None:
    """The other checks compute on the CPU, that of torch.compile too; ``presets`` compiles on a GPU."""
    registry, failed = load_plugins(), []
    for name in ("mlm",) if setting.dry else ("mlm", "taco", "rtd"):
        scratch = setting.folder / name
        scratch.mkdir()
        subject = chosen_subject(
            name,
            preset="demo",
            options={},
            against=None,
            registry=registry,
            cache=setting.folder / "cache",
            scratch=scratch,
            display=Display(),
        )
        for check in CHECKS[:2]:
            result = result_of(check, subject)
            row(objective=name, check=check.name, status=result.status, note=result.note)
            if result.status == "failed":
                failed.append(f"{name}: {check.name}")
    if failed:
        raise RuntimeError(", ".join(failed))
