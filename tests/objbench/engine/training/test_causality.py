"""Causal masks: which encoders keep to one, in which form, and which are refused."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType, SimpleNamespace

import pytest
import torch

from objbench.contract.batch import Batch, Corrupted, Rows
from objbench.contract.random_streams import Streams
from objbench.engine.encoder.attention_mask import attention_mask
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.training import causality
from objbench.engine.training.causality import (
    require_causal,
    require_causal_family,
    require_causal_where_asked,
)
from objbench.engine.training.session import Session
from objbench.engine.training.stand_in import stand_in
from objbench.engine.training.step import TrainingStep
from objbench.errors import ConfigError
from objbench.study.settings import EncoderSection

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
DISTILLED = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}
FIELDS = {
    "bert": SMALL,
    "roberta": SMALL,
    "electra": {**SMALL, "embedding_size": 16},
    "albert": {**SMALL, "embedding_size": 16},
    "modernbert": SMALL,
    "distilbert": DISTILLED,
}
AHEAD = {
    "deberta": SMALL,
    "deberta-v2": SMALL,
    "convbert": {**SMALL, "embedding_size": 16},
    "mobilebert": {**SMALL, "embedding_size": 16, "intra_bottleneck_size": 16},
    "fnet": {"hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 32},
}


def build(tiny, model_type, fields, **more):
    section = EncoderSection(model_type=model_type, config={**fields, **more})
    return build_encoder(section, tiny.VOCABULARY, tiny.LENGTH, seed=0)


def batch_of(tiny, padded=False):
    ids = torch.randint(5, 65, (3, tiny.LENGTH), generator=torch.Generator().manual_seed(0))
    attention = None
    if padded:
        attention = torch.arange(tiny.LENGTH) < torch.tensor([[tiny.LENGTH], [9], [7]])
        ids = ids.masked_fill(~attention, 0)
    return Batch(ids, ids < 5, attention, Rows.alone(3))


@pytest.mark.parametrize("model_type", FIELDS)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
def test_no_state_depends_on_the_tokens_after_it(tiny, model_type, attention, padded, bf16):
    encoder = build(tiny, model_type, FIELDS[model_type]).eval()
    encoder.set_attn_implementation(attention)
    batch = batch_of(tiny, padded)
    mask = attention_mask(encoder, batch, causal=True)

    def states(ids):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return encoder(input_ids=ids, attention_mask=mask).last_hidden_state

    before = states(batch.input_ids)
    assert before.isfinite().all()
    for first in range(1, 7):
        changed = batch.input_ids.clone()
        changed[:, first] = (changed[:, first] - 5 + 1) % 60 + 5
        after = states(changed)
        assert torch.equal(after[:, :first], before[:, :first])
        # Columns that are real in every row; in bfloat16 a small change is lost in one or another.
        moved = ((after - before)[:, first:7] != 0).any(dim=2)
        assert moved.any(dim=0).all() if bf16 else moved.all(), "what follows sees it"


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_the_local_layers_of_modernbert_stay_local(tiny, attention):
    encoder = build(tiny, "modernbert", SMALL, local_attention=4).eval()
    encoder.set_attn_implementation(attention)
    batch = batch_of(tiny, padded=True)
    masks = attention_mask(encoder, batch, causal=True)
    real, columns = batch.attention.tolist(), range(tiny.LENGTH)
    for kind, reach in (("full_attention", tiny.LENGTH), ("sliding_attention", 2)):
        seen = masks[kind] if attention == "sdpa" else masks[kind] == 0
        expected = [
            [[[t == s or (s <= t <= s + reach and row[s]) for s in columns] for t in columns]]
            for row in real
        ]
        assert seen.tolist() == expected
    require_causal(encoder, batch_of(tiny))


@pytest.mark.parametrize("model_type", FIELDS)
def test_encoders_that_keep_to_it_pass_and_are_left_as_they_were(tiny, model_type):
    encoder = build(tiny, model_type, FIELDS[model_type]).train()
    state = torch.get_rng_state()
    require_causal(encoder, batch_of(tiny))
    assert encoder.training
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("model_type", AHEAD)
def test_encoders_that_look_ahead_or_take_no_such_mask_are_refused(tiny, model_type):
    encoder = build(tiny, model_type, AHEAD[model_type]).train()
    with pytest.raises(ConfigError, match=f"'{model_type}' does not respect the causal mask"):
        require_causal(encoder, batch_of(tiny))
    assert encoder.training


@pytest.mark.parametrize("model_type", [*FIELDS, *AHEAD])
def test_a_family_is_known_by_a_shallow_encoder_of_it(tiny, in_turns, monkeypatch, model_type):
    deep = {"num_hidden_layers": 5} if model_type != "distilbert" else {"n_layers": 5}
    fields = {**(FIELDS | AHEAD)[model_type], **deep}
    section = EncoderSection(model_type=model_type, config=fields)
    built, plain = [], causality.require_causal
    monkeypatch.setattr(
        causality, "require_causal", lambda *given: built.append(given[0]) or plain(*given)
    )

    def require(kind):
        made = stand_in(section, kind, kind.Config(), tiny.VOCABULARY, tiny.LENGTH)
        assert made is not None
        require_causal_family(made)

    require(tiny.TinyMlm)
    assert not built
    if model_type in AHEAD:
        with pytest.raises(ConfigError, match=f"'{model_type}' does not respect the causal mask"):
            require(in_turns)
    else:
        require(in_turns)
    assert [encoder.config.num_hidden_layers for encoder in built] == [2]


def test_what_only_a_small_stand_in_cannot_do_refuses_nothing(tiny, in_turns):
    class Faulty(in_turns):
        def corrupt(self, batch, streams):
            raise RuntimeError("planted")

    for kind, fields in ((in_turns, {"num_hidden_layers": "2"}), (Faulty, SMALL)):
        section = EncoderSection(model_type="fnet", config=fields)
        made = stand_in(section, kind, kind.Config(), tiny.VOCABULARY, tiny.LENGTH)
        assert (made is None) == (kind is in_turns)
        if made is not None:
            require_causal_family(made)


def test_a_mask_that_is_misread_is_refused(tiny, monkeypatch):
    encoder = build(tiny, "bert", SMALL)
    # As if it took 1 for hidden.
    monkeypatch.setattr(
        "objbench.engine.training.causality.written_out", lambda encoder, seen: ~seen | seen.tril()
    )
    with pytest.raises(ConfigError, match="misreads"):
        require_causal(encoder, batch_of(tiny))


@pytest.fixture
def in_turns(tiny):
    class InTurns(tiny.TinyMlm):
        """Causal in a mode that is all but never drawn."""

        name = "in-turns"
        modes = MappingProxyType({"seen": 1 - 1e-9, "causal": 1e-9})

        def corrupt(self, batch, streams):
            causal = self.mode_of(batch, streams) == "causal"
            return replace(super().corrupt(batch, streams), causal=causal)

    tiny.OBJECTIVES[InTurns.name] = InTurns
    yield InTurns
    del tiny.OBJECTIVES[InTurns.name]


def test_a_session_refuses_an_encoder_that_one_mode_of_the_objective_rules_out(
    tiny, tmp_path, in_turns
):
    section = EncoderSection(model_type="deberta", config=SMALL)
    job = tiny.tiny_job(tmp_path)
    Session(replace(job, encoder=section)).close()
    with pytest.raises(ConfigError, match="choose another, such as 'bert'"):
        Session(replace(job, encoder=section, objective=in_turns))


def test_trying_leaves_no_trace(tiny, in_turns):
    encoder = build(tiny, "bert", SMALL)
    encoder_spec = encoder_spec_of(encoder, tiny.VOCABULARY)
    step = TrainingStep(
        encoder, build_objective(in_turns, in_turns.Config(), encoder_spec, 0)
    ).train()
    plain = step.objective.corrupt

    def corrupt(batch, streams):
        step.calls.add_(1)
        torch.rand(1)
        return plain(batch, streams)

    step.register_buffer("calls", torch.zeros(()))
    step.objective.corrupt = corrupt
    state = torch.get_rng_state()
    require_causal_where_asked(step, batch_of(tiny), Streams(0, 0, rows=3))
    assert step.calls == 0
    assert torch.equal(torch.get_rng_state(), state)
    assert step.training and step.encoder.training


def test_one_token_is_causal_enough(tiny):
    batch = batch_of(tiny)
    short = Corrupted.of(replace(batch, input_ids=batch.input_ids[:, :1]))
    require_causal(build(tiny, "bert", SMALL), short)


def test_only_fused_attention_is_given_truth_values(tiny):
    """Added to the scores, as any other kernel does with a mask, they would hide nothing."""
    for kernel, kind in (("sdpa", torch.bool), ("eager", torch.float32), ("own", torch.float32)):
        encoder = SimpleNamespace(config=SimpleNamespace(_attn_implementation=kernel))
        assert attention_mask(encoder, batch_of(tiny), causal=True).dtype == kind
