"""The index over a folder of studies: their verdicts first, then each study in a paragraph.

What it says is made from each study's plan and records, from the claims and figures in the folder
and from the judge's published rates; the same files give the same bytes. What a person has to say
of a study is written in its NOTES.md and stands here word for word.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from objbench.errors import ConfigError, one_line
from objbench.judge.formatting import count, escaped, listed, plain, score_text
from objbench.judge.papers.claims import Claim, ClaimFile, read_claims
from objbench.judge.papers.figures import read_figure
from objbench.judge.papers.published_files import CLAIMS, FIGURES, SELFTEST
from objbench.judge.papers.replay_text import replay_headline
from objbench.judge.score_arrays import final_scores
from objbench.judge.selftest.error_rates import read_rates
from objbench.judge.verdict_sentence import number, what
from objbench.leaderboard.caveats import scale_sentence
from objbench.leaderboard.missing import gaps_sentence
from objbench.leaderboard.ranking import Row, ranking
from objbench.leaderboard.settings import budget_sentence, seeds_words
from objbench.leaderboard.verdicts import judged_claims, rates_sentences, verdict_lines
from objbench.results.atomic_files import write_text
from objbench.results.plan import PlannedSuite
from objbench.results.run_folder import studies_in
from objbench.results.study_results import StudyResults, read_study_results

MARK = "<!-- Made by `objbench leaderboard --index`; edits are overwritten. -->"
NOTES = "NOTES.md"


def write_index(folder: Path, out: Path | None = None) -> Path:
    """Write the index of the studies in ``folder``; returns its path.

    Args:
        folder: holds a folder a study, each with its plan.json and records; may hold ``claims``,
            ``figures`` and ``selftest``.
        out: where README.md is written; ``folder`` when None.

    Raises:
        ConfigError: there is no study, or README.md there was written by hand or cannot be
            written.
        RecordError: a plan or a record cannot be read.
    """
    runs = studies_in(folder)
    if not runs:
        raise ConfigError(
            f"{folder} holds no folder with a plan.json: name one that holds studies, such as "
            "leaderboard"
        )
    page = (out or folder) / "README.md"
    try:
        if page.is_file() and MARK not in page.read_text("utf-8", errors="replace"):
            raise ConfigError(
                f"{page} was not made by objbench: move what it says of a study into the study's "
                f"{NOTES}, and delete it"
            )
        write_text(page, index_text(folder, runs))
    except OSError as error:
        raise ConfigError(
            f"the index {page} cannot be written: {error.strerror}; name a folder with --out"
        ) from error
    return page


def index_text(folder: Path, runs: list[Path]) -> str:
    """The page over the studies in ``runs``, folders in ``folder``."""
    standings = {run.name: read_study_results(run) for run in runs}
    name = folder.resolve().name
    parts = [
        "# Results",
        MARK,
        (
            "Each folder is one study that `objbench` ran: its page, its pictures, its plan and every "
            "record. Its page and this one can be made again from them, byte for byte:"
        ),
        (
            f"```sh\nobjbench leaderboard {name}/{runs[0].name} --out {name}/{runs[0].name}\n"
            f"objbench leaderboard --index {name}\n```"
        ),
        "## Verdicts",
        _bullets(_verdicts(standings)),
        "## Studies",
        *(part for run in runs for part in _study(run, standings[run.name])),
        *_titled("## Claims", _bullets(_claims(folder))),
        *_titled("## Published figures, replayed", _bullets(_figures(folder))),
        *_titled("## The judge's own test", _bullets(_selftests(folder))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdicts(standings: dict[str, StudyResults]) -> Iterator[str]:
    for name, results in standings.items():
        for line in verdict_lines(results):
            yield f"{_link(name, f'{name}/README.md')}: {line}"
    if any(judged_claims(results) for results in standings.values()):
        yield from rates_sentences(read_rates())


def _study(run: Path, results: StudyResults) -> Iterator[str]:
    """A study's heading, its paragraph, and what was written by hand."""
    plan = results.plan
    yield f"### {_link(run.name, f'{run.name}/README.md')}"
    sentences = [
        plain(budget_sentence(plan)),
        f"{count(len(results.seeds), 'pretraining seed')}: {seeds_words(plan)}.",
        scale_sentence(results),
        *(_ranking_line(results, suite) for suite in results.suites),
        gaps_sentence(results),
        f"More on {_link('its page', f'{run.name}/README.md')}.",
    ]
    yield " ".join(text for text in sentences if text)
    notes = run / NOTES
    if notes.is_file():
        yield f"Notes, by hand ({_link(NOTES, f'{run.name}/{NOTES}')}):"
        yield notes.read_text("utf-8").strip()


def _ranking_line(results: StudyResults, suite: PlannedSuite) -> str:
    if not suite.average_groups:
        return ""
    rows = ranking(results, final_scores(results, suite))
    ranked = [_placed(row) for row in rows if row.rank is not None]
    others = [f"{row.objective} ({row.why})" for row in rows if row.rank is None]
    parts = [*ranked, *([f"not ranked: {listed(others)}"] if others else [])]
    return f"By {suite.name} ({plain(suite.average_label)}): {'; '.join(parts)}."


def _placed(row: Row) -> str:
    assert row.score is not None
    score = score_text(row.score, brief=True)
    return f"{row.rank}. {row.objective} {score}, group {row.group}"


def _claims(folder: Path) -> Iterator[str]:
    for path in sorted((folder / CLAIMS).glob("*.toml")):
        file = read_claims(str(path))
        link = _link(path.name, f"{CLAIMS}/{path.name}")
        paper = f"[{escaped(file.source.paper)}]({file.source.url})"
        claims = listed([_claim_words(claim) for claim in file.claims])
        yield f"{link}: {_against(file)}: {claims}. {paper}"


def _against(file: ClaimFile) -> str:
    return f"{file.objective} against {file.baseline}"


def _claim_words(claim: Claim) -> str:
    value = " ".join([*claim.qualifier.split(), number(claim, claim.value)])
    return f"{what(claim)} {value}"


def _figures(folder: Path) -> Iterator[str]:
    for path in sorted((folder / FIGURES).glob("*.json")):
        verdict, *said = replay_headline(read_figure(str(path)))
        link = _link(path.name, f"{FIGURES}/{path.name}")
        yield f"{link} (`objbench verify --figure {path.stem}`): {escaped(verdict)}"
        yield from (f"{link}: {escaped(text)}." for text in said)


def _selftests(folder: Path) -> Iterator[str]:
    for path in sorted((folder / SELFTEST).glob("*.md")):
        with path.open(encoding="utf-8") as file:
            title = one_line(file.readline().lstrip("# "))
        yield _link(title, f"{SELFTEST}/{path.name}")


def _link(text: str, place: str) -> str:
    return f"[{escaped(text)}]({place})"


def _bullets(lines: Iterator[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _titled(title: str, text: str) -> list[str]:
    return [title, text] if text else []
