"""An objective that teaches nothing is stuck, and has no place on the leaderboard."""

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


def test_random_labels_are_stuck_and_not_ranked(make_study, run, with_objective, page_of, tmp_path):
    study = make_study(
        objectives=["mlm", "random_labels", "taco", "wwm"],
        seeds=[0, 1, 2],
        budget="300-steps",
        encoder={
            "model_type": "modernbert",
            "config": {
                "num_hidden_layers": 1,
                "hidden_size": 32,
                "num_attention_heads": 2,
                "intermediate_size": 64,
                "layer_types": ["full_attention"],
            },
        },
        training={"batch": 16, "learning_rate": 1e-2, "log_every": 100},
        evaluation={"suites": ["heldout"], "points": 1, "heldout_batches": 4},
        options={"heldout": {"sequences": 32, "pseudo": 2}},
    )
    end = run(study, tmp_path / "run", registry=with_objective(RandomLabels))
    assert end.complete
    page = page_of(tmp_path / "run")
    learnt = {row["objective"]: row for row in rows_of(page, "## Did the runs learn?")}
    ranges = {
        name: [float(end) for end in row["loss if stuck"].split(" to ")]
        for name, row in learnt.items()
        if name != "bigram line"
    }
    worst = ranges.pop("random_labels")
    assert all(worst[0] > highest for _, highest in ranges.values()), ranges
    # No run of it learnt, so it has no place among the others, whatever it scores.
    assert learnt["random_labels"]["learnt"].startswith("0 of 3")
    ranking = {row["objective"]: row for row in rows_of(page, "## Ranking")}
    assert ranking["random_labels"]["#"] == "-"
    assert ranking["random_labels"]["score"] == "-"


def rows_of(page, heading):
    """The first table under a heading, each row by its columns."""
    table = next(line for line in page.split(heading)[1].split("\n\n") if line.startswith("|"))
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
    )
    return [dict(zip(head, row, strict=True)) for row in rows]
