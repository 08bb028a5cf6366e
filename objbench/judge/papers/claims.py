"""Claims: what a paper says about an objective, as data with its source.

A claim file is TOML: the objective and its baseline, the scale and the score they were measured
with, and one or more claimed numbers with the table, figure or sentence they come from, who
measured them and where they were read. A claim may be about options, as in 40% of masks against
15%: then each side names them. Claims ship in ``leaderboard/claims``; any other file of this form
can be judged by its path.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from objbench.contract.composition import parts_of
from objbench.contract.meters import AXIS_WORDS, Axis
from objbench.errors import ConfigError, one_line
from objbench.judge.papers.published_files import CLAIMS, named_text, published

Words = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(gt=0)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Options = dict[str, dict[str, bool | int | Number | Words]]
"""Plugin -> option -> value, as in a study; "none" for an option that is not set."""

Read = Literal["paper", "abstract", "repository", "quotations"]
READ_WORDS: Mapping[Read, str] = {
    "paper": "a full-text copy of the paper",
    "abstract": "the abstract",
    "repository": "the authors' repository",
    "quotations": "several quotations that agree, the paper itself not opened",
}
"""Where a number was read for a claim file."""


class Claimed(BaseModel):
    """A strict, immutable part of a claim file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Source(Claimed):
    """The paper that makes the claim.

    Attributes:
        paper: authors, year and title.
        url: where it can be read.
        read: where its numbers were read for this file; one of ``READ_WORDS``.
        measured: who measured which side, in a few words.
    """

    paper: Words
    url: str = Field(pattern=r"^https://\S+$")
    read: Read
    measured: Words


class Scale(Claimed):
    """The size of the paper's baseline and of its training.

    Tokens are given directly, or as sequences x length x steps.

    Attributes:
        parameters: of the encoder, embeddings included and heads left out.
        steps: optimizer steps.
        tokens: tokens seen; 0 where the next two give them.
        sequences: sequences per optimizer step.
        length: tokens per sequence.
        note: what the source leaves open.
    """

    parameters: Count
    steps: Count
    tokens: int = Field(default=0, ge=0)
    sequences: int = Field(default=0, ge=0)
    length: int = Field(default=0, ge=0)
    note: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> Scale:
        if bool(self.tokens) == bool(self.sequences and self.length):
            raise ValueError("give either tokens, or sequences and length")
        return self

    @property
    def tokens_seen(self) -> int:
        """Tokens of the whole training."""
        return self.tokens or self.sequences * self.length * self.steps


class Score(Claimed):
    """The score that the paper measured.

    Attributes:
        suite: the suite it corresponds to, such as "glue".
        protocol: name of the protocol that the paper followed, whether or not objbench ships it.
        average: label of the average, such as "mean of eight tasks".
    """

    suite: Words
    protocol: Words
    average: Words


class Claim(Claimed):
    """One thing that a paper claims.

    Attributes:
        id: unique within its file.
        kind: "speedup", a factor of spend; "gain", points at equal spend; or "leaves-plateau", that
            more of the objective's runs learn than of the baseline's, which has no axis and no
            value.
        axis: the compute axis of a speedup, or on which the spends of a gain are equal.
        unequal: why the sides of a gain did not spend the same on any axis; "" where they did.
        value: the factor, or the points; larger claims more.
        qualifier: "up to" where the paper says so, or "".
        runs: pretraining runs per side behind the number: 1 where the paper has one model per side
            and mentions no other; None where its words can be read both ways.
        where: table, figure or section, with the numbers that the value is made of.
        wording: the paper's own words.
        read, scale, score: where they differ from the file's.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    kind: Literal["speedup", "gain", "leaves-plateau"]
    axis: Axis | None = None
    unequal: str = ""
    value: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    qualifier: Literal["", "up to"] = ""
    runs: Count | None = None
    where: Words
    wording: Words
    read: Read | None = None
    scale: Scale | None = None
    score: Score | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Claim:
        if self.kind == "leaves-plateau" and (self.axis or self.value or self.qualifier):
            raise ValueError("leaves-plateau has no axis, no value and no qualifier")
        if self.unequal and (self.axis or self.kind != "gain"):
            raise ValueError("unequal says why a gain has no axis: leave one of them out")
        if self.kind == "leaves-plateau":
            return self
        if not (self.axis or self.unequal) or not self.value:
            raise ValueError(f"a {self.kind} needs an axis and a value above 0")
        if self.kind == "speedup" and self.value <= 1:
            raise ValueError("a speedup is larger than 1")
        return self

    @property
    def axis_words(self) -> str:
        """What the axis is called in a sentence; "" without one."""
        return AXIS_WORDS[self.axis] if self.axis else ""


class ClaimFile(Claimed):
    """The claims of one paper.

    Attributes:
        name: the file's, without ".toml".
        summary: one line on what the objective is.
        objective, baseline: names as in a study, such as "mlm+sop".
        objective_options, baseline_options: the options of each side that the claim is about; where
            a side has none, it is whatever the study has under its name.
    """

    name: Words
    summary: Words
    objective: Words
    baseline: Words
    objective_options: Options = Field(default_factory=dict)
    baseline_options: Options = Field(default_factory=dict)
    source: Source
    scale: Scale
    score: Score
    # TOML has arrays where the model has tuples.
    claims: tuple[Claim, ...] = Field(min_length=1, strict=False)

    @model_validator(mode="after")
    def _consistent(self) -> ClaimFile:
        sides = (
            (self.objective, self.objective_options),
            (self.baseline, self.baseline_options),
        )
        if sides[0] == sides[1]:
            raise ValueError("objective and baseline are the same")
        for name, options in sides:
            for plugin in options:
                if plugin not in parts_of(name):
                    raise ValueError(f"options of {plugin}, which is no part of {name}")
        ids = [claim.id for claim in self.claims]
        if len(set(ids)) != len(ids):
            raise ValueError("two claims have the same id")
        return self

    def scale_of(self, claim: Claim) -> Scale:
        """The scale at which the paper measured ``claim``."""
        return claim.scale or self.scale

    def score_of(self, claim: Claim) -> Score:
        """The score that the paper measured ``claim`` by."""
        return claim.score or self.score

    def read_of(self, claim: Claim) -> Read:
        """Where the number of ``claim`` was read."""
        return claim.read or self.source.read

    @property
    def sides(self) -> str:
        """What is compared, such as "mlm (rate 0.4) against mlm (rate 0.15)"."""
        candidate = _with_options(self.objective, self.objective_options)
        return f"{candidate} against {_with_options(self.baseline, self.baseline_options)}"


def _with_options(name: str, options: Options) -> str:
    words = ", ".join(
        f"{key} {str(value).lower()}" for own in options.values() for key, value in own.items()
    )
    return f"{name} ({words})" if words else name


def shipped_claims() -> tuple[ClaimFile, ...]:
    """Every claim file that comes with objbench, in the order of the names."""
    return tuple(read_claims(name) for name in published(CLAIMS, ".toml"))


def read_claims(name_or_path: str) -> ClaimFile:
    """The claims of that name, or in that file where it ends in ".toml".

    Raises:
        UnknownNameError: none of that name comes with objbench.
        ConfigError: the file cannot be read, is not TOML, or is not a complete claim file; one
            line names it and the fields.
    """
    text, name, where = named_text(name_or_path, CLAIMS, ".toml", "claim file")
    return parse_claims(text, name, where)


def parse_claims(text: str, name: str, where: str) -> ClaimFile:
    """The claims written in ``text``; ``where`` names it in errors.

    Raises:
        ConfigError: it is not TOML, or a field is unknown, missing or out of range.
    """
    try:
        return ClaimFile.model_validate({**tomllib.loads(text), "name": name})
    except RecursionError as error:
        raise ConfigError(f"{where} is nested too deeply: flatten it") from error
    except ValidationError as error:
        raise ConfigError(f"{where}: {faults(error)}") from error
    except ValueError as error:  # also of numbers with more digits than Python converts
        raise ConfigError(f"{where} is not TOML: {one_line(error)}") from error


def faults(error: ValidationError) -> str:
    """What is wrong with a file, in one line: each field and what it may be."""
    return "; ".join(_fault(item) for item in error.errors())


def _fault(item: Any) -> str:
    field = one_line(".".join(str(part) for part in item["loc"])) or "the file"
    if item["type"] == "extra_forbidden":
        return f"{field}: unknown field"
    if item["type"] == "missing":
        return f"{field} is missing"
    shown = "" if isinstance(item["input"], BaseModel | dict | list) else f" = {item['input']!r}"
    return f"{field}{shown}: {one_line(item['msg']).removeprefix('Value error, ')}"
