"""A run folder belongs to the study that was begun in it, and a different one is refused.

Its page shows one study: another one in its place would leave the records of the first stale. The
study may grow, by objectives, seeds and suites, and options of plugins and tuned settings may
change, which makes only their own cells run again. Whatever every cell depends on, and the
baseline, is what the study is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from objbench.errors import ConfigError, one_line
from objbench.results.plan import Plan
from objbench.results.run_folder import RunFolder
from objbench.study.old_names import with_current_names
from objbench.study.settings import WITHOUT_EFFECT_ON_NUMBERS
from objbench.study.study import Study

_SHARED = ("budget", "equalize")
_OF_DATA = ("tokenizer", "length")
_OF_EVALUATION = ("points", "spacing", "heldout_batches")
_MOST_SHOWN = 3
_LONGEST = 60


def require_same_study(study: Study, run: RunFolder) -> None:
    """Refuse ``study`` in a folder where another one was begun.

    Raises:
        ConfigError: the folder belongs to another study; one line says where they differ.
        RecordError: the folder's plan cannot be read.
    """
    if not run.has_plan():
        return
    differences = list(_differences(run.read_plan(), study))
    if differences:
        more = len(differences) - _MOST_SHOWN
        listed = "; ".join(differences[:_MOST_SHOWN]) + (f"; {more} more" if more > 0 else "")
        raise ConfigError(
            f"{run} holds another study ({listed}): give this one a folder of its own with "
            "--name NAME or --out DIR"
        )


def require_same_text(study: Study, data: Mapping[str, Any], run: RunFolder) -> None:
    """Refuse text other than the folder's study has, where it comes from another place.

    The same place with other text is the user's corpus as it has grown: its cells run again. The
    same text in another place is a corpus that was moved.

    Args:
        data: what a plan records of the text.

    Raises:
        ConfigError, RecordError: as ``require_same_study``.
    """
    if not run.has_plan():
        return
    plan = run.read_plan()
    before, here = plan.corpus, study.data.corpus
    if plan.data.get("key") != data["key"] and _place(before) != _place(here):
        raise ConfigError(
            f"{run} holds a study of other text (corpus {before}, here {here}): give this one a "
            "folder of its own with --name NAME or --out DIR"
        )


def _differences(plan: Plan, study: Study) -> Iterator[str]:
    """In what the study is another than the plan's, such as "budget 2k-steps, here 60-steps"."""
    names = [objective.name for objective in plan.objectives]
    if plan.baseline != study.objectives[0]:
        yield f"baseline {plan.baseline}, here {study.objectives[0]}"
    elif lacking := [name for name in names if name not in study.objectives]:
        yield f"objectives {', '.join(names)}, here without {', '.join(lacking)}"
    digests = (plan.asked.encoder.init_digest, study.encoder.init_digest or "")
    if digests[0] != digests[1]:
        words = [f"checkpoint {digest[:12]}" if digest else "no checkpoint" for digest in digests]
        yield f"continues from {words[0]}, here {words[1]}"
        return
    before = _settings(with_current_names(plan.study))
    here = _settings(study.model_dump(mode="json"))
    for place, value in here.items():
        # A setting that the plan does not have is newer than the plan.
        if place in before and before[place] != value:
            yield f"{place} {_shown(before[place])}, here {_shown(value)}"


def _settings(study: Mapping[str, Any]) -> dict[str, Any]:
    """What every cell of a study depends on, by place; an encoder's configuration is one value.

    What is not there, as in a plan of before, is left out.
    """
    encoder, training, data, evaluation = (
        _table(study, name) for name in ("encoder", "training", "data", "evaluation")
    )
    found = {name: study[name] for name in _SHARED if name in study}
    for section, table in (("encoder", encoder), ("training", training)):
        counts = table.keys() - {*WITHOUT_EFFECT_ON_NUMBERS}
        found |= {f"{section}.{n}": value for n, value in table.items() if n in counts}
    found |= {f"data.{name}": data[name] for name in _OF_DATA if name in data}
    if (
        "init" in encoder
    ):  # Known by its digest wherever it is, and its tokenizer by the text's key.
        del found["encoder.init"], found["data.tokenizer"]
    named = {f"evaluation.{name}": evaluation.get(name) for name in _OF_EVALUATION}
    return found | {place: value for place, value in named.items() if value is not None}


def _table(study: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = study.get(name)
    return table if isinstance(table, Mapping) else {}


def _place(corpus: str) -> str:
    """Where a corpus is: paths are compared however they are written."""
    known = corpus == "toy" or corpus.startswith("hf:")
    return corpus if known else str(Path(corpus).expanduser().resolve())


def _shown(value: Any) -> str:
    text = one_line(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
