"""A track: the text, the tokenizer, the held-out measurement and the targets, the same for all recipes.

A track is a TOML file. Those that ship are in ``leaderboard/track``; any other file of the form can be
named by its path. A recipe is a study file that sets none of what a track fixes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from objbench.errors import ConfigError, one_line
from objbench.judge.papers.published_files import TRACKS, named_text, published
from objbench.results.evaluation_points import Spacing
from objbench.results.json_files import content_key, fault
from objbench.results.plan import PlannedSuite

Words = Annotated[str, Field(min_length=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(gt=0)]
Amount = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(allow_inf_nan=False, gt=0)]


class _Fixed(BaseModel):
    """A strict, immutable part of a track file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Text(_Fixed):
    """The text and its tokenizer, by digests.

    Attributes:
        about: what it is and where it comes from, in whole sentences.
        files: path below the corpus folder -> SHA-256 of the file; empty for a generated text.
        corpus: ``Corpus.fingerprint``, of all files and of which are held out.
        tokenizer: ``TokenizerHandle.fingerprint``, of all that determines the token ids.
        train, heldout: the SHA-256 of the token stream of each part.
        vocabulary: number of tokens.
        characters_per_token: of the held-out text; turns nats per token into bits per character.
    """

    about: Words
    files: dict[str, Sha256] = Field(default_factory=dict)
    corpus: Sha256
    tokenizer: Sha256
    train: Sha256
    heldout: Sha256
    vocabulary: Count
    characters_per_token: Positive

    @property
    def digests(self) -> Mapping[str, str]:
        """Part -> the SHA-256 of its token stream, as in ``CellRecord.made_from``."""
        return {"train": self.train, "heldout": self.heldout}

    def key(self, length: int) -> str:
        """The key of the text cut into sequences of ``length`` tokens, as a plan has it."""
        return content_key([self.corpus, self.tokenizer, length])

    @field_validator("files")
    @classmethod
    def _are_inside(cls, files: dict[str, str]) -> dict[str, str]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not name.isprintable():
                raise ValueError(f"{name!r} is no path below the corpus folder")
        return files


class Measurement(_Fixed):
    """How much held-out text is scored at every evaluation point.

    Attributes:
        tokens: batch x length x batches of a point; the batches follow from a recipe's own batch.
        predicted: how many tokens are hidden in them, to within a twentieth; masks depend on the batch.
    """

    tokens: Count
    predicted: Count


class SuiteScore(_Fixed):
    """The suite that a target is in.

    Attributes:
        name: of the suite.
        digest: of its version, protocol, columns and average, as ``suite_digest`` makes it.
    """

    name: Words
    digest: Sha256


class Target(_Fixed):
    """What a recipe has to reach.

    Attributes:
        id: one word, such as "bits".
        words: what is reached, in a few words.
        about: why it is that number, in whole sentences.
        at_most: bits per character of the common loss; None for a suite.
        at_least: of the suite's score, of which more is better; None for the loss.
        suite: the suite; None for the loss.
        other_masks: how much higher a loss may come out than another under other masks, in bits per
            character, in 1 of 100 cases; a recipe of another batch or length than the holder's has
            to be lower by this.
    """

    id: str = Field(pattern="^[a-z][a-z0-9-]{0,19}$")
    words: Words
    about: str = ""
    at_most: Positive | None = None
    at_least: Amount | None = None
    suite: SuiteScore | None = None
    other_masks: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    @property
    def least_score(self) -> float:
        """What has to be reached where greater is better: a loss is negated."""
        if self.at_most is not None:
            return -self.at_most
        assert self.at_least is not None
        return self.at_least

    @model_validator(mode="after")
    def _is_of_one_score(self) -> Target:
        is_loss = self.at_most is not None and self.at_least is None and self.suite is None
        is_suite = self.at_most is None and self.at_least is not None and self.suite is not None
        if not is_loss and not is_suite:
            raise ValueError("give at_most for the loss, or at_least and suite for a suite's score")
        return self


class Track(_Fixed):
    """What is the same for all recipes.

    Attributes:
        name: of its file.
        title: in a few words.
        seeds: how many seeds a recipe declares at least.
        fixed: settings of every recipe's study, as tables of a study file.
        suites: what `objbench track run` evaluates, beside the loss.
        text, measurement, targets: see there.
    """

    name: Words
    title: Words
    seeds: Count
    fixed: dict[str, dict[str, Any]]
    suites: tuple[Words, ...] = ()
    text: Text
    measurement: Measurement
    targets: tuple[Target, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _says_where_its_points_are(self) -> Track:
        points, spacing = (
            self.settings.get(f"evaluation.{name}") for name in ("points", "spacing")
        )
        if type(points) is not int or points < 1 or spacing not in get_args(Spacing):
            raise ValueError(
                "fix evaluation.points as a number from 1 on, and evaluation.spacing as "
                f"{' or '.join(get_args(Spacing))}"
            )
        return self

    @property
    def settings(self) -> Mapping[str, Any]:
        """The fixed settings by their dotted place."""
        return dict(places(self.fixed))


def read_track(name_or_path: str) -> Track:
    """A track that ships, by its name, or one of the user's own, by the path of a TOML file.

    Raises:
        UnknownNameError: none of that name ships.
        ConfigError: the file cannot be read, or is no track.
    """
    text, name, source = named_text(name_or_path, TRACKS, ".toml", "track")
    try:
        fields = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source} is not TOML: {one_line(error)}") from error
    # TOML has no tuples.
    for place in ("suites", "targets"):
        if isinstance(fields.get(place), list):
            fields[place] = tuple(fields[place])
    try:
        return Track.model_validate({**fields, "name": name})
    except ValidationError as error:
        raise ConfigError(f"{source} is not valid: {fault(error)}") from error


def suite_digest(suite: PlannedSuite) -> str:
    """The SHA-256 of all that the score of a planned suite depends on, in hex."""
    own = {"name", "version", "protocol", "columns", "average_label", "average_groups", "direction"}
    return content_key(suite.model_dump(mode="json", include=own))


def track_names() -> tuple[str, ...]:
    """The tracks that ship."""
    return tuple(published(TRACKS, ".toml"))


def places(table: Mapping[str, Any], below: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of tables of a study file by their dotted place, with the file's own names."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from places(value, f"{below}{name}.")
        else:
            yield f"{below}{name}", value
