"""The subject of ``objbench check``: an objective with a preset's encoder on the toy language.

Whatever the corpus and batch size of the preset, batches are at most ROWS sequences of LENGTH
tokens of the toy language with its own tokenizer. That is enough to see whether an objective meets
the contract, and needs no download.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from objbench.engine.training.job import PretrainJob
from objbench.errors import ConfigError
from objbench.plugins.conformance.subject import Subject
from objbench.plugins.registry import Registry
from objbench.results.plan import PlannedCell
from objbench.results.run_folder import RunFolder
from objbench.runs.cells.prepared_study import prepare
from objbench.runs.progress import Display
from objbench.study.files import preset_layer
from objbench.study.study import Study, build_study

ROWS = 16
LENGTH = 64
_TOKENIZER = "train:1024"


def chosen_subject(
    name: str,
    *,
    preset: str,
    options: Mapping[str, Mapping[str, Any]],
    against: str | None,
    registry: Registry,
    cache: Path,
    scratch: Path,
    compiles: bool = False,
    display: Display,
) -> Subject:
    """The objective called ``name`` as the preset trains it, scaled down.

    Args:
        options: plugin -> option -> value.
        against: the objective to compare the cost per step with; None for no comparison.
        cache: folder for the tokenized toy language.
        scratch: folder for temporary files.
        compiles: whether to run the check that compiles the encoder.
        display: shows what takes time.

    Raises:
        UnknownNameError, ConfigError, PluginError: a name or an option does not fit.
    """
    names = list(dict.fromkeys([name, *([against] if against else [])]))
    study = _small_study(names, preset, options)
    prepared = prepare(
        study, registry, RunFolder(scratch), cache=cache, device="cpu", display=display
    )

    def job(objective: str) -> Any:
        cell = PlannedCell(
            id=objective, kind="pretrain", key="0" * 64, objective=objective, seed=0, step=1
        )
        return prepared.pretrain_job(cell)

    return Subject(job=job(name), against=job(against) if against else None, compiles=compiles)


def untrained_job(
    preset: str, registry: Registry, cache: Path, scratch: Path, display: Display
) -> PretrainJob:
    """The job of a baseline objective as the preset trains it, scaled down.

    Args:
        registry: every plugin, loaded.
        cache, scratch, display: as for ``chosen_subject``.

    Raises:
        ConfigError: no objective declares itself a baseline.
    """
    # Declared by the class itself: what derives from the baseline is none.
    names = [name for name, cls in registry.objectives.items() if vars(cls).get("is_baseline")]
    if not names:
        raise ConfigError("no installed objective is a baseline, whose encoder could be scored")
    study = _small_study(names[:1], preset, {})
    folder = RunFolder(scratch)
    prepared = prepare(study, registry, folder, cache=cache, device="cpu", display=display)
    cell = PlannedCell(id="0", kind="pretrain", key="0" * 64, objective=names[0], seed=0, step=1)
    return prepared.pretrain_job(cell)


def _small_study(names: list[str], preset: str, options: Mapping[str, Any]) -> Study:
    """The study of the preset, with everything reduced that would only make it slower."""
    base = build_study([preset_layer(preset), {"objectives": names}], f"preset {preset}")
    changes = {
        "options": {plugin: dict(own) for plugin, own in options.items()},
        "data": {
            "corpus": "toy",
            "tokenizer": _TOKENIZER,
            "length": min(base.data.length, LENGTH),
        },
        "training": {
            "batch": min(base.training.batch, ROWS),
            "micro_batches": 1,
            "precision": "fp32",
            "compile": False,
        },
        "evaluation": {"suites": []},
    }
    return build_study([base.model_dump(exclude={"tuning"}), changes], f"preset {preset}")


def described(subject: Subject, preset: str) -> str:
    """The subject in one line."""
    job = subject.job
    return (
        f"{job.objective.name}: {preset} encoder, batches of {job.training.batch} x {job.length} "
        "tokens of the toy language, float32 on the CPU"
    )
