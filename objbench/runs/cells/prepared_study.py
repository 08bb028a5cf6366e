"""A study with everything that its cells need in this process, prepared once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache as remembered
from functools import partial
from pathlib import Path
from types import MappingProxyType

from objbench.data import Corpus
from objbench.engine.training.job import PretrainJob
from objbench.plugins.registry import Registry
from objbench.results.evaluation_points import export_steps
from objbench.results.plan import PlannedCell
from objbench.results.run_folder import RunFolder
from objbench.runs.cells.study_text import (
    StudyText,
    open_known_text,
    open_study_corpus,
    open_text,
)
from objbench.runs.planning.configured_plugins import ConfiguredPlugins, configure_plugins
from objbench.runs.progress import Display
from objbench.study.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedStudy:
    """A study, its plugins and its text, and where and how it runs; see ``prepare``.

    Attributes:
        plugins: the study's plugins, configured.
        registry: the plugins that were loaded.
        folder: the run folder.
        cache: folder for what can be made again: tokenised text, task data.
        device: torch device string.
        command: the command line, for the records.
        display: where progress is shown.
        read_corpus: opens the study's corpus the first time it is called.
        open_text: opens the study's text the first time it is called.
        cell_timeout: seconds after which a cell is ended; None for no limit.
        trackers: names of the trackers that pretrainings are logged to.
    """

    study: Study
    plugins: ConfiguredPlugins
    registry: Registry
    folder: RunFolder
    cache: Path
    device: str
    command: str
    display: Display
    read_corpus: Callable[[], Corpus]
    open_text: Callable[[], StudyText]
    cell_timeout: float | None = None
    trackers: tuple[str, ...] = ()

    @property
    def text(self) -> StudyText:
        """The study's text, opened when it is first asked for: most suites bring their own.

        Raises:
            DataError, HubError: the corpus or tokenizer cannot be read or does not fit.
        """
        return self.open_text()

    def with_study(self, study: Study) -> PreparedStudy:
        """The same with the settings of ``study``, which reads the same text.

        Raises:
            UnknownNameError, PluginError, ConfigError: a name or an option does not fit.
        """
        return replace(self, study=study, plugins=configure_plugins(study, self.registry))

    def sharing_text(self) -> PreparedStudy:
        """The same, which keeps its text in the run's store too, for machines without the corpus."""
        how = self.study, self.cache, self.display.say, self.read_corpus, self.folder
        return replace(self, open_text=remembered(partial(open_text, *how)))

    def pretrain_job(
        self, cell: PlannedCell, teachers: Mapping[str, Path] = MappingProxyType({})
    ) -> PretrainJob:
        """The engine's job for one pretraining or trial.

        Args:
            cell: the planned cell.
            teachers: as ``PretrainJob.teachers``; none where only the cost of a step is wanted.
        """
        study, text = self.study, self.text
        own = study.for_objective(cell.objective, cell.settings)
        objective, _ = self.plugins.objectives[cell.objective]
        steps = max(1, cell.step)
        points = 1 if cell.kind == "trial" else min(steps, study.evaluation.points)
        return PretrainJob(
            objective=objective,
            config=self.plugins.config(own, cell.objective),
            encoder=own.encoder,
            training=own.training,
            length=study.data.length,
            seed=cell.seed,
            steps=steps,
            train=text.train,
            heldout=text.heldout,
            vocabulary=text.vocabulary,
            tokenizer=text.tokenizer,
            run=self.folder.path,
            encoders=self.folder.encoders(cell),
            checkpoints=self.folder.checkpoints(cell),
            key=cell.key,
            teachers=dict(teachers),
            export_steps=tuple(export_steps(steps, points, study.evaluation.spacing)),
            heldout_batches=study.evaluation.heldout_batches,
            heldout_part="tuning" if cell.kind == "trial" else "reported",
            device=self.device,
        )


def prepare(
    study: Study,
    registry: Registry,
    folder: RunFolder,
    *,
    cache: Path,
    device: str,
    command: str = "",
    display: Display | None = None,
    cell_timeout: float | None = None,
    trackers: tuple[str, ...] = (),
    is_planned: bool = False,
) -> PreparedStudy:
    """Prepare ``study`` to be run in ``folder``; see ``PreparedStudy``.

    Args:
        is_planned: another process has planned it, and made its text; the corpus need not be here.

    Raises:
        UnknownNameError, PluginError, ConfigError: a name or an option does not fit.
    """
    shown = display or Display()
    read_corpus = remembered(partial(open_study_corpus, study, shown.say))
    opened = partial(_open_planned_text, folder) if is_planned else open_text
    return PreparedStudy(
        study=study,
        plugins=configure_plugins(study, registry),
        registry=registry,
        folder=folder,
        cache=cache,
        device=device,
        command=command,
        display=shown,
        read_corpus=read_corpus,
        open_text=remembered(partial(opened, study, cache, shown.say, read_corpus)),
        cell_timeout=cell_timeout,
        trackers=trackers,
    )


def _open_planned_text(
    folder: RunFolder,
    study: Study,
    cache: Path,
    say: Callable[[str], None],
    read_corpus: Callable[[], Corpus],
) -> StudyText:
    """The text that was planned in ``folder``; one that was planned before texts were is read again."""
    plan = folder.read_text_plan()
    if plan is None or plan.study["data"] != study.model_dump(mode="json")["data"]:
        return open_text(study, cache, say, read_corpus)
    return open_known_text(study, plan, folder, cache)
