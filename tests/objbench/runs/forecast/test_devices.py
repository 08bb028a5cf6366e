"""The table of devices: what a plan may name, and that nothing in it is impossible."""

import pytest

from objbench.cli.arguments import TABLE
from objbench.errors import UnknownNameError
from objbench.runs.forecast import devices as module
from objbench.runs.forecast.devices import available_memory, device_names, named_device
from objbench.study.files import presets


def test_the_command_line_knows_the_table():
    assert device_names() == TABLE


@pytest.mark.parametrize("name", TABLE)
def test_every_device_has_numbers_that_can_be(name, monkeypatch):
    monkeypatch.setattr(module, "measured_peak", lambda precision: 1e11)
    device = named_device(name)
    assert device.source and 0 < device.price[0] <= device.price[1]
    assert all(0 < share <= 1 for share in device.utilisation.values())
    assert {*device.utilisation} - {"other"} <= {*presets()}
    assert device.share("demo-bert") == device.share("demo")
    assert device.share(None) == device.share("mine") == device.utilisation["other"]
    assert device.peak("bf16") >= device.peak("fp32") > 0
    assert device.bytes > 1e9
    assert name == "cpu" or min(device.memory, device.bandwidth) > 0


def test_an_unknown_device_is_guessed_at():
    with pytest.raises(UnknownNameError, match="did you mean 'h100'"):
        named_device("h10")


def test_this_machine_has_memory():
    assert 2**20 < available_memory() < 2**50
