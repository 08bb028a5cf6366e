"""The contrastive term added to other objectives: the numbers of ``taco``, on any corruption."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch

from objbench.contract.batch import Corrupted
from objbench.contract.composition import ComposedConfig, Composition
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need
from objbench.engine.training.flops import count_training_flops
from objbench.engine.training.step import TrainingStep
from objbench.errors import ConfigError
from objbench_objectives.clm_mlm import CausalThenMasked
from objbench_objectives.hybrid import HybridLanguageModeling
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.rtd import ReplacedTokenDetection
from objbench_objectives.taco import TokenAlignedMaskedLanguageModeling
from objbench_objectives.tc import TokenAlignment

OPTIONS = {
    "taco": {},
    "of masked tokens": {"anchors": "masked", "weight": 0.5},
    "against all": {"sampling": "all", "temperature": 0.1},
}


class PredictsNothing(Objective):
    name = "plain"
    summary = "no corruption"
    reference = "none"

    def corrupt(self, batch, streams):
        return Corrupted.of(batch)


def joined(base, encoder_spec, **options):
    """``base`` with the term, as it is composed by name."""
    config = ComposedConfig({base.name: base.Config(), "tc": TokenAlignment.Config(**options)})
    return Composition(base, (TokenAlignment,))(config, encoder_spec)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("padded", [False, True])
def test_mlm_with_the_term_is_taco(build, batch_of, options, padded):
    taco = build(TokenAlignedMaskedLanguageModeling, **options)
    objective = joined(MaskedLanguageModeling, taco.objective.encoder_spec, **options)
    objective.load_state_dict(taco.objective.state_dict())
    assert [term.name for term in objective.terms] == ["mlm", "tc"]
    assert [term.weight for term in objective.terms] == [t.weight for t in taco.objective.terms]
    assert objective.extra_flops(6, 24) == taco.objective.extra_flops(6, 24) > 0
    numbers = []
    for module in (taco, TrainingStep(taco.encoder, objective)):
        module.eval().zero_grad()
        totals, counts = module(batch_of(padded=padded), Streams(0, rows=6))
        totals.sum().backward()
        gradients = [parameter.grad.clone() for parameter in taco.encoder.parameters()]
        numbers.append([totals.detach(), counts, *gradients])
    assert all(torch.equal(*pair) for pair in zip(*numbers, strict=True))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_it_stands_on_another_objectives_corruption(build, batch_of, options):
    module = build(ReplacedTokenDetection)
    objective = joined(ReplacedTokenDetection, module.objective.encoder_spec, **options)
    objective.tie(module.encoder)
    corrupted = objective.corrupt(batch_of(), streams := Streams(0, rows=6))
    module.eval()
    output = module.encoder(input_ids=corrupted.input_ids, output_hidden_states=True)
    encoder_pass = EncoderPass(corrupted, output.last_hidden_state, output.hidden_states[0])
    loss = objective.terms[-1](encoder_pass, streams)
    loss.total.backward()
    assert loss.total.isfinite()
    anchors = corrupted.predicted if "anchors" in options else corrupted.real
    assert loss.count.item() == anchors.sum().item()


@pytest.mark.parametrize("sampling", ["drawn", "all"])
@pytest.mark.parametrize("anchors", ["masked", "all"])
@pytest.mark.parametrize("base", [HybridLanguageModeling, CausalThenMasked])
def test_flops_are_those_of_the_anchors_that_each_mode_has(
    build, batch_of, base, anchors, sampling
):
    module, batch, streams = build(base), batch_of(), Streams(0, rows=6)
    spec = module.objective.encoder_spec
    objective = joined(base, spec, anchors=anchors, sampling=sampling)
    step = TrainingStep(module.encoder, objective)
    counted = count_training_flops(step, batch, streams)
    without = count_training_flops(module, batch, streams)
    rows, length = batch.input_ids.shape
    of_all, expected = 0.0, 0.0
    for mode, share in objective.modes.items():
        made = objective.corrupt(replace(batch, mode=mode), streams)
        each = made.positions.shape[1] if anchors == "masked" else length
        # 2 per multiply-add: the products forward, and the weighted sums backward.
        candidates = 51 if sampling == "drawn" else rows * length
        own = 2 * 2 * rows * each * candidates * spec.width
        assert counted.by_mode[mode] - without.by_mode[mode] == own
        expected += share * own
        of_all = max(of_all, own)
    assert counted.flops - without.flops == pytest.approx(expected, rel=1e-12)
    assert (expected < of_all) == (anchors == "masked")


def test_anchors_at_predicted_positions_need_an_objective_that_predicts(encoder_spec):
    objective = joined(PredictsNothing, encoder_spec)
    assert Need.LABELS not in objective.needs
    for anchors in ("masked", "unmasked"):
        with pytest.raises(
            ConfigError, match=f"anchors={anchors} needs .* and plain predicts none"
        ):
            joined(PredictsNothing, encoder_spec, anchors=anchors)


def test_the_objective_joined_is_no_child_of_the_term(encoder_spec):
    objective = joined(MaskedLanguageModeling, encoder_spec)
    term = objective.terms[-1]
    assert list(term.modules()) == [term]
    assert not list(term.parameters())
    alive = weakref.ref(objective)
    del objective, term
    gc.collect()
    assert alive() is None
