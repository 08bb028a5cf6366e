"""The sentences of a task by side: each side of a pair is read without the other."""

from __future__ import annotations

from collections.abc import Mapping

from objbench.engine.evaluation.examples import Examples, Source
from objbench_suites.sentence_task import SentenceTask


def sentence_sides(source: Source, task: SentenceTask) -> Mapping[str, Source]:
    """Name of each side -> its sentences, with the labels of the pairs: one side, or two."""
    if task.second is None:
        return {"sentences": source}

    def side(is_second: bool) -> Examples:
        examples = source.load()
        sentences = (examples.second or ()) if is_second else examples.first
        return Examples(sentences, None, examples.labels)

    return {
        "first sentences": Source(f"{source.fingerprint} side 1", lambda: side(False)),
        "second sentences": Source(f"{source.fingerprint} side 2", lambda: side(True)),
    }
