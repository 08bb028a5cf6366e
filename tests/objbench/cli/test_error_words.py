"""Messages of errors: one line, without what only a program reads."""

from objbench.errors import ConfigError, UnknownNameError, one_line


def test_an_error_of_the_system_is_given_in_words():
    error = FileNotFoundError(2, "No such file or directory", "gone.toml")
    assert one_line(error) == "No such file or directory: 'gone.toml'"
    assert one_line(ConfigError(f"the hub is out of reach ({OSError(-2, 'unknown host')})")) == (
        "the hub is out of reach (unknown host)"
    )
    # Text that is somebody's own is not changed.
    assert one_line("[Errno 2]  as in\nthe log") == "[Errno 2] as in the log"


def test_an_unknown_name_is_beside_its_kind():
    error = UnknownNameError("option", "raet", ["weight", "rate"], "; see there", "of taco")
    assert str(error) == (
        "unknown option 'raet' of taco; did you mean 'rate'? (known: rate, weight); see there"
    )
    assert str(UnknownNameError("preset", "x", [])) == "unknown preset 'x' (known: none)"
