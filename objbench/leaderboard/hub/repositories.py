"""Which repositories a study becomes on the hub, and what is in each, before anything is sent.

One repository per final encoder, called after the objective and the seed, and one data set with the
study's records. Nothing here asks the network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from objbench.errors import ConfigError, RecordError, UnknownNameError, one_line
from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.hub.model_card import CardFacts, model_card
from objbench.leaderboard.hub.record_set import README, record_set
from objbench.leaderboard.report import Report
from objbench.results.records import PretrainRecord
from objbench.results.run_folder import RunFolder
from objbench.results.sealed_folder import SEAL, damage
from objbench.results.study_results import StudyResults, read_comparison, read_study_results

MARK = "objbench.json"
"""The file by which a repository that objbench made is known; one of somebody else is left alone."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_LONGEST = 96


@dataclass(frozen=True, slots=True)
class Repository:
    """What goes up under one name.

    Attributes:
        name: "USER/NAME".
        files: path in the repository -> a file on this machine, or what it holds.
    """

    name: str
    kind: Literal["model", "dataset"]
    files: Mapping[str, Path | bytes]

    @property
    def sizes(self) -> dict[str, int]:
        """Path in the repository -> bytes."""
        return {
            name: len(content) if isinstance(content, bytes) else content.stat().st_size
            for name, content in self.files.items()
        }


@dataclass(frozen=True, slots=True)
class Push:
    """What would go up, and what would not.

    Attributes:
        left_out: why an encoder is not among the repositories, one line each.
    """

    repositories: tuple[Repository, ...]
    left_out: tuple[str, ...]


def planned_push(
    run: Path,
    to: str,
    licence: str,
    objectives: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> Push:
    """What a study becomes on the hub.

    Args:
        run: the folder of a run or of a published study, which has records and no encoders.
        to: "USER/NAME", of the data set; encoders are called NAME-OBJECTIVE-seed-N.
        licence: of the text that was trained on, as stated.
        objectives, seeds: whose encoders; all where empty.

    Raises:
        RecordError: the plan, a record or an encoder is damaged.
        ConfigError: a name cannot be one on the hub, or an objective or seed is not of the study.
    """
    require_name(to)
    results = read_study_results(run).without_stale()
    report = analyse(results, read_comparison(run, results.plan))
    _require_known(results, objectives, seeds)
    made: list[Repository] = []
    left_out: list[str] = []
    for item in results.plan.objectives:
        for seed in results.seeds:
            if (objectives and item.name not in objectives) or (seeds and seed not in seeds):
                continue
            found = results.records.get(results.pretraining[item.name, seed])
            if not isinstance(found, PretrainRecord) or found.status != "ok" or not found.points:
                left_out.append(f"{item.name}, seed {seed}: it is not pretrained")
                continue
            folder = RunFolder(run).encoder(found.points[-1])
            if not folder.is_dir():
                left_out.append(f"{item.name}, seed {seed}: its encoder is not in {run}")
                continue
            made.append(_of_encoder(report, found, folder, to, licence))
    names = [repository.name for repository in made]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two encoders would be called {name}: push them with --objectives")
    files = record_set(run, to.split("/")[1], results, report)
    mark = {"study": results.plan.name, "cells": len(results.plan.cells)}
    records = Repository(to, "dataset", {**files, MARK: _json(mark)})
    return Push((*made, records), tuple(left_out))


def require_name(name: str) -> None:
    """Refuse what cannot be the name of a repository.

    Raises:
        ConfigError: it is not USER/NAME of letters, digits, ".", "_" and "-".
    """
    parts = name.split("/")
    is_one = len(parts) == 2 and all(_NAME.fullmatch(part) for part in parts)
    if not is_one or "--" in name or ".." in name or len(parts[-1]) > _LONGEST:
        raise ConfigError(
            f"--to {one_line(name)[:120]!r} is no name on the hub: write USER/NAME in letters, digits, "
            "'.', '_' and '-', such as ada/objectives"
        )


def _require_known(results: StudyResults, objectives: Sequence[str], seeds: Sequence[int]) -> None:
    known = [item.name for item in results.plan.objectives]
    for name in objectives:
        if name not in known:
            raise UnknownNameError("objective", name, known, where="of this study")
    for seed in seeds:
        if seed not in results.seeds:
            listed = ", ".join(map(str, results.seeds))
            raise ConfigError(f"seed {seed} is not one of the study's ({listed})")


def _of_encoder(
    report: Report, record: PretrainRecord, folder: Path, to: str, licence: str
) -> Repository:
    point = record.points[-1]
    if point.digest and (fault := damage(folder, point.digest)):
        raise RecordError(f"the encoder {folder} is damaged ({fault}); pretrain it again")
    own = re.sub(r"[^A-Za-z0-9._]+", "-", record.objective).strip("-.")
    name = f"{to}-{own}-seed-{record.seed}"
    require_name(name)
    facts = CardFacts(
        address=name,
        records=to,
        readme=_text(folder / README),
        licence=licence,
        architecture=_architecture(folder / "config.json"),
    )
    mark = {
        "study": report.plan.name,
        "cell": record.id,
        "key": record.key,
        "digest": point.digest,
    }
    files: dict[str, Path | bytes] = dict(_files(folder))
    files |= {README: model_card(report, record, facts).encode(), MARK: _json(mark)}
    return Repository(name, "model", dict(sorted(files.items())))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Everything of an export but its card and its seal, which is of that card too."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in (README, SEAL) and path.name[0] != ".":
            yield name, path


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="replace") if path.is_file() else ""


def _architecture(path: Path) -> str:
    try:
        found = json.loads(_text(path) or "{}").get("architectures")
    except (ValueError, AttributeError):
        return ""
    return str(found[0]) if isinstance(found, list) and found else ""


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
