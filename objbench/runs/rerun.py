"""Running cells of a study again that somebody else sent, and comparing what comes out.

Everything is prepared here, from this machine's text, data and plugins: of what was sent only the
plan is used, and its keys, which must be made again from its settings first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from objbench.engine.training.devices import require_device
from objbench.errors import ConfigError, one_line
from objbench.plugins.registry import Registry
from objbench.results.plan import PlannedCell
from objbench.results.provenance import now, provenance
from objbench.results.records import Status
from objbench.results.run_folder import RunFolder
from objbench.results.storage_faults import storage_faults
from objbench.results.study_results import StudyResults
from objbench.results.submissions.comparison import (
    SAME_BITS,
    WITHIN_SEEDS,
    by_seed,
    compared,
    same_place,
)
from objbench.results.submissions.lines_again import lines_again
from objbench.results.submissions.marks import CellAgain, Rerun
from objbench.runs.cells.outcome import Outcome
from objbench.runs.cells.prepared_study import PreparedStudy, prepare
from objbench.runs.cells.reference_lines import keep_reference_lines
from objbench.runs.executors.one_process import OneProcess
from objbench.runs.planning.drawn_cells import drawn_cells, with_needs
from objbench.runs.planning.replanned import replanned
from objbench.runs.planning.usable_part import Options
from objbench.runs.processes import cores, processes
from objbench.runs.progress import display
from objbench.runs.watch import Watch
from objbench.study.study import Study, build_study


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where and how cells are run again.

    Attributes:
        run: folder for the new records and encoders.
        cache: folder for tokenised text and task data.
        device: torch device string.
        corpus, tokenizer: the text here, where the plan names one by a path; "" otherwise.
        options: where the data of suites are here.
        command: the command line, for the records.
    """

    run: Path
    cache: Path
    device: str
    corpus: str = ""
    tokenizer: str = ""
    options: Options
    command: str


def rerun(
    results: StudyResults,
    registry: Registry,
    machine: Machine,
    *,
    nonce: str,
    count: int,
    say: Callable[[str], None],
) -> Rerun:
    """Run cells of a study again that were drawn with ``nonce``.

    Args:
        results: the study, as it was accepted.
        registry: its plugins.
        machine: where to run.
        nonce, count: as for ``drawn_cells``.
        say: called with a line of text before something takes time.

    Raises:
        ConfigError: the study cannot be run here: a plugin, data or the text are missing or others.
        DataError, HubError: the text cannot be read.
    """
    if processes() > 1:
        raise ConfigError("rerun is for one process: leave `accelerate launch` out")
    if results.sent_in is None:
        raise ConfigError("nobody sent this study: rerun is for one that `objbench accept` added")
    drawn = drawn_cells(results, results.sent_in.received.submission, nonce, count)
    cells = with_needs(results, drawn)
    _require_keys(results, registry, machine.options, cells)
    prepared = _prepared(results, registry, machine)
    steps = sum(cell.step for cell in cells if cell.kind == "pretrain")
    say(
        f"drawn with {nonce}: {', '.join(cell.id for cell in drawn)}; with what they need "
        f"{len(cells)} cells, {steps:,} steps of pretraining"
    )
    started = now()
    failures = _run(results, prepared, cells)
    again = _compared(results, prepared, cells, {cell.id for cell in drawn}, failures)
    like_there = all(like for _, like in again)
    measured = prepared.folder.read_reference_lines()
    return Rerun(
        nonce=nonce,
        like_there=like_there,
        allowed=SAME_BITS if like_there else WITHIN_SEEDS,
        cells=tuple(cell for cell, _ in again),
        lines=lines_again(results.lines, measured),
        provenance=provenance(machine.command, machine.device, 1, started),
    )


def _require_keys(
    results: StudyResults, registry: Registry, options: Options, cells: Sequence[PlannedCell]
) -> None:
    """Refuse cells whose keys are not those of their settings, or cannot be made again here.

    Raises:
        ConfigError: one of them is such a cell.
    """
    found = replanned(results, registry, options)
    if found.faults:
        raise ConfigError(f"the plan is not that of its settings: {found.faults[0]}")
    unknown = [cell.id for cell in cells if cell.id not in found.cells]
    if unknown:
        why = "; ".join(found.unchecked) or "its key cannot be made again"
        raise ConfigError(f"{unknown[0]} cannot be run here: {one_line(why)[:400]}")


def _prepared(results: StudyResults, registry: Registry, machine: Machine) -> PreparedStudy:
    """The study on this machine, with the same text.

    Raises:
        ConfigError: the device, the text or the data of a suite are not here, or are others.
    """
    plan = results.plan
    study = _here(build_study([plan.study], "plan.json"), machine)
    require_device(machine.device, study.training.precision)
    prepared = prepare(
        study,
        registry,
        RunFolder(machine.run),
        cache=machine.cache,
        device=machine.device,
        command=machine.command,
        display=Watch(display(quiet=False)),
    )
    found = prepared.text.description()
    wrong = [name for name in {*found, *plan.data} if found.get(name) != plan.data.get(name)]
    if wrong:
        raise ConfigError(
            f"the text here is not the text of the study: its {', '.join(sorted(wrong))} differ; "
            "name the same text with --corpus"
        )
    return prepared


def _here(study: Study, machine: Machine) -> Study:
    """The study with the text and data of this machine in place of paths of another."""
    data = study.data.model_dump()
    for name, own in (("corpus", machine.corpus), ("tokenizer", machine.tokenizer)):
        if own:
            data[name] = own
        elif _is_path(name, data[name]):
            raise ConfigError(
                f"the study's {name} is a path of its sender ({one_line(data[name])[:80]}): name the "
                f"same {name} here with --{name}"
            )
    options = {**study.options}
    for name, values in machine.options.items():
        options[name] = {**options.get(name, {}), **values}
    return study.model_copy(
        update={"data": type(study.data).model_validate(data), "options": options}
    )


def _is_path(what: str, text: str) -> bool:
    """Whether a corpus or tokenizer is named by a path, and not by a name of ours or of the hub."""
    if what == "corpus":
        return text != "toy" and not text.startswith("hf:")
    return text.startswith(("/", "~", ".")) or "\\" in text or text.count("/") > 1


def _run(
    results: StudyResults, prepared: PreparedStudy, cells: Sequence[PlannedCell]
) -> dict[str, str]:
    """Run ``cells``; returns why those failed that did: id -> reason."""
    import torch

    folder, plan = prepared.folder, results.plan
    failures: dict[str, str] = {}

    def ended(outcome: Outcome) -> None:
        prepared.display.end(outcome.id, outcome.text)
        if outcome.status == "failed":
            failures[outcome.id] = outcome.text

    threads = torch.get_num_threads()
    wanted = max(results.records[cell.id].provenance.threads for cell in cells)
    try:
        torch.set_num_threads(max(1, min(wanted, cores())))
        folder.make()
        with storage_faults(folder), prepared.display:
            # With the paths of this machine in place of those of its sender.
            here = {"study": prepared.study.model_dump(mode="json")}
            folder.write_plan(plan.model_copy(update=here))
            keep_reference_lines(prepared)
            wanted_ids = {cell.id for cell in cells}
            finished: dict[str, Status] = {
                cell.id: "failed" for cell in plan.cells if cell.id not in wanted_ids
            }
            OneProcess().run(prepared, plan, finished | folder.finished_cells(cells), ended)
    finally:
        torch.set_num_threads(threads)
    return failures


def _compared(
    results: StudyResults,
    prepared: PreparedStudy,
    cells: Sequence[PlannedCell],
    drawn: set[str],
    failures: dict[str, str],
) -> list[tuple[CellAgain, bool]]:
    """(each cell compared, whether it was made where every number must be the same).

    Raises:
        ConfigError: a cell could not be run, which says nothing of the one that was sent.
    """
    found = []
    for cell in cells:
        record = prepared.folder.read_record(cell)
        if record is None or record.status == "failed":
            why = failures.get(cell.id, "it was not run")
            raise ConfigError(f"{cell.id} cannot be run here: {one_line(why)[:300]}")
        sent = results.records[cell.id]
        like = same_place(sent, record)
        record = prepared.folder.with_log(record)
        seeds = by_seed(sent, results.records)
        found.append((compared(sent, record, seeds, drawn=cell.id in drawn, bits=like), like))
    return found
