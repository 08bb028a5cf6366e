"""Imports what a command of objbench needs; whoever is forked afterwards begins at once.

No thread is started and no step taken, so that forking is safe.
"""

import objbench.cli.main
import objbench.engine.training.trainer
import objbench.leaderboard.analysis
import objbench.leaderboard.html.whole_page
import objbench.leaderboard.page
import objbench.runs.executors.process_pool
import objbench.runs.run_study
import objbench.runs.starters.chosen_place
import objbench.runs.work  # noqa: F401
from objbench.plugins.loading import load_plugins

load_plugins()
