"""The cells of a study: each has an id to read and a key of all that determines its result.

A key includes the keys of the cells that it needs, so a change anywhere upstream changes it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from objbench.contract.composition import Composition, recorded_options
from objbench.contract.suite import CurveSuite, Suite
from objbench.engine import ENGINE_VERSION
from objbench.errors import ConfigError
from objbench.plugins.source_digest import source_digest
from objbench.results.json_files import content_key
from objbench.results.plan import PlannedCell
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.study.budget import export_steps, point_shares
from objbench.study.study import Study
from objbench.study.tuning import Settings

# Settings that change what is written down or when, but no number that is computed.
_NOT_IN_KEY = {"log_every", "checkpoint_every"}


def pretraining_id(objective: str, seed: int) -> str:
    """The id of a pretraining."""
    return f"{objective}.seed-{seed}"


def curve_id(curve: str, objective: str, seed: int) -> str:
    """The id of a curve."""
    return f"{curve}.{pretraining_id(objective, seed)}"


def trial_evaluation_id(suite: str, task: str, trial: str) -> str:
    """The id of what scores a trial; ``trial`` is the trial's own id."""
    return f"{suite}.{task}.{trial}"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation that a study asks for, before any key is known."""

    suite: str
    task: str
    objective: str
    seed: int
    share: float
    finetune_seed: int

    @property
    def id(self) -> str:
        """The cell's id, which names the point of the budget such as "20pct"."""
        where = f"{pretraining_id(self.objective, self.seed)}.{100 * self.share:.4g}pct"
        return f"{self.suite}.{self.task}.{where}.ft-{self.finetune_seed}"


def evaluations(study: Study, plugins: ConfiguredPlugins) -> Iterator[Evaluation]:
    """Every evaluation of the study once, in the order in which they are best run.

    The final encoders come before the points on the way, and seed by seed, so that a study
    stopped early has whole comparisons to show.
    """
    shares = point_shares(study.evaluation.points, study.evaluation.spacing)
    followed = {curve.follows(tuple(plugins.suites)): curve for curve in plugins.curves.values()}
    for seed in study.seeds:
        for share in reversed(shares):
            for objective in study.objectives:
                for name, suite in plugins.suites.items():
                    count = len(suite.seeds()) if share == 1 or suite.every_point else 0
                    if count == 0 and name in followed:
                        count = min(followed[name].seeds_per_point, len(suite.seeds()))
                    for finetune_seed in suite.seeds()[:count]:
                        for task in suite.tasks():
                            yield Evaluation(name, task, objective, seed, share, finetune_seed)


def pretrain_cell(
    study: Study,
    plugins: ConfiguredPlugins,
    objective: str,
    seed: int,
    steps: int,
    data: Mapping[str, Any],
    cells: Mapping[str, PlannedCell],
) -> PlannedCell:
    """The cell that pretrains one objective with one seed; ``cells`` holds its teachers'."""
    own = study.for_objective(objective)
    cls, config = plugins.objectives[objective]
    exports = export_steps(steps, study.evaluation.points, study.evaluation.spacing)
    teachers = [cells[pretraining_id(teacher, seed)] for teacher in cls.teachers(config)]
    parts = _training_parts(own, cls, config, seed, steps, exports, data, teachers)
    return PlannedCell(
        id=pretraining_id(objective, seed),
        kind="pretrain",
        key=content_key(parts),
        objective=objective,
        seed=seed,
        step=steps,
        needs=tuple(teacher.id for teacher in teachers),
    )


def trial_cell(
    study: Study,
    plugins: ConfiguredPlugins,
    *,
    objective: str,
    cell_id: str,
    seed: int,
    settings: Settings,
    steps: int,
    data: Mapping[str, Any],
    best: Mapping[str, Mapping[int, PlannedCell]],
) -> PlannedCell:
    """The cell that pretrains one objective with one combination of its grid and one tuning seed.

    Args:
        best: objective -> tuning seed -> the trial of its best settings, for all objectives that
            this one may learn from.
    """
    own = study.for_objective(objective, settings)
    cls, _ = plugins.objectives[objective]
    config = plugins.config(own, objective)
    teachers = [best[teacher][seed] for teacher in cls.teachers(config)]
    parts = _training_parts(own, cls, config, seed, steps, [steps], data, teachers)
    return PlannedCell(
        id=cell_id,
        kind="trial",
        key=content_key({**parts, "heldout_part": "tuning"}),
        objective=objective,
        seed=seed,
        step=steps,
        needs=tuple(teacher.id for teacher in teachers),
        settings=settings,
    )


def _training_parts(
    own: Study,
    cls: type[Any] | Composition,
    config: Any,
    seed: int,
    steps: int,
    exports: list[int],
    data: Mapping[str, Any],
    teachers: Sequence[PlannedCell],
) -> dict[str, Any]:
    """All that determines what a pretraining computes."""
    taught = {"teachers": {teacher.objective: teacher.key for teacher in teachers}}
    return {
        **(taught if teachers else {}),
        "engine": ENGINE_VERSION,
        "objective": cls.name,
        "source": source_digest(cls),
        "options": recorded_options(config),
        "encoder": own.encoder.model_dump(mode="json"),
        "data": data["key"],
        "training": own.training.model_dump(mode="json", exclude=_NOT_IN_KEY),
        "steps": steps,
        "exports": exports,
        "heldout_batches": own.evaluation.heldout_batches,
        "seed": seed,
    }


def evaluation_cell(
    study: Study,
    plugins: ConfiguredPlugins,
    wanted: Evaluation,
    steps: Mapping[str, int],
    cells: Mapping[str, PlannedCell],
) -> PlannedCell:
    """The cell of one evaluation; ``cells`` holds the pretraining it reads."""
    upstream = cells[pretraining_id(wanted.objective, wanted.seed)]
    points, spacing = study.evaluation.points, study.evaluation.spacing
    place = point_shares(points, spacing).index(wanted.share)
    step = export_steps(steps[wanted.objective], points, spacing)[place]
    suite = plugins.suites[wanted.suite]
    parts = _scoring_parts(study, suite, wanted.task, wanted.finetune_seed, upstream, step)
    return PlannedCell(
        id=wanted.id,
        kind="evaluation",
        key=content_key(parts),
        objective=wanted.objective,
        seed=wanted.seed,
        suite=wanted.suite,
        task=wanted.task,
        finetune_seed=wanted.finetune_seed,
        step=step,
        share=wanted.share,
        needs=(upstream.id,),
    )


def require_choosable(suite: Suite) -> None:
    """Refuse to tune by a suite that gives no one score, or by what it reports.

    Raises:
        ConfigError: nothing can be chosen by it.
    """
    if not suite.tunable or not suite.average().groups:
        why = "has no average" if suite.tunable else "reports on all of its data"
        raise ConfigError(
            f"tuning.score = {suite.name!r}: the suite {why}, so nothing can be chosen by it; "
            "name another suite or a held-out loss"
        )


def trial_evaluation_cells(study: Study, suite: Suite, trial: PlannedCell) -> Iterator[PlannedCell]:
    """The cells that score a trial by the suite that the study tunes by.

    Raises:
        ConfigError: the suite has no one score, or nothing to tune on but what it reports.
    """
    require_choosable(suite)
    seed = suite.seeds()[0]
    for task in suite.tasks():
        parts = _scoring_parts(study, suite, task, seed, trial, trial.step)
        yield PlannedCell(
            id=trial_evaluation_id(suite.name, task, trial.id),
            kind="trial_evaluation",
            key=content_key({**parts, "tuning": True}),
            objective=trial.objective,
            seed=trial.seed,
            suite=suite.name,
            task=task,
            finetune_seed=seed,
            step=trial.step,
            needs=(trial.id,),
        )


def _scoring_parts(
    study: Study, suite: Suite, task: str, seed: int, upstream: PlannedCell, step: int
) -> dict[str, Any]:
    """All that determines what an evaluation scores."""
    return {
        "engine": ENGINE_VERSION,
        "upstream": upstream.key,
        "step": step,
        "suite": suite.name,
        "version": suite.version,
        "source": source_digest(type(suite)),
        "task": suite.fingerprint(task),
        "seed": seed,
        "max_train_samples": study.evaluation.max_train_samples,
        "precision": study.training.precision,
    }


def curve_cell(
    study: Study,
    plugins: ConfiguredPlugins,
    name: str,
    curve: CurveSuite,
    objective: str,
    seed: int,
    cells: Mapping[str, PlannedCell],
) -> PlannedCell:
    """The cell of one curve; ``cells`` holds the evaluations it reads."""
    follows = curve.follows(tuple(plugins.suites))
    chosen = plugins.suites[follows].seeds()[: curve.seeds_per_point]
    needs = tuple(
        cell.id
        for cell in cells.values()
        if cell.kind == "evaluation"
        and cell.suite == follows
        and cell.seed == seed
        and cell.objective in (objective, study.objectives[0])
        and cell.finetune_seed in chosen
    )
    key = content_key(
        {
            "suite": name,
            "version": curve.version,
            "source": source_digest(type(curve)),
            "options": asdict(curve.config),
            "average": asdict(plugins.suites[follows].average()),
            "upstream": [cells[needed].key for needed in needs],
        }
    )
    return PlannedCell(
        id=curve_id(name, objective, seed),
        kind="curve",
        key=key,
        objective=objective,
        seed=seed,
        suite=name,
        needs=needs,
    )
