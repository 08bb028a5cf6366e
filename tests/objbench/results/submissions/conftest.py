"""An honest submission: six steps of two objectives with three seeds, as `objbench submit` made it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from objbench.results.run_folder import RunFolder
from objbench.results.study_results import read_study_results
from objbench.results.submissions.sealed_study import check_files, write_submission
from objbench.results.submissions.statement import statement_of

HONEST = Path(__file__).parents[3] / "data" / "submission"


@pytest.fixture(scope="session")
def honest():
    """The folder; not to be changed."""
    return HONEST


@pytest.fixture
def copy(tmp_path):
    """A copy of it, to be changed."""
    return Path(shutil.copytree(HONEST, tmp_path / "copy"))


@pytest.fixture(scope="session")
def study():
    """What it holds."""
    return read_study_results(HONEST)


class Forger:
    """Writes a study anew, with every seal in order, and checks what was written."""

    def __init__(self, folder, study):
        self.folder, self.study, self.turn = folder, study, 0

    def faults(self, records=None, statement=None, lines=None, **plan):
        """What is found of the study with other records and another plan.

        Args:
            records: in place of the study's.
            statement: fields of the statement, in place of those that the records give.
            lines: other reference lines.
            plan: other fields of the plan.
        """
        self.turn += 1
        out = self.folder / str(self.turn)
        out.mkdir()
        changed = replace(
            self.study,
            plan=self.study.plan.model_copy(update=plan),
            records=self.study.records if records is None else records,
            lines=lines or self.study.lines,
        )
        said = statement_of(changed, {}, "A. Reader").model_copy(update=statement or {})
        write_submission(out, changed, said, {}, RunFolder(HONEST).read_step_comparison())
        found = check_files(out)
        shutil.rmtree(out)
        return found.faults

    def with_record(self, name, **values):
        """The study's records, one of them with other values."""
        return self.study.records | {name: self.study.records[name].model_copy(update=values)}


@pytest.fixture
def forger(tmp_path, study):
    return Forger(tmp_path, study)
