"""An objective that shares weights of the encoder: tied once, and the same on two processes."""

from __future__ import annotations

import json
import socket

import pytest
import torch

from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.training.step import TrainingStep

OPTIONS = {
    "objective": "rtd",
    "steps": 8,
    "export_steps": [4, 8],
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "log_every": 1,
}


def test_an_objective_is_tied_once_to_the_encoder_beside_it(tiny):
    class Sharing(tiny.TinyMlm):
        def tie(self, encoder):
            self.tied = (*getattr(self, "tied", ()), encoder)

    encoder = build_encoder(tiny.encoder_section(), tiny.VOCABULARY, tiny.LENGTH, seed=0)
    encoder_spec = encoder_spec_of(encoder, tiny.VOCABULARY)
    alone = build_objective(tiny.TinyMlm, tiny.TinyMlm.Config(), encoder_spec, seed=0)
    sharing = build_objective(Sharing, Sharing.Config(), encoder_spec, seed=0)
    states = [TrainingStep(encoder, objective).state_dict() for objective in (alone, sharing)]
    assert sharing.tied == (encoder,)
    assert states[0].keys() == states[1].keys()


@pytest.mark.parametrize("sharing", ["shared", "gdes"])
def test_two_processes_are_one(trainers, tmp_path, weights, sharing):
    options = {**OPTIONS, "sharing": sharing}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    started = [trainers.start(one, one / "result.json", **options)]
    for rank in ("0", "1"):
        env = {**group, "MASTER_PORT": port, "RANK": rank, "LOCAL_RANK": rank}
        started.append(trainers.start(two, two / "result.json", env=env, **options))
    assert [trainers.wait(process) for process in started] == [0, 0, 0]
    left, right = (json.loads((run / "result.json").read_text()) for run in (one, two))
    for (_, loss, terms), (_, other, others) in zip(left["losses"], right["losses"], strict=True):
        assert other == pytest.approx(loss, rel=2e-5)
        assert others == pytest.approx(terms, rel=2e-5)
    for mine, others in zip(left["heldout"], right["heldout"], strict=True):
        assert others == pytest.approx(mine, rel=2e-5)
    assert right["flops"] == pytest.approx(left["flops"])
    final = left["encoders"][-1]
    one_end, two_end = weights(one, final), weights(two, final)
    for name in one_end:
        torch.testing.assert_close(one_end[name], two_end[name], rtol=1e-3, atol=1e-4)
