"""The suite of ``objbench check``, with an untrained encoder of a preset over the toy language.

The encoder's tokenizer is the toy language's, so that nothing is downloaded; what a suite reads
itself, such as GLUE, it needs here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from objbench.cli.check_subject import untrained_job
from objbench.contract.options import configure
from objbench.contract.suite import EvaluationContext, Suite
from objbench.data.heldout_split import HeldoutPart, heldout_rows
from objbench.engine.training.initial import export_untrained
from objbench.errors import ConfigError
from objbench.plugins.conformance.suite_subject import MOST_TRAINED, SuiteSubject
from objbench.plugins.registry import Registry
from objbench.runs.progress import Display


def chosen_suite(
    name: str,
    *,
    preset: str,
    options: Mapping[str, Mapping[str, Any]],
    registry: Registry,
    cache: Path,
    scratch: Path,
    display: Display,
) -> SuiteSubject:
    """The suite called ``name`` with what its checks need.

    Args:
        preset: whose encoder is made.
        options: plugin -> option -> value.
        registry: every plugin, loaded: the encoder is that of an objective that is a baseline.
        cache: folder for the tokenized toy language.
        scratch: folder for the encoder and what the suite stores.
        display: shows what takes time.

    Raises:
        ConfigError, DataError, PluginError: a name or an option does not fit, the suite follows
            another's curve, or its data is not there.
    """
    kind = registry.suite(name)
    if not issubclass(kind, Suite):
        raise ConfigError(
            f"{name} follows the curve of another suite: there is no evaluation to check"
        )
    config = configure(kind, options.get(name, {}))
    # What does not fit is one line, as in a run, and no failed check.
    kind(config).tasks()
    job = untrained_job(preset, registry, cache, scratch, display)
    encoder = scratch / "encoder"
    export_untrained(job, encoder, with_head=True)

    def context(tuning: bool = False) -> EvaluationContext:
        part: HeldoutPart = "tuning" if tuning else "reported"
        return EvaluationContext(
            cache=scratch / "tasks",
            max_train_samples=MOST_TRAINED,
            tuning=tuning,
            heldout=partial(heldout_rows, job.heldout, part),
        )

    return SuiteSubject(make=lambda: kind(config), encoder=encoder, context=context)
