"""What is printed reaches any terminal, and a reader who leaves changes nothing."""

import argparse
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from objbench.cli import main as command
from objbench.cli.arguments import path
from objbench.cli.terminal import say
from objbench.runs.progress import Bars, Lines

TEXT = "a gain of 1.20\N{MULTIPLICATION SIGN} \N{PLUS-MINUS SIGN} 0.1 \N{EM DASH} \N{GREEK SMALL LETTER ALPHA}"


def test_signs_that_a_terminal_lacks_are_replaced():
    for encoding, shown in (("ascii", "a gain of 1.20x +/- 0.1 - ?"), ("utf-8", TEXT)):
        terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
        say(TEXT, file=terminal)
        assert terminal.buffer.getvalue().decode(encoding) == shown + "\n"


def test_no_text_commands_the_terminal(capsys):
    hostile = "a\x1b]0;title\x07b\x9bc\u202ed\te\n"
    say(hostile, end="")
    Lines().say(hostile)
    Bars().say(hostile)
    shown = capsys.readouterr()
    assert shown.out == "a]0;titlebcd\te\n"
    assert not set(shown.err) & set("\x1b\x07\x9b\u202e")


def test_a_terminal_breaks_lines_between_words(monkeypatch):
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "30")
    words = "objbench: error: no such folder as /a/rather/long/path/that/does/not/fit"
    shown = Terminal()
    say(words, file=shown, wrap=True)
    assert shown.getvalue().split() == words.split()
    assert max(map(len, shown.getvalue().splitlines()[:-1])) < 30
    plain = io.StringIO()
    say(words, file=plain, wrap=True)
    assert plain.getvalue() == words + "\n"


def test_a_closed_pipe_is_no_error():
    code = "from objbench.cli.terminal import say\nfor n in range(9999): say('line ' * 20)\nexit(3)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 3


def test_streams_that_are_closed_lead_nowhere(tmp_path):
    code = (
        "from objbench.cli.main import main\n"
        "from objbench.cli.terminal import say\n"
        "code = main(['nothing'])\n"
        "say('to nobody')\n"
        "file = open('codes', 'w')\n"
        "file.write(f'{code} {file.fileno() > 2}')\n"
    )
    closed = 'exec "$0" -c "$1" <&- >&- 2>&-'
    subprocess.run(["sh", "-c", closed, sys.executable, code], cwd=tmp_path, check=True)
    assert (tmp_path / "codes").read_text() == "2 True"


def test_the_home_folder_is_meant_by_a_tilde_in_every_path_of_the_command_line(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert path("~/runs") == Path("/home/me/runs")
    with pytest.raises(ValueError, match="the path is empty"):
        path("")
    for address in ("s3://bucket/run", "file:///tmp/run", "HTTPS://host/run"):
        with pytest.raises(ValueError, match="is an address; name a path on this machine"):
            path(address)
    _, subparsers = command._parsers()
    found = 0
    for parser in subparsers.values():
        for action in parser._actions:
            kind = action.type
            assert kind is not Path, action.option_strings
            if kind is not None and action.metavar in ("DIR", "RUN", "FILE", "PATH"):
                found += 1
                assert kind("~/x") == Path("/home/me/x"), action.option_strings
    assert found >= 9


def test_sigterm_ends_a_command_as_ctrl_c_does(monkeypatch, capsys):
    def terminated(arguments: argparse.Namespace, words: list[str]) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("it went on")

    monkeypatch.setattr("objbench.cli.plugins.main", terminated)
    before = signal.getsignal(signal.SIGTERM)
    assert command.main(["plugins"]) == 130
    assert "interrupted; run the same command again" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_sys_exit_of_a_plugin_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr("objbench.cli.plugins.main", lambda *_: sys.exit(0))
    assert command.main(["plugins"]) == 2
    assert "a plugin called sys.exit(0) at " in capsys.readouterr().err
