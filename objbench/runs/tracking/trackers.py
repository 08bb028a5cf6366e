"""The trackers that a run can log to, each through accelerate's class of it.

A cell is one run of the tracker, in a project with the study's name. Which run that is stays in the
run folder, so that a cell that continues goes on in its own run. The horizontal axis is the steps
done, with those of cooldown branches; the model's own are logged as ``spent/steps``. Nothing here
enters a key or a record.
"""

from __future__ import annotations

import importlib.util
import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

from objbench.errors import ConfigError
from objbench.runs.environment import changed_environment
from objbench.runs.tracking.tracker import TrackedRun, Tracker

_SECONDS = 10
"""How long a server may take to answer when a run begins."""


class TensorBoard(Tracker):
    """Event files in the run folder."""

    name, package = "tensorboard", "tensorboard"

    def where(self, study: str, folder: Path) -> str:
        """A command."""
        return f"tensorboard --logdir {folder}"

    def _try(self) -> None:
        import torch.utils.tensorboard  # noqa: F401 - fails where it does not fit the package

    def _options(self, run: TrackedRun, done: int) -> tuple[str, dict[str, Any]]:
        # What an earlier begin logged beyond the checkpoint is hidden.
        return run.file, {"logging_dir": str(run.folder), "purge_step": done + 1}

    def settled(self, made: Any, run: TrackedRun, done: int) -> int:
        """The settings are a table of the text page."""
        if not done:
            rows = [f"|{name}|{value}|" for name, value in run.settings.items()]
            made.log({"settings": "\n".join(["|setting|value|", "|---|---|", *rows])}, step=0)
        return 0


class WandB(Tracker):
    """Weights & Biases: online, or offline with WANDB_MODE=offline."""

    name, package = "wandb", "wandb"

    def where(self, study: str, folder: Path) -> str:
        """The project, or how to upload it."""
        if self._is_offline:
            return f"wandb sync {folder}/wandb/offline-run-*"
        return f"project {_project(study)} of your account"

    @property
    def _is_offline(self) -> bool:
        return os.environ.get("WANDB_MODE", "online") in ("offline", "dryrun", "disabled")

    def _try(self) -> None:
        wandb = importlib.import_module("wandb")
        if not self._is_offline and not wandb.login(prompt=False, verify=True):
            raise ConfigError(
                "--track wandb: nobody is logged in; run `wandb login`, or set WANDB_MODE=offline"
            )

    def _options(self, run: TrackedRun, done: int) -> tuple[str, dict[str, Any]]:
        settings = importlib.import_module("wandb").Settings(console="off", silent=True)
        return _project(run.study), {
            "id": run.remembered(token_hex(8)),
            "resume": "allow",
            "name": run.cell,
            "group": run.objective,
            "config": dict(run.settings),
            "dir": str(run.folder),
            "settings": settings,
        }

    def settled(self, made: Any, run: TrackedRun, done: int) -> int:
        """Lines of steps that it has are known by its own count of them."""
        made.tracker.define_metric("*", step_metric="spent/steps")
        # After an id was resumed online: one more than the last step that was logged.
        return max(0, int(made.tracker.step) - 1) if made.tracker.resumed else 0


class MLflow(Tracker):
    """An MLflow server, or another place that MLFLOW_TRACKING_URI names."""

    name, package = "mlflow", "mlflow"

    def where(self, study: str, folder: Path) -> str:
        """The experiment and its server."""
        return f"experiment {study} at {os.environ.get('MLFLOW_TRACKING_URI', '')}"

    def _try(self) -> None:
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            raise ConfigError(
                "--track mlflow: no server is named; set MLFLOW_TRACKING_URI, such as to "
                "http://127.0.0.1:5000, where `mlflow server` listens"
            )
        limits = {
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": str(_SECONDS),
        }
        with changed_environment(limits):
            importlib.import_module("mlflow").MlflowClient().search_experiments(max_results=1)

    def _options(self, run: TrackedRun, done: int) -> tuple[str, dict[str, Any]]:
        tags = {"objective": run.objective}
        return run.study.replace("'", ""), {
            "run_id": run.remembered() or None,
            "run_name": run.cell,
            "tags": tags,
        }

    def settled(self, made: Any, run: TrackedRun, done: int) -> int:
        """The id of a new run is the server's."""
        here = made.tracker.info.run_id
        if not run.remembered():
            run.remembered(here)
            made.store_init_configuration(dict(run.settings))
            return 0
        client = importlib.import_module("mlflow").MlflowClient()
        return max(
            (each.step for each in client.get_metric_history(here, "spent/steps")), default=0
        )


class Trackio(Tracker):
    """trackio: its own folder on this machine, or the server that TRACKIO_SERVER_URL names."""

    name, package = "trackio", "trackio"

    def where(self, study: str, folder: Path) -> str:
        """A command, or the server."""
        server = os.environ.get("TRACKIO_SERVER_URL", "").partition("?")[0]
        return f"project {study} at {server}" if server else f'trackio show --project "{study}"'

    def _try(self) -> None:
        importlib.import_module("trackio")
        server = os.environ.get("TRACKIO_SERVER_URL", "")
        if server and not server.startswith(("http://", "https://")):
            raise ConfigError("--track trackio: TRACKIO_SERVER_URL is not an http address; set it")
        if server:
            with urllib.request.urlopen(server, timeout=_SECONDS):
                pass

    def _options(self, run: TrackedRun, done: int) -> tuple[str, dict[str, Any]]:
        return run.study, {
            "name": f"{run.cell}-{run.remembered(token_hex(3))}",
            "group": run.objective,
            "resume": "allow",
            "config": dict(run.settings),
            "embed": False,
            "auto_log_cpu": False,
            "auto_log_gpu": False,
        }

    def settled(self, made: Any, run: TrackedRun, done: int) -> int:
        """A run that is resumed knows which step comes next."""
        return max(0, int(getattr(made.tracker, "_next_step", 0)) - 1)


TRACKERS: Mapping[str, Tracker] = {
    tracker.name: tracker for tracker in (TensorBoard(), WandB(), MLflow(), Trackio())
}
"""The trackers by name."""


def _project(study: str) -> str:
    """``study`` without what Weights & Biases refuses in the name of a project."""
    return "".join("-" if sign in "/\\#?%:" else sign for sign in study)[:128]
