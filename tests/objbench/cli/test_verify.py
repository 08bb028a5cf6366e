"""``objbench verify`` from the command line: verdicts first, exit 0, and errors of one line."""

from pathlib import Path

import pytest

from objbench.cli.main import main

TINY = str(Path(__file__).parents[3] / "leaderboard" / "tiny")

HEAVY = {"torch", "transformers", "pandas", "scipy", "numpy", "matplotlib", "tabulate"}

USAGE_ERRORS = [
    (["verify"], "name a run folder, or --figure FILE"),
    (["verify", "nowhere"], "nowhere holds no plan.json"),
    (["verify", TINY, "--claim", "tacoo-2022"], "did you mean 'taco-2022'?"),
    (["verify", TINY, "--claim", "gone.toml"], "claim file gone.toml cannot be read"),
    (["verify", TINY, "--claims", "taco-2022"], "did you mean '--claim'?"),
    (["verify", "--figure", "taco-2023"], "did you mean 'taco-2022'?"),
    (["verify", "--figure", "gone.json"], "figure file gone.json cannot be read"),
    (["verify", "--figure"], "expected one argument"),
    (["verify", TINY, "--figure", "taco-2022"], "cannot be combined"),
    (["verify", "--figure", "taco-2022", "--score", "glue"], "cannot be combined"),
]
FLOORS = {"majority": 30, "untrained": 20}


@pytest.mark.parametrize(("words", "message"), USAGE_ERRORS)
def test_a_usage_error_is_one_line_and_exit_code_2(words, message, command_line):
    assert message in command_line.refusal(words)


def test_help_and_usage_errors_import_nothing_heavy(command_line):
    cases = [["verify", "--help"], *(words for words, _ in USAGE_ERRORS)]
    codes, modules = command_line.codes_and_modules(cases)
    assert codes == [0] + [2] * len(USAGE_ERRORS)
    assert not HEAVY & modules


def test_a_verdict_needs_no_torch(command_line):
    cases = [["verify", TINY], ["verify", "--figure", "taco-2022"]]
    codes, modules = command_line.codes_and_modules(cases)
    assert codes == [0, 0]
    assert not {"torch", "transformers", "pandas", "matplotlib"} & modules


def test_the_verdicts_come_first_and_the_exit_code_is_0(capsys):
    assert main(["verify", TINY]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("- taco-2022 speedup: inconclusive at 1.51M parameters and 24.6M ")
    assert lines[1].startswith("- taco-2022 gain: inconclusive at ")
    assert lines[2] == ""
    assert "## taco-2022 speedup: inconclusive" in lines
    assert lines[-1] == "Other scores in this study, for --score: heldout:mlm."


def test_a_refuted_claim_exits_0_too(make_study, tmp_path, capsys):
    study = make_study(seeds=(1, 2, 3, 4), floors=FLOORS)
    study.measure_learning()
    run = study.write(tmp_path / "run")
    assert main(["verify", str(run), "--claim", "taco-2022", "--claim", "taco-2022"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" at ")[0] for line in lines[:3]] == [
        "- taco-2022 speedup: not reproduced",
        "- taco-2022 gain: reproduced",
        "",
    ]


def test_the_score_can_be_chosen(capsys):
    assert main(["verify", TINY, "--score", "heldout:mlm"]) == 0
    printed = capsys.readouterr().out
    assert "speedup in steps > 5.04x" in printed
    assert "- Score: heldout:mlm.\n- Seeds: 0 and 1." in printed
    assert main(["verify", TINY, "--score", "heldout:tc"]) == 2
    assert "unknown score 'heldout:tc'; did you mean 'heldout:mlm'?" in capsys.readouterr().err


def test_a_claim_about_others_is_refused(make_study, tmp_path, capsys):
    run = make_study(objectives=("mlm", "new")).write(tmp_path / "run")
    assert main(["verify", str(run)]) == 2
    assert "none of the bundled claims is about the objectives of" in capsys.readouterr().err
    assert main(["verify", str(run), "--claim", "taco-2022"]) == 2
    assert "taco-2022 is about taco against mlm, and the study has" in capsys.readouterr().err


def test_a_bad_claim_file_is_one_line(tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text('objective = "taco"\n')
    assert main(["verify", TINY, "--claim", str(path)]) == 2
    error = capsys.readouterr().err
    assert f"claim file {path}: summary is missing" in error
    assert error.count("\n") == 1


def test_published_numbers_are_replayed(capsys):
    assert main(["verify", "--figure", "taco-2022"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[2].startswith("inconclusive: there is one number per point")
    assert "at about 61.5k steps, 4.06x; 5x only for a score 0.15 lower" in printed
    assert "on 6 of 9 columns" in printed


def test_a_claim_about_options_is_judged_by_the_names_that_the_study_has(
    make_study, tmp_path, capsys
):
    study = make_study(objectives=("mlm", "mlm@30-15"), seeds=(1, 2, 3))
    options = ({"rate": 0.15, "final_rate": None}, {"mlm.rate": 0.3, "mlm.final_rate": 0.15})
    study.plan = study.plan.model_copy(
        update={
            "objectives": tuple(
                item.model_copy(update={"options": own})
                for item, own in zip(study.plan.objectives, options, strict=True)
            )
        }
    )
    run = str(study.write(tmp_path / "run"))
    assert main(["verify", run]) == 0
    by_itself = capsys.readouterr().out
    assert by_itself.startswith("- ankner-2024 gain-base: ")
    assert "3 pretraining runs per side; read in the abstract." in by_itself
    assert main(["verify", run, "--claim", "ankner-2024"]) == 0
    assert capsys.readouterr().out == by_itself
    assert main(["verify", run, "--claim", "wettig-2023"]) == 2
    assert (
        "claim wettig-2023 is about mlm (rate 0.4, mask_share 1.0, random_share 0.0) against mlm"
    ) in capsys.readouterr().err
