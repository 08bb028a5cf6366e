"""An objective that teaches nothing ends at the bottom of the leaderboard."""

import dataclasses

from objbench.contract.batch import IGNORE_INDEX
from objbench_objectives.mlm import MaskedLanguageModeling


class RandomLabels(MaskedLanguageModeling):
    """Masked language modelling whose answers are drawn uniformly in every batch."""

    name = "random_labels"
    summary = "for the tests: nothing can be learned"

    def corrupt(self, batch, streams):
        made = super().corrupt(batch, streams)
        slots = made.targets.shape[1]
        drawn = streams.integers("random.labels", self.encoder_spec.vocabulary.size, slots)
        used = made.targets != IGNORE_INDEX
        return dataclasses.replace(made, targets=drawn.where(used, IGNORE_INDEX))


def test_random_labels_end_at_the_bottom(make_study, run, with_objective, page_of, tmp_path):
    # Named first of the three that are no baseline: its place is not that of its name.
    study = make_study(
        objectives=["mlm", "random_labels", "taco", "wwm"],
        seeds=[0, 1, 2],
        budget="60-steps",
        training={"batch": 16, "learning_rate": 1e-2, "log_every": 20},
        evaluation={"suites": ["heldout"], "points": 1, "heldout_batches": 1},
        options={"heldout": {"sequences": 32, "pseudo": 2}},
    )
    end = run(study, tmp_path / "run", registry=with_objective(RandomLabels))
    assert end.complete
    page = page_of(tmp_path / "run")
    table = page.split("## Ranking")[1].split("\n\n|")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
    assert [row[1] for row in rows][-1] == "random_labels"
    assert rows[-1][0] == "4"
    # It shares its letter with nobody: three seeds are enough for it to be significantly different.
    letters = [row[-1] for row in rows]
    assert not set(letters[-1]) & set("".join(letters[:-1]))
