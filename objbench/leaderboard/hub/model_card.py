"""The card of an encoder on the hub: what it is, its scale, what the study says, how it is loaded.

The scores are in the card's metadata too (``model-index``), where the hub and other boards read them.
Everything that a study names is foreign text: it is escaped in the body and quoted in the metadata.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from objbench.errors import one_line
from objbench.judge.formatting import amount
from objbench.judge.verdict_text import verdict_lines
from objbench.leaderboard.document import (
    Block,
    Bullets,
    Cell,
    Heading,
    Link,
    Listing,
    Paragraph,
    Strong,
    Text,
    bullets,
    shortened,
    table,
)
from objbench.leaderboard.headline import headline
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.report import Report
from objbench.results.records import PretrainRecord

UNKNOWN = "unknown"
"""The licence of data of which none was stated."""

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.-]*")
_CODE = re.compile(r"```python\n(.*?)\n```", re.DOTALL)
_FOLDER = re.compile(r"^folder = .*$", re.MULTILINE)
_PLAIN_CODE = (
    "from transformers import AutoModel, AutoTokenizer\n"
    'folder = "."\n'
    "tokenizer = AutoTokenizer.from_pretrained(folder)\n"
    "encoder = AutoModel.from_pretrained(folder)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What a card says beyond the study.

    Attributes:
        address: of the encoder's repository, "USER/NAME".
        records: of the data set with the study's records.
        readme: the README.md of the export, whose code loads it; "" where there is none.
        licence: of the text that was trained on, as given; ``UNKNOWN`` where it was not.
        architecture: the class of transformers that the weights are of; "" where it is not known.
    """

    address: str
    records: str
    readme: str
    licence: str
    architecture: str


def model_card(report: Report, record: PretrainRecord, facts: CardFacts) -> str:
    """The README.md of the final encoder of ``record``, metadata first."""
    scores = list(_scores(report, record))
    metadata = _metadata(report, record, facts, scores).to_yaml(line_break="\n")
    return f"---\n{metadata}\n---\n\n{render_markdown(_body(report, record, facts, scores))}"


def licence_fields(licence: str) -> dict[str, Any]:
    """A licence as the hub's metadata has it: an identifier, or a name of its own."""
    if _IDENTIFIER.fullmatch(licence):
        return {"license": licence}
    return {"license": "other", "license_name": shortened(licence, 100)}


@dataclass(frozen=True, slots=True)
class _Score:
    suite: str
    column: str
    metric: str
    value: float


def _scores(report: Report, record: PretrainRecord) -> Iterator[_Score]:
    """The scores of the encoder: every column and the average of every suite, then its loss."""
    row = [item.name for item in report.plan.objectives].index(record.objective)
    seed = report.seeds.index(record.seed)
    for suite in report.suites:
        name = suite.suite.name
        for number, column in enumerate(suite.suite.columns):
            value = float(suite.found.columns[row, seed, number])
            if math.isfinite(value):
                yield _Score(name, column.name, "+".join(column.metrics), value)
        average = float(suite.found.scores[row, seed])
        if suite.is_ranked and math.isfinite(average):
            yield _Score(name, "average", suite.suite.average_label, average)
    for term, value in record.points[-1].heldout.items():
        yield _Score("held-out text", term, "loss", value)


def _metadata(
    report: Report, record: PretrainRecord, facts: CardFacts, scores: list[_Score]
) -> ModelCardData:
    masked = facts.architecture.endswith("ForMaskedLM")
    return ModelCardData(
        library_name="transformers",
        pipeline_tag="fill-mask" if masked else "feature-extraction",
        tags=[
            "objbench",
            *(["sentence-transformers"] if "SentenceTransformer" in facts.readme else []),
            shortened(record.objective, 60),
        ],
        datasets=[facts.records],
        model_name=facts.address.split("/")[-1],
        eval_results=[
            EvalResult(
                task_type="feature-extraction",
                dataset_type=_slug(score.suite),
                # Results of one data set are merged, whatever they are called, unless this differs.
                dataset_config=shortened(score.column, 100),
                dataset_name=shortened(f"{score.suite}: {score.column}", 100),
                metric_type="average" if score.column == "average" else _slug(score.metric),
                metric_name=shortened(score.metric, 100),
                metric_value=round(score.value, 4),
            )
            for score in scores
        ],
        **licence_fields(facts.licence),
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "score"


def _body(
    report: Report, record: PretrainRecord, facts: CardFacts, scores: list[_Score]
) -> list[Block]:
    planned = next(item for item in report.plan.objectives if item.name == record.objective)
    told: list[Text | Bullets] = [
        text
        for item in report.verdicts
        if record.objective in (item.file.objective, item.file.baseline)
        for text in verdict_lines([item])
    ]
    lines: list[dict[str, Cell]] = [
        {
            "suite": one_line(score.suite),
            "column": one_line(score.column),
            "metric": one_line(score.metric),
            "score": f"{score.value:.2f}",
        }
        for score in scores
    ]
    return [
        Heading(1, facts.address),
        *_stuck(report, record),
        Paragraph(
            f"A text encoder ({report.plan.model_type or 'of an unrecorded kind'}) pretrained with the "
            f"objective {planned.name}, seed {record.seed}: one run of the study {report.plan.name}, "
            "which compares pretraining objectives under equal compute. It was made to be measured, "
            f"not to be deployed. {planned.name}: {planned.summary.rstrip('.')}"
            + (f" ({planned.reference})." if planned.reference else ".")
        ),
        Heading(2, "How to load it"),
        Listing("python", _code(facts)),
        Heading(2, "Scale"),
        *bullets(_scale(report, record)),
        Heading(2, "What the study says"),
        Paragraph(headline(report)),
        *bullets(told),
        Heading(3, "Limits"),
        *bullets(list(report.caveats) or ["None beyond those of every such study: its scale."]),
        Heading(2, "Scores of this encoder"),
        Paragraph("Of one pretraining run: differences between objectives need several seeds."),
        table(lines, text_columns=3),
        Heading(2, "Data and licence"),
        Paragraph(
            f"Pretrained on: {shortened(report.plan.corpus) or 'text that is not recorded'}. Licence of "
            f"that text: {facts.licence}"
            + (
                ", which nobody stated: find out before you use the weights."
                if facts.licence == UNKNOWN
                else ", as stated by whoever uploaded this."
            )
        ),
        Heading(2, "Records"),
        Paragraph(
            (
                "Every number above follows from the study's plan and records: ",
                Link(facts.records, f"https://huggingface.co/datasets/{facts.records}"),
                ".",
            )
        ),
    ]


def _stuck(report: Report, record: PretrainRecord) -> list[Block]:
    runs = report.learning.get(record.objective)
    if runs is None or record.seed not in runs.seeds("stuck"):
        return []
    return [
        Paragraph((Strong("This run did not learn"), ": it is no better than counts of words."))
    ]


def _scale(report: Report, record: PretrainRecord) -> list[Text | Bullets]:
    meters, plan = record.points[-1].meters, report.plan
    size = f"{amount(record.cost.encoder_parameters)} parameters" if record.cost else ""
    words = plan.data.get("vocabulary")
    made: list[Text | Bullets] = [
        f"Encoder: {size or 'size not recorded'}"
        + (f", vocabulary of {words:,}" if isinstance(words, int) else ""),
    ]
    spent = [
        f"{meters.steps:,} steps",
        f"{amount(meters.tokens)} tokens",
        f"{amount(meters.flops)} FLOPs",
        f"{amount(meters.seconds)} device seconds",
    ]
    made.append(f"Pretraining: {', '.join(spent)}")
    if plan.checkpoint:
        made.append(f"Continues from the checkpoint {plan.checkpoint}; these count from there")
    return made


def _code(facts: CardFacts) -> str:
    """The code of the export's README, with the repository in place of the folder."""
    found = _CODE.search(facts.readme)
    code = found[1] if found else _PLAIN_CODE
    return _FOLDER.sub(f'folder = "{facts.address}"', code, count=1)
