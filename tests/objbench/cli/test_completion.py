"""Completion: what a shell is answered, asked of the program as the shell asks it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from objbench.cli.completion import complete
from objbench.cli.main import COMMANDS, main

pytest.importorskip("argcomplete", reason="needs the extra `completion`")


@pytest.fixture
def answers(monkeypatch, tmp_path, remembered_plugins):
    """(line) -> the words with which its last one may go on."""

    class Ended(BaseException):
        pass

    def end(code):
        raise Ended

    def ending(parser, commands):
        complete(parser, commands, exit_method=end)

    monkeypatch.setattr("objbench.cli.main.complete", ending)
    # It would take file 9, of which a shell knows nothing and which here may be anybody's.
    monkeypatch.setattr("argcomplete.CompletionFinder._init_debug_stream", lambda self: None)

    def ask(line):
        answered = tmp_path / "answer"
        monkeypatch.setenv("_ARGCOMPLETE", "1")
        monkeypatch.setenv("_ARGCOMPLETE_STDOUT_FILENAME", str(answered))
        monkeypatch.setenv("_ARGCOMPLETE_SUPPRESS_SPACE", "0")
        monkeypatch.setenv("COMP_LINE", line)
        monkeypatch.setenv("COMP_POINT", str(len(line)))
        with pytest.raises(Ended):
            main([])
        return {word.strip() for word in answered.read_text().split("\013")}

    return ask


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("objbench ru", {"run"}),
        ("objbench run --preset d", {"demo", "demo-bert"}),
        ("objbench run --objectives mlm,ta", {"mlm,taco", "mlm,tacl"}),
        ("objbench run --suites gl", {"glue"}),
        ("objbench run --equalize s", {"steps", "seconds"}),
        ("objbench run --taco-temp", {"--taco-temperature"}),
        ("objbench run --set mlm.final", {"mlm.final_rate="}),
        ("objbench check ta", {"taco", "tacl"}),
        ("objbench show demo", {"demo", "demo-bert"}),
        ("objbench leaderboard --format html,p", {"html,pdf", "html,png"}),
        ("objbench compare --format l", {"latex"}),
        ("objbench plugins --m", {"--markdown"}),
        ("objbench track ", {"run", "check", "submit"}),
        ("objbench track check ", {"toy", "english"}),
        ("objbench track run toy --conf", {"--config"}),
    ],
)
def test_a_word_is_completed(line, words, answers):
    assert answers(line) == words


def test_every_command_is_offered(answers):
    assert answers("objbench ") >= set(COMMANDS)


def test_without_argcomplete_there_is_no_answer_and_no_error(monkeypatch, capsys):
    monkeypatch.setenv("_ARGCOMPLETE", "1")
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    assert main(["leaderboard"]) == 2
    assert "give a run folder" in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes_as_the_readme_says(tmp_path):
    scripts = Path(sys.executable).parent
    register = (
        shutil.which("register-python-argcomplete") or scripts / "register-python-argcomplete"
    )
    script = f"""
        eval "$({register} objbench)"
        COMP_LINE='objbench leaderb' COMP_POINT=16 COMP_TYPE=9 COMP_CWORD=1
        COMP_WORDS=(objbench leaderb)
        _python_argcomplete objbench leaderb objbench
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": f"{scripts}:/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.stdout.split() == ["leaderboard"]
