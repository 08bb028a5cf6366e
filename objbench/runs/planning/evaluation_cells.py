"""The cells that score what was pretrained, for the study's results or to choose between trials.

Each has an id and a key of all that determines its score, with the key of the pretraining.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from objbench.contract.suite import Suite
from objbench.engine import ENGINE_VERSION
from objbench.errors import ConfigError
from objbench.plugins.source_digest import source_digest
from objbench.results.evaluation_points import point_shares
from objbench.results.json_files import content_key
from objbench.results.plan import PlannedCell
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.pretraining_cells import pretraining_id
from objbench.study.study import Study


def trial_evaluation_id(suite: str, task: str, trial: str) -> str:
    """The id of what scores a trial; ``trial`` is the trial's own id."""
    return f"{suite}.{task}.{trial}"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation that a study asks for, before any key is known.

    Attributes:
        place: of its point along the budget, from 0.
    """

    suite: str
    task: str
    objective: str
    seed: int
    place: int
    share: float
    finetune_seed: int

    @property
    def id(self) -> str:
        """The cell's id, which names the point of the budget such as "20pct"."""
        where = f"{pretraining_id(self.objective, self.seed)}.{100 * self.share:.4g}pct"
        return f"{self.suite}.{self.task}.{where}.ft-{self.finetune_seed}"


def evaluations(study: Study, plugins: ConfiguredPlugins) -> Iterator[Evaluation]:
    """Every evaluation of the study once, in the order in which they are best run.

    Seed by seed, and the final encoders before the points on the way.
    """
    shares = point_shares(study.evaluation.points, study.evaluation.spacing)
    followed = {curve.follows(tuple(plugins.suites)): curve for curve in plugins.curves.values()}
    for seed in study.seeds:
        for place, share in reversed([*enumerate(shares)]):
            for objective in study.objectives:
                for name, suite in plugins.suites.items():
                    count = len(suite.seeds()) if share == 1 or suite.every_point else 0
                    if count == 0 and name in followed:
                        count = min(followed[name].seeds_per_point, len(suite.seeds()))
                    for finetune_seed in suite.seeds()[:count]:
                        for task in suite.tasks():
                            yield Evaluation(
                                name, task, objective, seed, place, share, finetune_seed
                            )


def evaluation_cell(
    study: Study,
    plugins: ConfiguredPlugins,
    wanted: Evaluation,
    exports: Mapping[str, Sequence[int]],
    cells: Mapping[str, PlannedCell],
) -> PlannedCell:
    """The cell of one evaluation.

    Args:
        exports: objective -> the steps of its points, as ``export_steps`` gives them.
        cells: with the pretraining that it reads.
    """
    upstream = cells[pretraining_id(wanted.objective, wanted.seed)]
    step = exports[wanted.objective][wanted.place]
    suite = plugins.suites[wanted.suite]
    parts = _evaluated_parts(study, suite, wanted.task, wanted.finetune_seed, upstream, step)
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
        parts = _evaluated_parts(study, suite, task, seed, trial, trial.step)
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


def _evaluated_parts(
    study: Study, suite: Suite, task: str, seed: int, upstream: PlannedCell, step: int
) -> dict[str, Any]:
    """All that determines what an evaluation scores."""
    parts = scoring_parts(study, suite, task, seed)
    return {**parts, "upstream": upstream.key, "step": step}


def scoring_parts(study: Study, suite: Suite, task: str, seed: int) -> dict[str, Any]:
    """All that determines what a suite scores, except the encoder; ``seed`` is of fine-tuning."""
    return {
        "engine": ENGINE_VERSION,
        "suite": suite.name,
        "version": suite.version,
        "source": source_digest(type(suite)),
        "task": suite.fingerprint(task),
        "seed": seed,
        "max_train_samples": study.evaluation.max_train_samples,
        "precision": study.training.precision,
    }
