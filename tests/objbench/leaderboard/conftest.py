"""Reports of made-up studies, hostile ones, and tables as a reader sees them."""

import json
from contextlib import suppress

import pytest
from foreign_study import (
    HOSTILE,
    MARKUP,
    adapter,
    leaves,
    reference_lines,
    step_comparison,
    stored,
    whole_study,
)

from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.render_markdown import render_markdown
from objbench.results.run_folder import RunFolder
from objbench.results.study_results import join


@pytest.fixture
def report_of():
    """(made study) -> its report."""
    return lambda study: analyse(join(study.plan, study.records.values(), study.lines))


@pytest.fixture
def rows():
    """(table) -> its rows as title -> text, both as a reader of the rendered page sees them."""

    def read(table):
        lines = render_markdown([table]).strip().splitlines()
        found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return [dict(zip(found[0], row, strict=True)) for row in found[2:]]

    return read


def filled(models):
    """The contents of files, path -> fields, with hostile text wherever it is read without an error.

    Returns:
        The contents, and the fields that took it.
    """
    contents, places, taken = {path: stored(m) for path, m in models.items()}, {}, set()
    for path, model in models.items():
        for place, field, value in leaves(model):
            if isinstance(value, str):
                places.setdefault((path, field), []).append(place)
    for (path, field), of_field in places.items():
        for text in (HOSTILE, MARKUP):
            changed = json.loads(json.dumps(contents[path]))
            for place in of_field:
                at = changed
                for name in place[:-1]:
                    at = at[name]
                at[place[-1]] = text
            with suppress(ValueError):
                adapter(models[path]).validate_python(changed)
                contents[path] = changed
                taken.add(field)
                break
    for content in contents.values():
        for name in {"study", "data", "config", "details"} & {*content}:
            content[name][MARKUP] = {HOSTILE: [HOSTILE]}
    return contents, taken


@pytest.fixture
def hostile_run(make_study):
    """(folder) -> a run folder whose every text is hostile, and the fields of which that is true.

    Further arguments change how the study is made.
    """

    def make(folder, **changes):
        study = whole_study(lambda **values: make_study(**values | changes))
        run = study.write(folder)
        RunFolder(run).write_step_comparison(step_comparison(study))
        RunFolder(run).write_reference_lines(reference_lines(study))
        models = {run / "plan.json": study.plan, run / "overhead.json": step_comparison(study)}
        models[run / "lines.json"] = reference_lines(study)
        for cell_id, record in study.records.items():
            (path,) = run.glob(f"*/{record.kind}/{cell_id}.{record.key[:12]}.*.json")
            models[path] = record
        contents, taken = filled(models)
        for path, content in contents.items():
            assert path.is_file()
            path.write_text(json.dumps(content))
        return run, taken

    return make


@pytest.fixture
def hostile(hostile_run, tmp_path):
    """A run folder whose every text is hostile, and the fields of which that is true."""
    return hostile_run(tmp_path / "studies" / "run")
