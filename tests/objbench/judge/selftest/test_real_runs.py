"""The judge on real runs: groups of one objective's seeds, whose truth is known by construction."""

import numpy as np
import pytest

from objbench.cli.main import main
from objbench.errors import ConfigError
from objbench.judge.selftest.real_runs import real_selftest
from objbench.results.study_results import join

SOURCE = "heldout:mlm"


def standing_of(make_study, runs, points=8, noise=0.05):
    """``runs`` seeds of mlm whose held-out loss is 5 less the share, moved by each seed's own."""
    study = make_study(objectives=("mlm",), seeds=tuple(range(runs)), points=points)
    generator = np.random.Generator(np.random.Philox(7))
    for cell in study.plan.cells:
        if cell.kind == "pretrain":
            own = noise * generator.standard_normal()
            record = study.records[cell.id]
            moved = [
                point.model_copy(update={"heldout": {"mlm": 5 - point.share + own}})
                for point in record.points
            ]
            study.change(cell.id, points=moved)
    return join(study.plan, study.records.values())


def test_equal_objectives_are_rarely_told_apart_and_the_handicap_is_found(make_study):
    rates = real_selftest(standing_of(make_study, 20), SOURCE, repetitions=400)
    rows = {(row.scenario, row.seeds): row for row in rates.rows}
    assert len(rows) == 9
    for seeds in (3, 5, 10):
        same = rows[f"{SOURCE}: gain 0 (A/A)", seeds]
        # Twenty runs, not endless many: the rates are rough, but nothing like those of a coin.
        assert same.coverage > 0.88 and same.false_confirm < 0.09
        half = rows[f"{SOURCE}: baseline at half speed", seeds]
        assert half.truth == 2.0 and half.coverage > 0.88
        assert half.false_confirm < 0.09


def test_a_handicap_without_noise_is_two(make_study):
    rates = real_selftest(standing_of(make_study, 6, noise=1e-9), SOURCE, repetitions=20)
    half = next(row for row in rates.rows if "half speed" in row.scenario)
    assert half.coverage == 1.0
    assert half.claim("well above").refuted == 1.0
    assert half.claim("well below").confirmed == 1.0


def test_the_same_draws_give_the_same_rates(make_study):
    results = standing_of(make_study, 8)
    assert real_selftest(results, SOURCE, 50) == real_selftest(results, SOURCE, 50)
    assert real_selftest(results, SOURCE, 50) != real_selftest(results, SOURCE, 50, seed=1)


def test_too_few_runs_are_refused(make_study):
    with pytest.raises(
        ConfigError, match="5 complete runs of mlm that are not stuck: two groups of at least 3"
    ):
        real_selftest(standing_of(make_study, 5), SOURCE)


def test_stuck_runs_are_in_no_group(make_study):
    study = make_study(objectives=("mlm",), seeds=tuple(range(8)), points=5)
    study.measure_learning({"mlm": (2, 5)})
    assert real_selftest(study.results(), SOURCE, 10).drawn_from.startswith("6 pretraining seeds")
    study.measure_learning({"mlm": (2, 5, 7)})
    with pytest.raises(ConfigError, match="5 complete runs of mlm that are not stuck"):
        real_selftest(study.results(), SOURCE, 10)


def test_the_command_writes_a_page_and_refuses_a_score_without_runs(make_study, tmp_path, capsys):
    study = make_study(objectives=("mlm",), seeds=tuple(range(6)), points=5)
    run = study.write(tmp_path / "aa")
    out = tmp_path / "out"
    words = ["selftest", "--real", str(run), "--score", SOURCE, "--out", str(out)]
    assert main(words) == 0
    assert "baseline at half speed" in (out / "made-up-heldout-mlm.md").read_text()
    assert main(["selftest", "--score", SOURCE]) == 2
    assert "--score goes with --real RUN" in capsys.readouterr().err
