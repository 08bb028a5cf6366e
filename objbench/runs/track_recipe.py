"""A recipe of a track: a study file that says what a recipe may choose and nothing of what is fixed."""

from __future__ import annotations

from pathlib import Path

from objbench.errors import ConfigError
from objbench.judge.track.track import Track, places
from objbench.study.files import Layer, file_layer, merge, own_layer
from objbench.study.study import Study, build_study

_LENGTH = "data.length"
_BATCHES = "evaluation.heldout_batches"


def fixed_layer(track: Track, recipe: Path) -> Layer:
    """What a track sets in the study of a recipe; it overrides what the recipe's preset says.

    Args:
        track: the track.
        recipe: a study file.

    Raises:
        ConfigError: the file names no objectives, sets what the track fixes, or cannot be read.
    """
    own = own_layer(recipe)
    if "objectives" not in own:
        raise ConfigError(
            f'recipe {recipe} names no objectives: write objectives = ["mlm"] or others into it'
        )
    for place, value in places(own):
        if why := _why_not(track, place):
            raise ConfigError(f"recipe {recipe} sets {place} = {value!r}, {why}")
    layer: Layer = merge({"looks": []}, track.fixed)
    layer = merge(layer, {"evaluation": {"suites": list(track.suites)}})
    if _BATCHES in track.settings:
        return layer
    study = build_study([file_layer(recipe), layer], f"recipe {recipe}")
    step = study.training.batch * study.data.length
    if track.measurement.tokens % step:
        raise ConfigError(
            f"recipe {recipe}: a batch of {study.training.batch} x {study.data.length} tokens does not "
            f"divide the {track.measurement.tokens:,} tokens of held-out text that track {track.name} "
            "scores: choose another batch or length"
        )
    return merge(layer, {"evaluation": {"heldout_batches": track.measurement.tokens // step}})


def require_seeds(track: Track, study: Study) -> None:
    """Refuse a recipe with fewer seeds than the track asks for.

    Raises:
        ConfigError: it has fewer.
    """
    if len(study.seeds) < track.seeds:
        raise ConfigError(
            f"track {track.name} needs {track.seeds} seeds that are declared before the first is run, "
            f"and the recipe has {len(study.seeds)}: write seeds = {[*range(track.seeds)]}"
        )


def _why_not(track: Track, place: str) -> str:
    """Why a recipe may not set ``place``; "" where it may."""
    section, _, name = place.partition(".")
    if section == "overrides":
        return _why_not(track, name.partition(".")[2])
    if place in track.settings:
        return f"which track {track.name} fixes as {track.settings[place]!r}: leave it out"
    if section == "data" and place != _LENGTH:
        return f"which track {track.name} fixes: leave it out, and name the text with --corpus"
    if section in ("evaluation", "looks"):
        return f"which track {track.name} fixes, since evaluation is the same for all recipes: leave it out"
    if place in ("encoder.init", "encoder.init_digest"):
        return (
            "and what a checkpoint has cost is in no clock: leave it out, a recipe starts from "
            "random weights"
        )
    if section == "options" and name.partition(".")[0] in track.suites:
        return (
            f"and track {track.name} fixes how it scores: leave it out, and say where data are with "
            "--set"
        )
    return ""
